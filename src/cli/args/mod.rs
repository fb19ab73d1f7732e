//! The command line's words: verbs and flags, as dbt spells them.
//!
//! 1. A flag of the whole command may stand before or after the verb.
//! 2. A usage error ends with exit code 2, as in dbt.
//! 3. Flags of dbt that have no meaning here (`--threads`, `--no-partial-parse`, …) are accepted and do nothing.

mod demo;
mod select;

use std::path::PathBuf;
use std::sync::Arc;

use clap::error::{ContextKind, ContextValue};
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

pub use demo::{DemoArgs, DemoVerb, GenerateArgs, ProduceArgs, ScaleArgs, WireEnvelopeArg, WireFormatArg};
pub use select::Select;

use crate::engine::BoundColumns;
use crate::project::{ProjectError, ProjectOptions, parse_yaml};
use crate::time::wall_micros;

/// Keeps a dbt project's models current as change events arrive.
#[derive(Debug, Parser)]
#[command(name = "livemart", version, propagate_version = false, arg_required_else_help = true)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Follow the sources and publish a cut each commit interval, until stopped
    Serve(ServeArgs),
    /// Read every source to the end it has now, publish, and exit
    Run(RunArgs),
    /// `run`, then the tests at that cut
    Build(RunArgs),
    /// Publish the seeds' tables; those that are published advance in the same cut
    Seed(RunArgs),
    /// Publish the snapshots' tables; those that are published advance in the same cut
    Snapshot(RunArgs),
    /// Evaluate tests at the published cut, without reading new input
    Test(RunArgs),
    /// Write compiled SQL to target/compiled
    Compile(CompileArgs),
    /// List the project's nodes
    #[command(alias = "list")]
    Ls(LsArgs),
    /// Show rows of a model or a query
    Show(ShowArgs),
    /// Check that the project can be read
    Parse(ParseArgs),
    /// Say which packages the project lists and whether they are at hand
    Deps(DepsArgs),
    /// Write livemart.yml beside a dbt project, or a new project
    Init(InitArgs),
    /// Documentation of the project
    #[command(subcommand)]
    Docs(DocsVerb),
    /// What is known of the sources
    #[command(subcommand)]
    Source(SourceVerb),
    /// Check project, profile, sources and sink
    Debug(DebugArgs),
    /// Show how a model is maintained and what that costs
    Explain(ExplainArgs),
    /// Compute the published tables again from the sources and compare
    Verify(VerifyArgs),
    /// Delete the folders of clean-targets
    Clean(CleanArgs),
    /// Show the product on the shop's fixtures
    Demo(DemoArgs),
}

impl Verb {
    /// The verb as templates see it in `flags.WHICH`.
    pub fn name(&self) -> &'static str {
        match self {
            Verb::Serve(_) => "serve",
            Verb::Run(_) => "run",
            Verb::Build(_) => "build",
            Verb::Seed(_) => "seed",
            Verb::Snapshot(_) => "snapshot",
            Verb::Test(_) => "test",
            Verb::Compile(_) => "compile",
            Verb::Ls(_) => "list",
            Verb::Show(_) => "show",
            Verb::Parse(_) => "parse",
            Verb::Deps(_) => "deps",
            Verb::Init(_) => "init",
            Verb::Docs(DocsVerb::Generate(_)) => "generate",
            Verb::Docs(DocsVerb::Serve(_)) => "serve-docs",
            Verb::Source(SourceVerb::Freshness(_)) => "freshness",
            Verb::Debug(_) => "debug",
            Verb::Explain(_) => "explain",
            Verb::Verify(_) => "verify",
            Verb::Clean(_) => "clean",
            Verb::Demo(_) => "demo",
        }
    }
}

/// Flags of every verb.
#[derive(Clone, Debug, ClapArgs)]
pub struct Common {
    /// Folder of dbt_project.yml
    #[arg(long, global = true, env = "DBT_PROJECT_DIR", value_name = "DIR")]
    pub project_dir: Option<PathBuf>,
    /// Folder of profiles.yml
    #[arg(long, global = true, env = "DBT_PROFILES_DIR", value_name = "DIR")]
    pub profiles_dir: Option<PathBuf>,
    /// Profile to use instead of the project's
    #[arg(long, global = true, env = "DBT_PROFILE", value_name = "NAME")]
    pub profile: Option<String>,
    /// Target of livemart.yml and of the profile
    #[arg(short, long, global = true, env = "DBT_TARGET", value_name = "NAME")]
    pub target: Option<String>,
    /// Variables, as YAML: '{start_date: 2024-01-01}'
    #[arg(long, global = true, value_name = "YAML")]
    pub vars: Option<String>,
    /// Folder of artifacts
    #[arg(long, global = true, env = "DBT_TARGET_PATH", value_name = "DIR")]
    pub target_path: Option<PathBuf>,
    /// Folder of a manifest.json to compare with, for state: selectors
    #[arg(long, global = true, env = "DBT_STATE", value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Folder of dbt.log
    #[arg(long, global = true, env = "DBT_LOG_PATH", value_name = "DIR")]
    pub log_path: Option<PathBuf>,
    /// Accepted; the engine's parallelism is --workers
    #[arg(long, global = true, value_name = "N")]
    pub threads: Option<u64>,
    /// Say nothing but errors and results
    #[arg(short, long, global = true, env = "DBT_QUIET")]
    pub quiet: bool,
    /// Say more
    #[arg(short, long, global = true, env = "DBT_DEBUG")]
    pub debug: bool,
    #[arg(long, global = true, value_enum, default_value = "default", env = "DBT_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: LogFormat,
    /// Accepted; -d and -q choose what is said
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log_level: Option<String>,
    #[arg(long, global = true, overrides_with = "no_use_colors", hide = true)]
    pub use_colors: bool,
    /// Plain text even on a terminal
    #[arg(long, global = true)]
    pub no_use_colors: bool,
    /// Turn warnings into errors
    #[arg(long, global = true, env = "DBT_WARN_ERROR")]
    pub warn_error: bool,
    #[arg(long, global = true, hide = true)]
    pub partial_parse: bool,
    #[arg(long, global = true, hide = true)]
    pub no_partial_parse: bool,
    #[arg(long, global = true, hide = true)]
    pub no_version_check: bool,
    #[arg(long, global = true, hide = true)]
    pub no_send_anonymous_usage_stats: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Default,
    Text,
    Json,
}

