//! What a command says while it works, in dbt's look, on stderr.
//!
//! ```text
//!   09:41:07  Running with livemart=0.1.0
//!   09:41:07  Found 10 models, 24 data tests, 3 sources
//!   09:41:07
//!   09:41:08  1 of 3 START sql table model marts.revenue ............................. [RUN]
//!   09:41:08  1 of 3 OK created sql table model marts.revenue ........................ [OK in 0.12s]
//!   09:41:09  Done. PASS=3 WARN=0 ERROR=0 SKIP=0 NO-OP=0 TOTAL=3
//! ```
//!
//! 1. Results go to stdout by other hands; all that is said here goes to stderr and to `logs/dbt.log`.
//! 2. Colours only on a terminal, JSON lines when asked for, errors only under `--quiet`.
//! 3. A log file that cannot be written is said once and then done without.

use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use serde_json::json;

use super::args::{Common, LogFormat};
use super::event::Event;
use super::words::{
    Outcome, Status, counted, description, done, finished_running, padded, result_words, statistics, stats, test_words,
};
use crate::artifact::code;
use crate::project::{Node, Project, ProjectError, ResourceType, Talk as TemplateTalk, UnitTest};
use crate::time::wall_micros;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    Green,
    Yellow,
    Red,
}

/// Where the log goes: lines wait until the project has said in which folder.
enum Log {
    Waiting(Vec<String>),
    Open(File),
    Off,
}

/// The speaker.
pub struct Speaker {
    least: Level,
    is_json: bool,
    has_colours: bool,
    invocation_id: String,
    log: Mutex<Log>,
    /// `--log-path`, over the project's.
    log_path: Option<PathBuf>,
    warnings: Mutex<usize>,
}

impl Speaker {
    pub fn new(common: &Common, invocation_id: &str) -> Speaker {
        let least = match (common.quiet, common.debug) {
            (true, _) => Level::Error,
            (false, true) => Level::Debug,
            (false, false) => Level::Info,
        };
        let is_json = common.log_format == LogFormat::Json;
        let wants_colours = !common.no_use_colors && std::env::var_os("NO_COLOR").is_none();
        Speaker {
            least,
            is_json,
            has_colours: !is_json && wants_colours && std::io::stderr().is_terminal(),
            invocation_id: invocation_id.to_string(),
            log: Mutex::new(Log::Waiting(Vec::new())),
            log_path: common.log_path.clone(),
            warnings: Mutex::new(0),
        }
    }

    /// Opens `dbt.log` in this folder (or the one of `--log-path`); what was said before and will be said goes there, too.
    pub fn log_to(&self, folder: &Path) {
        let folder = self.log_path.as_deref().unwrap_or(folder);
        let opened = std::fs::create_dir_all(folder)
            .and_then(|()| OpenOptions::new().create(true).append(true).open(folder.join("dbt.log")));
        match opened {
            Ok(mut file) => {
                let now = time_text(wall_micros(), "%H:%M:%S%.6f");
                let head = format!("\n\n{} {now} | {} {}\n", "=".repeat(30), self.invocation_id, "=".repeat(30));
                let mut log = lock(&self.log);
                let said = if let Log::Waiting(lines) = &*log { lines.concat() } else { String::new() };
                let is_written = file.write_all((head + &said).as_bytes()).is_ok();
                *log = if is_written { Log::Open(file) } else { Log::Off };
            }
            Err(error) => self
                .no_log(Some(format!("the log file {} cannot be written: {error}", folder.join("dbt.log").display()))),
        }
    }

    /// Goes on without a log file, as `serve` does; the reason is said where there is one.
    pub fn no_log(&self, reason: Option<String>) {
        *lock(&self.log) = Log::Off;
        reason.iter().for_each(|reason| self.warn(reason));
    }

    pub fn info(&self, text: &str) {
        self.say(Level::Info, text, None);
    }

    pub fn debug(&self, text: &str) {
        self.say(Level::Debug, text, None);
    }

    pub fn warn(&self, text: &str) {
        *lock(&self.warnings) += 1;
        let tagged = format!("[{}]: {text}", self.paint(Colour::Yellow, "WARNING"));
        self.say(Level::Warn, &tagged, Some(text));
    }

    /// A warning in dbt's plain form, without the tag.
    pub fn notice(&self, text: &str) {
        self.say(Level::Warn, text, None);
    }

    /// Says a line that is no more and no less than its level.
    pub fn at(&self, level: Level, text: &str) {
        self.say(level, text, None);
    }

    pub fn error(&self, text: &str) {
        self.say(Level::Error, text, None);
    }

    pub fn blank(&self) {
        self.info("");
    }

    /// How many warnings were said.
    pub fn warnings(&self) -> usize {
        *lock(&self.warnings)
    }

