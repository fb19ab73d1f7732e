//! The command line's words: verbs and flags, as dbt spells them.
//!
//! 1. A flag of the whole command may stand before or after the verb.
//! 2. A usage error ends with exit code 2, as in dbt.
//! 3. Flags of dbt that have no meaning here (`--threads`, `--no-partial-parse`, …) are accepted and do nothing.

use std::path::PathBuf;
use std::sync::Arc;

use clap::error::{ContextKind, ContextValue};
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use crate::engine::BoundColumns;
use crate::project::{Indirect, ProjectError, ProjectOptions, ResourceType, Selection, parse_yaml};
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

/// Which nodes.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct Select {
    /// Nodes to take: names, folders, tag:x, +m, m+, a,b …
    #[arg(short, long, num_args = 1.., value_name = "SELECTION")]
    pub select: Vec<String>,
    /// The same, as dbt used to call it
    #[arg(short, long, num_args = 1.., value_name = "SELECTION", conflicts_with = "select")]
    pub models: Vec<String>,
    /// Nodes to leave out
    #[arg(long, num_args = 1.., value_name = "SELECTION")]
    pub exclude: Vec<String>,
    /// A selector of selectors.yml
    #[arg(long, value_name = "NAME")]
    pub selector: Option<String>,
    /// Types of nodes to take: model, test, seed, …
    #[arg(long = "resource-type", visible_alias = "resource-types", num_args = 1.., value_name = "TYPE")]
    pub resource_type: Vec<String>,
    #[arg(long = "exclude-resource-type", visible_alias = "exclude-resource-types", num_args = 1.., value_name = "TYPE")]
    pub exclude_resource_type: Vec<String>,
    /// Which tests come along with the selected nodes
    #[arg(long, value_name = "MODE", value_parser = ["eager", "cautious", "buildable", "empty"], default_value = "eager")]
    pub indirect_selection: String,
}

impl Select {
    /// The selection; types default to these.
    pub fn selection(&self, default_types: &[ResourceType]) -> Result<Selection, ProjectError> {
        let types = |names: &[String]| -> Result<Vec<ResourceType>, ProjectError> {
            let mut found = Vec::new();
            for name in names {
                match (name.as_str(), ResourceType::named(name)) {
                    (_, Some(ty)) => found.push(ty),
                    ("default", None) => found.extend_from_slice(default_types),
                    ("all", None) => found.extend(default_types.iter().copied().chain([ResourceType::Analysis])),
                    _ => {
                        return Err(ProjectError::runtime(format!("'{name}' is not a resource type"))
                            .hint("types are: model, test, unit_test, seed, snapshot, source, exposure, analysis"));
                    }
                }
            }
            Ok(found)
        };
        let wanted = types(&self.resource_type)?;
        Ok(Selection {
            select: self.select.iter().chain(&self.models).cloned().collect(),
            exclude: self.exclude.clone(),
            selector: self.selector.clone(),
            resource_types: if wanted.is_empty() { default_types.to_vec() } else { wanted },
            exclude_resource_types: types(&self.exclude_resource_type)?,
            indirect: Indirect::named(&self.indirect_selection).unwrap_or_default(),
            include_empty: false,
        })
    }
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

#[derive(Clone, Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub struct DemoArgs {
    #[command(subcommand)]
    pub verb: Option<DemoVerb>,
    /// Where the shop's project is (dataflows/ of a checkout)
    #[arg(long, value_name = "DIR", default_value = "dataflows")]
    pub shop: PathBuf,
    /// Where the demo keeps its events and its database
    #[arg(long, value_name = "DIR", default_value = "demo")]
    pub folder: PathBuf,
}

#[derive(Clone, Debug, Subcommand)]
pub enum DemoVerb {
    /// Write a shop of any size to files, as the project's dev target reads them
    Generate(GenerateArgs),
    /// Send a shop of any size to Kafka at a given rate
    Produce(ProduceArgs),
}

