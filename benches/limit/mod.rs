//! The hand-written program to measure against: typed differential dataflow, built from a folder that the user names.
//!
//! ```text
//!   DIR (may be read-only) ──copy what differs──> CACHE/limit/src ──cargo build --release──> CACHE/limit/target/release/dd
//!   dd q1|…|q5|all SIZE WORKERS [out.tsv]   with BENCH_DATA   ──> one line of figures
//! ```

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::mart::{Answer, Answers, Case, Query};
use super::measure::{Failure, run_child};
use super::shop_stream::Workload;

#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    #[error("could not copy the limit program from {}", from.display())]
    Copy {
        from: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error(transparent)]
    Failed(#[from] Failure),
    #[error("the limit program printed no {what}: {line:?}")]
    Unreadable { what: &'static str, line: String },
    #[error("could not read the limit program's result {}", path.display())]
    Result {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
}

/// The built program.
pub struct Limit {
    program: PathBuf,
    work: PathBuf,
}

/// What one run printed; CPU in microseconds.
#[derive(Clone, Copy, Debug)]
pub struct LimitRun {
    pub catch_up_us_per_event: f64,
    pub catch_up_wall_us_per_event: f64,
    /// CPU of epochs of one event.
    pub single_p50_us: f64,
    pub single_p99_us: f64,
}

impl Limit {
    /// Copies and builds; quick when it has been built before.
    pub fn build(source: &Path, cache: &Path) -> Result<Limit, LimitError> {
        let work = cache.join("limit");
        let copy = work.join("src");
        copy_tree(source, &copy).map_err(|cause| LimitError::Copy { from: source.to_path_buf(), cause })?;
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let mut build = Command::new(cargo);
        build.args(["build", "--release", "--locked", "--package", "dd", "--manifest-path"]);
        build.arg(copy.join("Cargo.toml")).env("CARGO_TARGET_DIR", work.join("target"));
        run_child(&mut build, &work.join("build.log"))?;
        Ok(Limit { program: work.join("target/release/dd"), work })
    }

    /// One run.
    pub fn run(&self, workload: &Workload, case: &Case, workers: usize) -> Result<LimitRun, LimitError> {
        let line = self.line(workload, &case.name, workers, None)?;
        let after = |mark: &'static str, from: &str| {
            let rest = from.split_once(mark).map(|(_, rest)| rest);
            let number = rest.map(|rest| rest.split([' ', ']']).next().unwrap_or(""));
            let number = number.and_then(|number| number.trim_end_matches('s').parse::<f64>().ok());
            number.ok_or_else(|| LimitError::Unreadable { what: mark, line: line.clone() })
        };
        let single = line.split_once("| single ").map_or("", |(_, rest)| rest);
        let single = single.split_once("[cpu ").map_or("", |(_, rest)| rest);
        let (events, wall) = (after("events=", &line)?, after("wall=", &line)?);
        Ok(LimitRun {
            catch_up_us_per_event: after("cpu_s/Mev=", &line)?,
            catch_up_wall_us_per_event: wall * 1e6 / events,
            single_p50_us: after("p50=", single)?,
            single_p99_us: after("p99=", single)?,
        })
    }

    /// The results of these queries, one after the other; such a run costs more, because it keeps and writes every change.
    pub fn answers(&self, workload: &Workload, queries: &[Query]) -> Result<Answers, LimitError> {
        let answer = |query: &Query| Ok((*query, self.answer(workload, *query)?));
        queries.iter().map(answer).collect()
    }

    fn answer(&self, workload: &Workload, query: Query) -> Result<Answer, LimitError> {
        let path = self.work.join(format!("{}.tsv", query.name()));
        self.line(workload, query.name(), 1, Some(&path))?;
        let text = fs::read_to_string(&path).map_err(|cause| LimitError::Result { path, cause })?;
        let row = |line: &str| {
            query.limit_row(line).ok_or_else(|| LimitError::Unreadable { what: "row", line: line.to_owned() })
        };
        text.lines().map(row).collect()
    }

    fn line(
        &self,
        workload: &Workload,
        case: &str,
        workers: usize,
        result: Option<&Path>,
    ) -> Result<String, LimitError> {
        let mut command = Command::new(&self.program);
        command.arg(case).arg(workload.dir.file_name().unwrap_or_default()).arg(workers.to_string()).args(result);
        command.env("BENCH_DATA", workload.dir.parent().unwrap_or(Path::new(".")));
        Ok(run_child(&mut command, &self.work.join("run.log"))?.0)
    }
}

/// Copies the files that differ, so that what cargo has built stays fresh. Build output in `from` is left out.
fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (entry, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        let copy = to.join(&name);
        if entry.is_dir() {
            if name != "target" && name != "data" {
                copy_tree(&entry, &copy)?;
            }
            continue;
        }
        let content = fs::read(&entry)?;
        if fs::read(&copy).ok().as_ref() != Some(&content) {
            // Written anew rather than copied: a read-only source would leave a read-only copy.
            fs::write(&copy, content)?;
        }
    }
    Ok(())
}
