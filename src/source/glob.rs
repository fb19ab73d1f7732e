//! Paths with `*`, `?` and `**`.
//!
//! `*` and `?` match within one name, `**` any number of folders. Names that start with a dot are matched only by a pattern that
//! starts with one. A pattern without these signs is the one path that it is.

use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};

pub fn is_pattern(path: &Path) -> bool {
    path.as_os_str().to_string_lossy().contains(['*', '?'])
}

/// The files that match, sorted; an unreadable folder is an error, a missing one matches nothing.
pub fn expand(pattern: &Path) -> io::Result<Vec<PathBuf>> {
    let mut parts = Vec::new();
    let mut root = PathBuf::new();
    for component in pattern.components() {
        match component {
            Component::Normal(name) if !parts.is_empty() || is_pattern(Path::new(name)) => parts.push(name),
            other if parts.is_empty() => root.push(other),
            other => parts.push(other.as_os_str()),
        }
    }
    let mut found = Vec::new();
    walk(&root, &parts, &mut found)?;
    found.sort();
    found.dedup();
    Ok(found)
}

fn walk(folder: &Path, parts: &[&OsStr], found: &mut Vec<PathBuf>) -> io::Result<()> {
    let Some((part, rest)) = parts.split_first() else {
        if folder.is_file() {
            found.push(folder.to_path_buf());
        }
        return Ok(());
    };
    if !is_pattern(Path::new(part)) {
        return walk(&folder.join(part), rest, found);
    }
    if *part == "**" {
        walk(folder, rest, found)?;
    }
    let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = match std::fs::read_dir(listed) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        if *part == "**" {
            if !is_hidden(&name) && entry.file_type()?.is_dir() {
                walk(&folder.join(&name), parts, found)?;
            }
        } else if matches_name(&part.to_string_lossy(), &name.to_string_lossy()) {
            walk(&folder.join(&name), rest, found)?;
        }
    }
    Ok(())
}

fn is_hidden(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with('.')
}

fn matches_name(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    // The classic walk: on a mismatch, the last star takes one character more.
    let (mut at, mut from, mut star) = (0, 0, None);
    while from < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(sign) if *sign == '?' || *sign == name[from] => {
                at += 1;
                from += 1;
            }
            _ => match star {
                Some((star_at, taken)) => {
                    at = star_at + 1;
                    from = taken + 1;
                    star = Some((star_at, from));
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|sign| *sign == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_within_a_name() {
        for (pattern, name, matches) in [
            ("*.jsonl", "orders.jsonl", true),
            ("*.jsonl", "orders.json", false),
            ("*.jsonl", ".hidden.jsonl", false),
            ("o*s.?", "orders.s", true),
            ("o*s*", "os", true),
            ("?", "", false),
            ("**", "x", true),
            ("a*b*c", "aXbXbc", true),
        ] {
            assert_eq!(matches_name(pattern, name), matches, "{pattern} {name}");
        }
    }

    #[test]
    fn folders_are_walked() {
        let root = std::env::temp_dir().join(format!("livemart-glob-{}", std::process::id()));
        for file in ["a/1.jsonl", "a/2.csv", "b/c/3.jsonl", "b/.git/4.jsonl"] {
            let path = root.join(file);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("created");
            std::fs::write(path, "").expect("written");
        }
        let names = |pattern: &str| {
            let found = expand(&root.join(pattern)).expect("listed");
            let name = |path: &PathBuf| path.strip_prefix(&root).expect("inside").display().to_string();
            found.iter().map(name).collect::<Vec<_>>()
        };
        assert_eq!(names("*/*.jsonl"), ["a/1.jsonl"]);
        assert_eq!(names("**/*.jsonl"), ["a/1.jsonl", "b/c/3.jsonl"]);
        assert_eq!(names("a/1.jsonl"), ["a/1.jsonl"]);
        assert!(names("missing/*").is_empty());
        std::fs::remove_dir_all(&root).expect("removed");
    }
}
