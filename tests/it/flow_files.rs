//! Every file under `tests/td`, replayed in all ways.
//!
//! `UPDATE_GOLDEN=1` rewrites the expectations with what comes; read the difference before you commit it.

use std::path::{Path, PathBuf};

use livemart::testkit::flow_file::{FlowFile, WAYS};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).expect("tests/td can be read");
    for entry in entries {
        let path = entry.expect("an entry of tests/td").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "td") {
            found.push(path);
        }
    }
}

#[test]
fn flow_files_hold_in_all_ways() {
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/td"), &mut found);
    found.sort();
    assert!(!found.is_empty(), "there are flow files");
    let mut failures = Vec::new();
    for path in &found {
        let text = std::fs::read_to_string(path).expect("a flow file can be read");
        let file = match FlowFile::parse(&text) {
            Ok(file) => file,
            Err(error) => {
                failures.push(format!("{}: {error}", path.display()));
                continue;
            }
        };
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            match file.complete(&text) {
                Ok(completed) => std::fs::write(path, completed).expect("a flow file can be written"),
                Err(error) => failures.push(format!("{}: {error}", path.display())),
            }
            continue;
        }
        for way in WAYS {
            if let Err(error) = file.check(way) {
                failures.push(format!("{}: {error}", path.display()));
            }
        }
    }
    assert!(failures.is_empty(), "{} of {} files:\n{}", failures.len(), found.len(), failures.join("\n\n"));
}
