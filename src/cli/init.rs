//! `livemart init`: a `livemart.yml` beside an existing dbt project, or a new project that runs at once.
//!
//! ```text
//!   dbt_project.yml is here ──> livemart.yml, the project's sources listed in it, each to be switched on
//!   livemart init NAME ───────> NAME/: models, a source with three events in a file, livemart.yml, profiles.yml
//! ```
//!
//! Nothing that is there is written over.

use std::path::Path;

use super::args::{Args, InitArgs};
use super::talk::Speaker;
use crate::project::{Project, ProjectError, SourceTable};

/// Exit code 0; 1 when a file is there already; 2 when the project cannot be read.
pub fn run(args: &Args, init: &InitArgs, speaker: &Speaker) -> i32 {
    speaker.running_with();
    speaker.no_log(None);
    let done = args.project_options().and_then(|options| match &init.name {
        Some(name) => new_project(&options.project_dir, name, speaker),
        None => {
            let folder = options.project_dir.clone();
            let project = Project::load(options)?;
            beside_project(&folder, &project, speaker)
        }
    });
    match done {
        Ok(()) => 0,
        Err(error) => {
            speaker.fail(&error);
            1
        }
    }
}

fn beside_project(folder: &Path, project: &Project, speaker: &Speaker) -> Result<(), ProjectError> {
    write_new(&folder.join("livemart.yml"), &targets_of(project))?;
    speaker.info(&format!("Wrote livemart.yml: {} source tables wait in it to be switched on.", project.sources.len()));
    speaker.info("Say where their changes come from, then: livemart debug, livemart run, livemart serve");
    Ok(())
}

/// The text of `livemart.yml` for a project: valid as it is, with every source as a comment.
fn targets_of(project: &Project) -> String {
    let mut text = format!(
        "# Where livemart reads changes from and where it keeps the marts; everything else is the dbt project as dbt knows it.\n\
         targets:\n  {}:\n    sources:\n",
        project.target_name
    );
    let mut names: Vec<&str> = project.sources.values().map(|source| source.source_name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let tables: Vec<&SourceTable> = project.sources.values().filter(|source| source.source_name == name).collect();
        let list = tables.iter().map(|table| table.name.as_str()).collect::<Vec<_>>().join(", ");
        text += &format!(
            "      # {name}: {list}\n\
             \x20     # {name}: {{connector: kafka, brokers: \"localhost:9092\", topic: \"{name}.public.{{table}}\", format: json, envelope: debezium}}\n\
             \x20     # {name}: {{connector: file, path: \"data/{name}/{{table}}.jsonl\", format: json, envelope: debezium}}\n"
        );
        for table in tables.iter().filter(|table| table.declared_key.is_none()) {
            let columns = table.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ");
            text +=
                &format!("      # {name}.{}: {{key: [{}]}}   # which of: {columns}\n", table.name, first_column(table));
        }
    }
    text += "    sink: {type: sqlite, path: \"data/marts.db\"}\n    \
             # sink: {type: postgres, url: \"{{ env_var('MARTS_URL') }}\", schema: marts}\n    \
             clock: {mode: wall, time_zone: UTC}\n";
    text
}

fn first_column(table: &SourceTable) -> &str {
    table.columns.first().map_or("id", |column| column.name.as_str())
}

fn new_project(folder: &Path, name: &str, speaker: &Speaker) -> Result<(), ProjectError> {
    let is_name =
        name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.starts_with(|c: char| c.is_ascii_digit());
    if !is_name || name.is_empty() {
        return Err(ProjectError::runtime(format!("'{name}' is not a valid project name"))
            .hint("a project's name holds letters, digits and underscores only"));
    }
    let root = folder.join(name);
    if root.exists() {
        return Err(ProjectError::runtime(format!("A project called {name} already exists here.")));
    }
    for (path, text) in STARTER {
        write_new(&root.join(path), &text.replace("PROJECT", name))?;
    }
    speaker.info(&format!("Your new project \"{name}\" was created!"));
    speaker.info(&format!("Try it: cd {name}, then livemart build, livemart show -s orders_by_status, livemart serve"));
    Ok(())
}

fn write_new(path: &Path, text: &str) -> Result<(), ProjectError> {
    if path.exists() {
        return Err(ProjectError::runtime(format!("{} is there already", path.display()))
            .hint("move it away to have a new one written"));
    }
    let written = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(path, text));
    written.map_err(|error| ProjectError::runtime(format!("could not write {}: {error}", path.display())))
}