    /// Says an error that ends the command. The exit code is dbt's for what it did not expect.
    pub fn fail(&self, error: &ProjectError) -> i32 {
        self.error("Encountered an error:");
        self.error(&error.to_string());
        if let Some(hint) = &error.hint {
            self.error(&format!("  {hint}"));
        }
        2
    }

    /// What templates said while they were rendered.
    pub fn templates(&self, project: &Project) {
        for talk in project.take_talk() {
            match talk {
                TemplateTalk::Info(text) => self.info(&text),
                TemplateTalk::Debug(text) => self.debug(&text),
                TemplateTalk::Warning(text) => self.warn(&text),
            }
        }
    }

    pub fn running_with(&self) {
        let version = env!("CARGO_PKG_VERSION");
        let event = Event::new("MainReportVersion", "A001", json!({"version": version, "log_version": 3}));
        self.say_event(Level::Info, &format!("Running with livemart={version}"), None, &event);
    }

    /// What loading noted and warned of, then `Found 10 models, …`.
    pub fn found(&self, project: &Project) {
        project.notes.iter().for_each(|note| self.info(note));
        project.warnings.iter().for_each(|warning| self.warn(warning));
        self.templates(project);
        let found = statistics(project);
        let event = Event::new("FoundStats", "W006", json!({"stat_line": found}));
        self.say_event(Level::Info, &format!("Found {found}"), None, &event);
    }

    pub fn concurrency(&self, threads: usize, target: &str) {
        self.blank();
        let event = Event::new("ConcurrencyLine", "Q027", json!({"num_threads": threads, "target_name": target}));
        self.say_event(Level::Info, &format!("Concurrency: {threads} threads (target='{target}')"), None, &event);
        self.blank();
    }

    /// `1 of 3 START sql table model marts.revenue .... [RUN]`
    pub fn start(&self, index: usize, total: usize, node: &Node) {
        let line = padded(index, total, &format!("START {}", description(node)), "RUN", None);
        self.say_event(Level::Info, &line, None, &Event::start(index, total, node, &description(node)));
    }

    /// `1 of 3 OK created sql table model … [SELECT 3 in 0.12s]`, `PASS …`, `FAIL 1 …`
    pub fn outcome(&self, index: usize, total: usize, node: &Node, outcome: &Outcome) {
        let (words, label, level) = result_words(node, &outcome.status);
        let subject = if node.resource_type == ResourceType::Test { node.name.clone() } else { description(node) };
        let event = Event::outcome(index, total, node, &subject, outcome);
        self.outcome_line(index, total, &format!("{words} {subject}"), &label, level, outcome, Some(&event));
    }

    /// `1 of 3 START unit_test model::name .... [RUN]`
    pub fn start_unit(&self, index: usize, total: usize, test: &UnitTest) {
        self.info(&padded(index, total, &format!("START unit_test {}::{}", test.model, test.name), "RUN", None));
    }

    pub fn outcome_unit(&self, index: usize, total: usize, test: &UnitTest, outcome: &Outcome) {
        let (words, level) = test_words(&outcome.status);
        let subject = format!("{}::{}", test.model, test.name);
        self.outcome_line(index, total, &format!("{words} {subject}"), &words, level, outcome, None);
    }

    fn outcome_line(
        &self,
        index: usize,
        total: usize,
        text: &str,
        label: &str,
        level: Level,
        outcome: &Outcome,
        event: Option<&Event>,
    ) {
        let colour = match level {
            Level::Error => Colour::Red,
            Level::Warn => Colour::Yellow,
            _ if label == "SKIP" => Colour::Yellow,
            _ => Colour::Green,
        };
        let seconds = (!matches!(outcome.status, Status::Skipped)).then_some(outcome.seconds);
        let line = padded(index, total, text, &self.paint(colour, label), seconds);
        match event {
            Some(event) => self.say_event(level, &line, None, event),
            None => self.say(level, &line, None),
        }
    }