/// Flags of the verbs that run the engine to an end.
#[derive(Clone, Debug, ClapArgs)]
pub struct RunArgs {
    #[command(flatten)]
    pub select: Select,
    /// Rebuild from all retained input
    #[arg(short, long)]
    pub full_refresh: bool,
    /// Stop at the first failure
    #[arg(short = 'x', long)]
    pub fail_fast: bool,
    /// Dataflow workers
    #[arg(long, value_name = "N")]
    pub workers: Option<usize>,
    /// Take over tables that livemart did not create
    #[arg(long)]
    pub adopt: bool,
    /// Take a source that cannot be continued anew, from what it holds now
    #[arg(long)]
    pub resnapshot: bool,
    /// Keep the failing rows of every test in a table
    #[arg(long, env = "DBT_STORE_FAILURES")]
    pub store_failures: bool,
    /// With --full-refresh: snapshots forget what they have seen, too
    #[arg(long, requires = "full_refresh")]
    pub rebuild_snapshots: bool,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct ServeArgs {
    #[command(flatten)]
    pub select: Select,
    #[arg(short, long)]
    pub full_refresh: bool,
    /// Dataflow workers
    #[arg(long, value_name = "N")]
    pub workers: Option<usize>,
    /// Address of metrics and health, over livemart.yml's
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: Option<String>,
    /// Take over tables that livemart did not create
    #[arg(long)]
    pub adopt: bool,
    /// Take a source that cannot be continued anew, from what it holds now
    #[arg(long)]
    pub resnapshot: bool,
    /// Catch up beside the live owner, then take its place at a cut; it drains and exits 0
    #[arg(long, conflicts_with_all = ["full_refresh", "resnapshot"])]
    pub take_over: bool,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct CompileArgs {
    #[command(flatten)]
    pub select: Select,
    /// Compile this text instead of a node
    #[arg(long, value_name = "SQL")]
    pub inline: Option<String>,
    #[arg(long, value_enum, default_value = "text")]
    pub output: TextOrJson,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TextOrJson {
    Text,
    Json,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct LsArgs {
    #[command(flatten)]
    pub select: Select,
    #[arg(long, value_enum, default_value = "selector")]
    pub output: LsOutput,
    /// Keys of the JSON output, `config.materialized` among them
    #[arg(long, num_args = 1.., value_name = "KEY")]
    pub output_keys: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LsOutput {
    Selector,
    Name,
    Path,
    Json,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct ShowArgs {
    #[command(flatten)]
    pub select: Select,
    /// Show the result of this query
    #[arg(long, value_name = "SQL")]
    pub inline: Option<String>,
    /// Rows to show; -1 for all
    #[arg(long, default_value = "5", allow_negative_numbers = true, value_name = "N")]
    pub limit: i64,
    #[arg(long, value_enum, default_value = "text")]
    pub output: TextOrJson,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct ParseArgs {}

#[derive(Clone, Debug, ClapArgs)]
pub struct DepsArgs {}

#[derive(Clone, Debug, ClapArgs)]
pub struct InitArgs {
    /// Name and folder of a new project; without one, livemart.yml is written for the project that is here
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
}

#[derive(Clone, Debug, Subcommand)]
pub enum DocsVerb {
    /// Write manifest.json, catalog.json and index.html
    Generate(DocsGenerateArgs),
    /// Show the page, with rows and verdicts as they are now
    Serve(DocsServeArgs),
}

#[derive(Clone, Debug, ClapArgs)]
pub struct DocsGenerateArgs {
    /// Leave catalog.json as it is
    #[arg(long)]
    pub empty_catalog: bool,
    /// Accepted; the page is always one file
    #[arg(long)]
    pub r#static: bool,
    /// Accepted; everything is compiled for the manifest
    #[arg(long)]
    pub no_compile: bool,
    #[command(flatten)]
    pub select: Select,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct DocsServeArgs {
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub host: String,
    #[arg(long, default_value_t = 8080, value_name = "PORT")]
    pub port: u16,
    /// Accepted; livemart opens no browser
    #[arg(long)]
    pub no_browser: bool,
}

#[derive(Clone, Debug, Subcommand)]
pub enum SourceVerb {
    /// How old the newest row of each source table is
    #[command(alias = "snapshot-freshness")]
    Freshness(FreshnessArgs),
}

#[derive(Clone, Debug, ClapArgs)]
pub struct FreshnessArgs {
    #[command(flatten)]
    pub select: Select,
    /// Where the result goes, instead of target/sources.json
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct DebugArgs {
    /// Check the connections only
    #[arg(long)]
    pub connection: bool,
}

/// A cost class that is too dear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Deny {
    /// One change may touch its whole group
    PerGroup,
    /// One change may touch its whole partition
    PerPartition,
    /// One change may touch the whole table
    PerTable,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct ExplainArgs {
    /// Models to explain; all without a name
    #[arg(value_name = "MODEL")]
    pub models: Vec<String>,
    /// Fail when an operator's cost is of this class or a dearer one
    #[arg(long, value_name = "CLASS")]
    pub deny: Option<Deny>,
    /// Read the sources (what state has is not read again) and say how many rows and bytes each operator holds
    #[arg(long)]
    pub measure: bool,
    #[command(flatten)]
    pub select: Select,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct VerifyArgs {
    #[command(flatten)]
    pub select: Select,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct CleanArgs {
    /// Delete folders outside of the project, too
    #[arg(long)]
    pub no_clean_project_files_only: bool,
}

impl Args {
    /// The arguments of this process; ends it with usage and exit code 2 when they are none.
    pub fn from_command_line() -> Args {
        Args::try_parse().unwrap_or_else(|error| {
            let Some(hint) = hint(&error) else { error.exit() };
            // Whoever is told may have closed the pipe.
            let _ = error.print();
            eprintln!("\n  hint: {hint}");
            std::process::exit(error.exit_code())
        })
    }

    /// What the project's loader needs to know of the command line, the environment and the clock.
    pub fn project_options(&self) -> Result<ProjectOptions, ProjectError> {
        let current_dir = std::env::current_dir()
            .map_err(|error| ProjectError::runtime(format!("the current folder cannot be read: {error}")))?;
        let project_dir = self.common.project_dir.as_ref().map_or(current_dir.clone(), |dir| current_dir.join(dir));
        let (full_refresh, store_failures) = match &self.verb {
            Verb::Run(args) | Verb::Build(args) | Verb::Seed(args) | Verb::Snapshot(args) | Verb::Test(args) => {
                (args.full_refresh, args.store_failures)
            }
            Verb::Serve(args) => (args.full_refresh, false),
            _ => (false, false),
        };
        Ok(ProjectOptions {
            project_dir,
            profiles_dir: self.common.profiles_dir.as_ref().map(|dir| current_dir.join(dir)),
            profile: self.common.profile.clone(),
            target: self.common.target.clone(),
            vars: self.vars()?,
            target_path: self.common.target_path.clone(),
            threads: self.common.threads,
            full_refresh,
            store_failures,
            command: self.verb.name().to_string(),
            env: std::env::vars_os()
                .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
                .collect(),
            current_dir,
            invocation_id: invocation_id(),
            started_at: wall_micros(),
            introspect: Arc::new(BoundColumns::default()),
            state: self.common.state.clone(),
        })
    }

    fn vars(&self) -> Result<serde_json::Map<String, serde_json::Value>, ProjectError> {
        let Some(text) = &self.common.vars else { return Ok(serde_json::Map::new()) };
        let yaml = parse_yaml(text, "--vars")?;
        match yaml.to_json() {
            serde_json::Value::Object(map) => Ok(map),
            serde_json::Value::Null => Ok(serde_json::Map::new()),
            _ => Err(ProjectError::runtime("The --vars argument must be a YAML dictionary, but was of another type")
                .hint("write --vars '{name: value}'")),
        }
    }
}

/// A random UUID, version 4. Collisions would only mix up two log files.
fn invocation_id() -> String {
    use std::hash::{BuildHasher, RandomState};
    let half = || RandomState::new().hash_one(wall_micros());
    let (high, low) = (half(), half());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | (low >> 48) & 0x3fff,
        low & 0xffff_ffff_ffff
    )
}

/// What clap cannot know.
fn hint(error: &clap::Error) -> Option<&'static str> {
    let named = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) => argument.as_str(),
        _ => return None,
    };
    let has_value =
        matches!(error.get(ContextKind::InvalidValue), Some(ContextValue::String(value)) if !value.is_empty());
    (named.starts_with("--profile ") && !has_value)
        .then_some("--profile names a profile of profiles.yml; how a model is computed, and what it costs, says: livemart explain MODEL")
}

#[cfg(test)]
#[path = "args_tests.rs"]
mod tests;
