//! Finds and reads the files of a project.
//!
//! Names are sorted, so that a project loads the same on every machine; a byte order mark at a file's head is dropped.

use std::path::{Path, PathBuf};

use super::error::{ProjectError, Result};

/// A file below one of a project's folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub path: PathBuf,
    /// Relative to the folder that was searched: `staging/stg_orders.sql`.
    pub relative: String,
    /// Relative to the project: `models/staging/stg_orders.sql`.
    pub original: String,
}

impl Found {
    /// The file's name without its extension.
    pub fn stem(&self) -> &str {
        let name = self.relative.rsplit('/').next().unwrap_or(&self.relative);
        name.rsplit_once('.').map_or(name, |(stem, _)| stem)
    }

    /// The folders between the searched folder and the file.
    pub fn folders(&self) -> Vec<String> {
        folders_of(&self.relative)
    }
}

/// The folders of a relative path, without the file's name.
pub fn folders_of(relative: &str) -> Vec<String> {
    let mut parts: Vec<String> = relative.split('/').map(String::from).collect();
    parts.pop();
    parts
}

/// All files with one of these extensions below `root/folder`, each folder's own first by name. A missing folder has none.
pub fn find(root: &Path, folders: &[String], extensions: &[&str]) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for folder in folders {
        let folder = folder.trim_end_matches('/');
        let mut relatives = Vec::new();
        walk(&root.join(folder), "", &mut relatives)?;
        for relative in relatives {
            let extension = relative.rsplit_once('.').map_or("", |(_, extension)| extension);
            if extensions.contains(&extension) {
                let original = if folder == "." { relative.clone() } else { format!("{folder}/{relative}") };
                let file = Found { path: root.join(folder).join(&relative), relative, original };
                if !found.contains(&file) {
                    found.push(file);
                }
            }
        }
    }
    Ok(found)
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    let read = |error: std::io::Error| {
        ProjectError::runtime(format!("could not list the folder {}: {error}", folder.display()))
    };
    let mut entries = std::fs::read_dir(folder).map_err(read)?.collect::<std::io::Result<Vec<_>>>().map_err(read)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let relative = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        let path = entry.path();
        if path.is_dir() { walk(&path, &relative, found)? } else { found.push(relative) }
    }
    Ok(())
}

/// A file's text. `name` is what an error calls it.
pub fn read(path: &Path, name: &str) -> Result<String> {
    let bytes = std::fs::read(path)
        .map_err(|error| ProjectError::runtime(format!("could not read {name}: {error}")).in_file(name))?;
    let text = String::from_utf8(bytes).map_err(|_| {
        ProjectError::runtime(format!("{name} is not UTF-8 text"))
            .in_file(name)
            .hint("save the file with the encoding UTF-8")
    })?;
    Ok(text.strip_prefix('\u{feff}').map(String::from).unwrap_or(text))
}

/// The known name most like a wrong one, where one is near enough to be meant.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (wrong.chars().count() / 3).max(2);
    known
        .into_iter()
        .map(|name| (distance(wrong, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, name)| name)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
