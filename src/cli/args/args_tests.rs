use clap::CommandFactory;

use super::*;
use crate::project::ResourceType;

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
