//! Which macros a macro calls, read from its text alone, as dbt notes it.
//!
//! Names that no macro has (filters, context functions, variables) are not calls of macros; what a text builds at run time is not seen.

use super::macros::Macro;
use super::scope::World;
use super::segments::{SegmentKind, segments};

/// Unique ids in order of first mention.
pub fn macros_called(world: &World, caller: &Macro) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let Ok(segments) = segments(&caller.source) else { return found };
    // The first tag is the definition itself.
    for segment in segments.iter().skip(1).filter(|s| matches!(s.kind, SegmentKind::Print | SegmentKind::Tag)) {
        for (package, name, arguments) in calls(segment.inner) {
            let targets: Vec<(Option<String>, String)> = match (package.as_deref(), name.as_str()) {
                (Some("adapter"), "dispatch") => dispatched(&arguments, caller),
                _ => vec![(package, name)],
            };
            for (package, name) in targets {
                let target = match &package {
                    Some(package) => world.macros.in_package(package, &name),
                    None => world.macros.find(&name, &caller.package, &world.project_name),
                };
                if let Some(target) = target
                    && target.unique_id != caller.unique_id
                    && !found.contains(&target.unique_id)
                {
                    found.push(target.unique_id.clone());
                }
            }
        }
    }
    found
}

/// `adapter.dispatch('m', 'package')` may end in `postgres__m` or `default__m` of that package.
fn dispatched(arguments: &str, caller: &Macro) -> Vec<(Option<String>, String)> {
    let mut words = arguments.split(',').map(|word| {
        let word = word.trim();
        word.split_once('=').map_or(word, |(_, value)| value.trim()).trim_matches(['\'', '"', ')', ' '])
    });
    let name = words.next().unwrap_or_default();
    let package = words.next().filter(|word| !word.is_empty()).unwrap_or(&caller.package);
    super::macros::DISPATCH_PREFIXES
        .iter()
        .map(|prefix| (Some(package.to_string()), format!("{prefix}__{name}")))
        .collect()
}

/// (package, name, text of the arguments) of everything that is written like a call.
fn calls(code: &str) -> Vec<(Option<String>, String, String)> {
    let mut found = Vec::new();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    for (at, _) in code.match_indices('(') {
        let before = code[..at].trim_end();
        let path = &before[before.rfind(|c: char| !is_word(c) && c != '.').map_or(0, |at| at + 1)..];
        let rest = &code[at + 1..];
        let arguments = rest[..rest.find(')').unwrap_or(rest.len())].to_string();
        match path.split('.').collect::<Vec<_>>().as_slice() {
            [name] if !name.is_empty() => found.push((None, name.to_string(), arguments)),
            [package, name] if !name.is_empty() => {
                found.push((Some(package.to_string()), name.to_string(), arguments));
            }
            _ => {}
        }
    }
    found
}