/// (path, text) of a new project's files.
const STARTER: [(&str, &str); 14] = [
    (
        "dbt_project.yml",
        "name: PROJECT\nversion: \"1.0.0\"\nprofile: PROJECT\n\nmodel-paths: [models]\nanalysis-paths: [analyses]\ntest-paths: [tests]\n\
         seed-paths: [seeds]\nmacro-paths: [macros]\nsnapshot-paths: [snapshots]\nclean-targets: [target, dbt_packages]\n\nmodels:\n  PROJECT:\n    \
         example:\n      +materialized: table\n",
    ),
    (
        "livemart.yml",
        "# Where livemart reads changes from and where it keeps the marts; everything else is the dbt project as dbt knows it.\ntargets:\n  dev:\n    \
         sources:\n      shop: {connector: file, path: \"data/{table}.jsonl\", format: json, envelope: debezium}\n    sink: {type: sqlite, path: \"data/marts.db\"}\n    \
         clock: {mode: wall, time_zone: UTC}\n",
    ),
    (
        "profiles.yml",
        "# For dbt; livemart takes the default target from here.\nPROJECT:\n  target: dev\n  outputs:\n    dev: {type: postgres, host: localhost, port: 5432, \
         user: postgres, password: \"{{ env_var('PGPASSWORD', '') }}\", dbname: PROJECT, schema: public, threads: 2}\n",
    ),
    (
        "models/example/sources.yml",
        "sources:\n  - name: shop\n    tables:\n      - name: orders\n        columns:\n          - {name: id, data_type: bigint, data_tests: [unique, not_null]}\n          \
         - {name: status, data_type: text}\n          - {name: amount, data_type: \"numeric(18,2)\"}\n",
    ),
    (
        "models/example/orders_by_status.sql",
        "select status, count(*) as orders, sum(amount) as amount\nfrom {{ source('shop', 'orders') }}\ngroup by status\n",
    ),
    (
        "models/example/schema.yml",
        "models:\n  - name: orders_by_status\n    description: Orders and their amount per status, current with each change\n    columns:\n      \
         - {name: status, description: Where an order stands, data_tests: [unique, not_null]}\n      - {name: orders, description: How many}\n",
    ),
    (
        "data/orders.jsonl",
        "{\"op\": \"c\", \"before\": null, \"after\": {\"id\": 1, \"status\": \"placed\", \"amount\": \"12.50\"}, \"ts_ms\": 1735725600000}\n\
         {\"op\": \"c\", \"before\": null, \"after\": {\"id\": 2, \"status\": \"placed\", \"amount\": \"8.00\"}, \"ts_ms\": 1735725660000}\n\
         {\"op\": \"u\", \"before\": null, \"after\": {\"id\": 1, \"status\": \"shipped\", \"amount\": \"12.50\"}, \"ts_ms\": 1735729200000}\n",
    ),
    (".gitignore", "target/\ndbt_packages/\nlogs/\n.livemart/\n*.db\n*.db-*\n"),
    (
        "README.md",
        "# PROJECT\n\n`livemart build` reads `data/orders.jsonl`, publishes `orders_by_status` to `data/marts.db` and tests it. `livemart serve` follows the \
         file: append a line and look again.\n",
    ),
    ("analyses/.gitkeep", ""),
    ("tests/.gitkeep", ""),
    ("seeds/.gitkeep", ""),
    ("macros/.gitkeep", ""),
    ("snapshots/.gitkeep", ""),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::ProjectOptions;

    fn speaker() -> Speaker {
        use clap::Parser;
        Speaker::new(&Args::try_parse_from(["livemart", "-q", "parse"]).expect("arguments").common, "test")
    }

    fn folder(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("livemart-init-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    #[test]
    fn a_new_project_can_be_read_and_is_not_written_over() {
        let folder = folder("new");
        new_project(&folder, "corner_shop", &speaker()).expect("a project");
        let mut project = Project::load(ProjectOptions::new(folder.join("corner_shop"))).expect("it loads");
        project.compile_all().expect("it compiles");
        assert_eq!(project.target.sources.len(), 1);
        let again = new_project(&folder, "corner_shop", &speaker()).expect_err("it is there");
        assert!(again.message.contains("already exists"), "{again}");
        assert!(new_project(&folder, "corner-shop", &speaker()).is_err());
        std::fs::remove_dir_all(folder).expect("it is ours");
    }

    #[test]
    fn a_project_without_targets_gets_its_sources_listed() {
        let folder = folder("beside");
        new_project(&folder, "shop", &speaker()).expect("a project");
        let root = folder.join("shop");
        std::fs::remove_file(root.join("livemart.yml")).expect("it was there");
        let project = Project::load(ProjectOptions::new(&root)).expect("it loads");
        beside_project(&root, &project, &speaker()).expect("a file");
        let text = std::fs::read_to_string(root.join("livemart.yml")).expect("a text");
        assert!(text.contains("# shop: orders\n") && text.contains("topic: \"shop.public.{table}\""), "{text}");
        let project = Project::load(ProjectOptions::new(&root)).expect("what was written can be read");
        assert!(project.target.sources.is_empty());
        assert!(beside_project(&root, &project, &speaker()).is_err(), "nothing is written over");
        std::fs::remove_dir_all(folder).expect("it is ours");
    }
}