    /// `Finished running …`, the failures one by one, `Done. PASS=…`.
    pub fn footer(&self, project: &Project, outcomes: &[Outcome], seconds: f64) {
        self.blank();
        let event = Event::new("FinishedRunningStats", "E047", json!({"execution_time": seconds}));
        self.say_event(Level::Info, &finished_running(project, outcomes, seconds), None, &event);
        let (errors, warnings): (Vec<_>, Vec<_>) = outcomes
            .iter()
            .filter(|outcome| matches!(outcome.status, Status::Error | Status::Fail(_) | Status::Warn(_)))
            .partition(|outcome| !matches!(outcome.status, Status::Warn(_)));
        self.blank();
        if !errors.is_empty() {
            let text = format!(
                "Completed with {}, 0 partial successes, and {}:",
                counted(errors.len(), "error", "errors"),
                counted(warnings.len(), "warning", "warnings")
            );
            self.info(&self.paint(Colour::Red, &text));
        } else if !warnings.is_empty() {
            self.info(
                &self.paint(
                    Colour::Yellow,
                    &format!("Completed with {}:", counted(warnings.len(), "warning", "warnings")),
                ),
            );
        } else {
            self.info(&self.paint(Colour::Green, "Completed successfully"));
        }
        for outcome in errors.iter().chain(&warnings) {
            self.failure(project, outcome);
        }
        self.blank();
        self.say_event(
            Level::Info,
            &done(outcomes),
            None,
            &Event::new("StatsLine", "Z023", json!({"stats": stats(outcomes)})),
        );
    }

    fn failure(&self, project: &Project, outcome: &Outcome) {
        let (title, file) = match (project.nodes.get(&outcome.unique_id), project.unit_tests.get(&outcome.unique_id)) {
            (Some(node), _) => (node.title(), &node.original_file_path),
            (None, Some(test)) => (format!("unit_test {}", test.name), &test.original_file_path),
            (None, None) => return,
        };
        self.blank();
        let is_warning = matches!(outcome.status, Status::Warn(_));
        let (word, colour) = if is_warning { ("Warning", Colour::Yellow) } else { ("Failure", Colour::Red) };
        let level = if is_warning { Level::Warn } else { Level::Error };
        self.say(level, &self.paint(colour, &format!("{word} in {title} ({file})")), None);
        let words = outcome.message.clone().or_else(|| outcome.verdict_words(project));
        let words = words.unwrap_or_else(|| format!("Status: {:?}", outcome.status).to_lowercase());
        // dbt indents what failed and not what warns.
        let indent = if is_warning { "" } else { "  " };
        for line in words.lines() {
            self.say(level, &format!("{indent}{line}"), None);
        }
        let node = project.nodes.get(&outcome.unique_id).filter(|node| node.compiled_code.is_some());
        let compiled = node.map(|node| code::relative_compiled_path(project, node));
        if let Some(path) = outcome.compiled_path.as_ref().or(compiled.as_ref()) {
            self.blank();
            self.info(&format!("  compiled code at {path}"));
        }
        if let Some(relation) = &outcome.failures_relation {
            let query = format!("select * from {relation}");
            let border = "-".repeat(query.len());
            self.blank();
            self.info(&format!("  See test failures:\n  {border}\n  {query}\n  {border}"));
        }
    }

    pub fn paint(&self, colour: Colour, text: &str) -> String {
        if !self.has_colours {
            return text.to_string();
        }
        let code = match colour {
            Colour::Red => 31,
            Colour::Green => 32,
            Colour::Yellow => 33,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// `plain` is what logs get where the text holds colours or tags.
    fn say(&self, level: Level, text: &str, plain: Option<&str>) {
        self.say_event(level, text, plain, &Event::note(&strip_colours(plain.unwrap_or(text))));
    }

    fn say_event(&self, level: Level, text: &str, plain: Option<&str>, event: &Event) {
        let now = wall_micros();
        let unpainted = strip_colours(text);
        let logged = || format!("{} [{:<5}] [MainThread]: {unpainted}\n", time_text(now, "%H:%M:%S%.6f"), level.name());
        match &mut *lock(&self.log) {
            Log::Waiting(lines) => lines.push(logged()),
            // A full disk must not stop a command that only wanted to keep a log.
            Log::Open(file) => drop(file.write_all(logged().as_bytes())),
            Log::Off => {}
        }
        if level < self.least {
            return;
        }
        let line = if self.is_json {
            let message = plain.map_or(unpainted, String::from);
            json!({
                "info": {"category": "", "code": event.code, "extra": {}, "invocation_id": self.invocation_id, "level": level.name(),
                         "msg": message, "name": event.name, "pid": std::process::id(), "thread": "MainThread",
                         "ts": time_text(now, "%Y-%m-%dT%H:%M:%S%.6fZ")},
                "data": event.data,
            })
            .to_string()
        } else {
            format!("{}  {text}", time_text(now, "%H:%M:%S"))
        };
        // Nobody is left to tell when stderr is closed.
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn time_text(micros: i64, format: &str) -> String {
    DateTime::<Utc>::from_timestamp_micros(micros).unwrap_or(DateTime::UNIX_EPOCH).format(format).to_string()
}

fn strip_colours(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        out.push_str(&rest[..at]);
        rest = rest[at..].find('m').map_or("", |end| &rest[at + end + 1..]);
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_hold_no_colours() {
        assert_eq!(strip_colours("a \u{1b}[31mred\u{1b}[0m b"), "a red b");
    }
}