/// Which shop, and how large. The same scale gives the same bytes.
#[derive(Clone, Copy, Debug, ClapArgs)]
pub struct ScaleArgs {
    /// Customers, up to a million
    #[arg(long, value_name = "COUNT", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub customers: u32,
    /// Days of the shop's life, from 2024-07-01
    #[arg(long, value_name = "DAYS", default_value_t = 540, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    pub days: u32,
    /// How much customers do day by day, in percent of the usual: the same customers and days with fewer events
    #[arg(long, value_name = "PERCENT", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub activity: u16,
    /// Another seed, another shop
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum WireFormatArg {
    #[default]
    Json,
    /// Confluent's wire format, with schemas in a registry
    Avro,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum WireEnvelopeArg {
    /// op, before, after
    #[default]
    Debezium,
    /// The row alone: for envelope upsert, and append where a table has no key
    Plain,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct GenerateArgs {
    #[command(flatten)]
    pub scale: ScaleArgs,
    /// Folder for the files; SHOP_DATA points the project to it
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Lines are whole records with topic, partition, offset and key
    #[arg(long)]
    pub captured: bool,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct ProduceArgs {
    #[command(flatten)]
    pub scale: ScaleArgs,
    /// Kafka's bootstrap servers
    #[arg(long, value_name = "HOST:PORT,…")]
    pub brokers: String,
    /// Records per second; as fast as the broker takes them without it
    #[arg(long, value_name = "PER_SECOND")]
    pub rate: Option<u64>,
    /// How records are encoded
    #[arg(long, value_enum, default_value_t)]
    pub format: WireFormatArg,
    /// How changes are told
    #[arg(long, value_enum, default_value_t)]
    pub envelope: WireEnvelopeArg,
    /// Where the schemas of Avro are registered: http://…
    #[arg(long, value_name = "URL", required_if_eq("format", "avro"))]
    pub schema_registry: Option<String>,
    /// Stands before the name of every topic
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub topic_prefix: String,
    /// Partitions of topics that are created
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub partitions: u16,
    /// Folder for what the shop's systems drop as files; SHOP_DROPS points the project to it
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
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
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Args {
        Args::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn flags_may_stand_before_or_after_the_verb() {
        let before = parse("livemart --target prod -q ls --select a b+ --exclude tag:x --output json");
        let after = parse("livemart list -s a b+ --exclude tag:x --output json --target prod --quiet");
        for args in [before, after] {
            assert_eq!((args.common.target.as_deref(), args.common.quiet), (Some("prod"), true));
            let Verb::Ls(ls) = &args.verb else { panic!("ls") };
            assert_eq!((ls.select.select.join(" ").as_str(), ls.output), ("a b+", LsOutput::Json));
        }
    }

    #[test]
    fn the_old_flag_for_models_is_understood() {
        let args = parse("livemart run --models marts.marketing +x --full-refresh -x --threads 4");
        let Verb::Run(run) = &args.verb else { panic!("run") };
        let selection = run.select.selection(&[ResourceType::Model]).expect("a selection");
        assert_eq!(selection.select, ["marts.marketing", "+x"]);
        assert!(run.full_refresh && run.fail_fast);
    }

    #[test]
    fn variables_are_yaml() {
        let args = Args::try_parse_from(["livemart", "run", "--vars", "{debug: true, n: 010}"]).expect("arguments");
        assert_eq!(serde_json::Value::Object(args.vars().expect("a map")), serde_json::json!({"debug": true, "n": 8}));
        let wrong = Args::try_parse_from(["livemart", "run", "--vars", "[1]"]).expect("arguments");
        assert!(wrong.vars().expect_err("a list").hint.is_some());
    }

    #[test]
    fn an_unknown_option_is_a_usage_error() {
        let error = Args::try_parse_from(["livemart", "run", "--nope"]).expect_err("unknown");
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn a_profile_without_a_name_is_told_of_explain() {
        for line in ["livemart run --select m --profile", "livemart run --profile --target dev"] {
            let error = Args::try_parse_from(line.split(' ')).expect_err("no name");
            assert_eq!(error.exit_code(), 2, "{line}");
            assert!(hint(&error).is_some_and(|hint| hint.contains("livemart explain")), "{line}: {error}");
        }
        let other = Args::try_parse_from(["livemart", "run", "--target"]).expect_err("no name");
        assert_eq!(hint(&other), None);
    }

    #[test]
    fn invocations_have_different_ids() {
        assert_ne!(invocation_id(), invocation_id());
        assert_eq!(invocation_id().len(), 36);
    }
}
