//! The command line: one file per verb, dbt's words and exit codes.
//!
//! ```text
//!   args ──> verb ──> exit code      0: all right, or warnings only, or nothing selected
//!                                    1: a node or a test failed
//!                                    2: a usage error, or the project cannot be read
//! ```
//!
//! Results go to stdout, talk goes to stderr.

pub mod args;
mod artifacts;
mod beside;
mod clean;
mod compile;
mod debug;
mod demo;
mod deps;
mod docs;
mod event;
mod explain;
mod hooks;
mod init;
pub mod instance;
pub mod keep;
mod ls;
mod parse;
mod preview;
mod resumption;
mod run;
mod serve;
mod shop;
mod show;
mod source;
mod succession;
mod talk;
mod test;
mod unit;
pub mod verify;
mod watch;
mod words;

use args::{Args, DemoArgs, SourceVerb, Verb};
use instance::VerbError;
use talk::Speaker;

use crate::project::ResourceType;

/// Runs a parsed command line; gives the exit code.
pub fn main(args: &Args) -> i32 {
    let options = args.project_options();
    let invocation = options.as_ref().map(|options| options.invocation_id.clone()).unwrap_or_default();
    let speaker = Speaker::new(&args.common, &invocation);
    match &args.verb {
        Verb::Serve(serve) => serve::run(args, serve, &speaker),
        Verb::Run(run) => run::run(args, run, &speaker, &[ResourceType::Model]),
        Verb::Build(build) => run::run(args, build, &speaker, &run::BUILT_TYPES),
        Verb::Seed(seed) => run::run(args, seed, &speaker, &[ResourceType::Seed]),
        Verb::Snapshot(snapshot) => run::run(args, snapshot, &speaker, &[ResourceType::Snapshot]),
        Verb::Test(test) => test::run(args, test, &speaker),
        Verb::Compile(compile) => compile::run(args, compile, None, &speaker),
        Verb::Ls(ls) => ls::run(args, ls, &speaker),
        Verb::Show(show) => show::run(args, show, &speaker),
        Verb::Parse(parse) => parse::run(args, parse, &speaker),
        Verb::Deps(deps) => deps::run(args, deps, &speaker),
        Verb::Init(init) => init::run(args, init, &speaker),
        Verb::Docs(docs) => docs::run(args, docs, &speaker),
        Verb::Source(SourceVerb::Freshness(freshness)) => source::run(args, freshness, &speaker),
        Verb::Debug(debug) => debug::run(args, debug, &speaker),
        Verb::Explain(explain) => explain::run(args, explain, &speaker),
        Verb::Verify(verify) => verify::run(args, verify, &speaker),
        Verb::Clean(clean) => clean::run(args, clean, &speaker),
        Verb::Demo(DemoArgs { verb: Some(verb), .. }) => shop::run(verb, args.common.quiet, &speaker),
        Verb::Demo(demo) => demo::run(args, demo, &speaker),
    }
}

/// What `--warn-error` makes of warnings.
fn warned() -> VerbError {
    VerbError::new("a warning is an error here, because of --warn-error")
        .with_hint("correct what the warnings above speak of, or run without --warn-error")
}

/// Says an error that ends a verb; gives the exit code.
fn refuse(speaker: &Speaker, error: &VerbError) -> i32 {
    speaker.error("Encountered an error:");
    speaker.error(&error.message);
    if let Some(hint) = &error.hint {
        speaker.error(&format!("  {hint}"));
    }
    error.exit_code
}
