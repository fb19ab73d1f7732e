//! Which artifacts a verb leaves behind. A file that cannot be written is warned of: what was published is published.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map as JsonMap, Value as Json, json};

use super::args::{Args, Select, Verb};
use super::talk::Speaker;
use super::words::{Outcome, Status};
use crate::artifact::run_results::{NodeResult, run_results};
use crate::artifact::{self, code, manifest};
use crate::project::{Project, ResourceType};
use crate::time::wall_micros;

/// Writes manifest.json. What the verb did not need is compiled, too, so that the file is never poorer than the one before.
pub fn leave_manifest(project: &mut Project, speaker: &Speaker) {
    leave_manifest_of(project, &BTreeSet::new(), speaker);
}

fn leave_manifest_of(project: &mut Project, ran: &BTreeSet<String>, speaker: &Speaker) {
    compile_rest(project);
    let json = manifest::manifest(project, ran, wall_micros());
    told(artifact::write(project, "manifest.json", &json), speaker);
}

/// Compiles every node that is not yet; one that cannot be stays as it is, and is refused by the verb that asks for it.
pub fn compile_rest(project: &mut Project) {
    let missing = |id: &String| {
        project
            .nodes
            .get(id)
            .is_some_and(|node| node.resource_type != ResourceType::Seed && node.compiled_code.is_none())
    };
    let ids: Vec<String> = project.order().into_iter().filter(missing).collect();
    for id in ids {
        let _ = project.compile(&id);
    }
}

/// Writes manifest.json, run_results.json and the SQL of what was run.
pub fn leave_results(
    args: &Args,
    select: &Select,
    project: &mut Project,
    outcomes: &[Outcome],
    seconds: f64,
    speaker: &Speaker,
) {
    let was_run = !matches!(args.verb, Verb::Compile(_));
    let ran = outcomes.iter().filter(|_| was_run).map(|outcome| outcome.unique_id.clone()).collect();
    leave_manifest_of(project, &ran, speaker);
    for node in outcomes.iter().filter_map(|outcome| project.nodes.get(&outcome.unique_id)) {
        if node.compiled_code.is_some() {
            let written = code::write_compiled(project, node)
                .and_then(|_| if was_run { code::write_run(project, node) } else { Ok(()) });
            if told(written, speaker).is_none() {
                break;
            }
        }
    }
    let results: Vec<NodeResult> = outcomes.iter().map(|outcome| node_result(project, outcome)).collect();
    let json = run_results(project, &results, &invocation(args, select, project), seconds, wall_micros());
    told(artifact::write(project, "run_results.json", &json), speaker);
}

fn node_result(project: &Project, outcome: &Outcome) -> NodeResult {
    let is_test =
        matches!(project.resource_type(&outcome.unique_id), Some(ResourceType::Test | ResourceType::UnitTest));
    let (status, message, failures) = match &outcome.status {
        Status::Success(label) => ("success", (!label.is_empty()).then(|| label.clone()), None),
        Status::Pass => ("pass", None, Some(0)),
        Status::Warn(count) => ("warn", None, Some(*count)),
        Status::Fail(count) => ("fail", None, Some(*count)),
        Status::Error => ("error", None, None),
        Status::Skipped => ("skipped", None, is_test.then_some(0)),
        Status::NoOp => ("no-op", Some("NO-OP".to_string()), Some(0)),
    };
    let said = outcome.message.clone().or_else(|| outcome.verdict_words(project));
    NodeResult {
        unique_id: outcome.unique_id.clone(),
        status,
        message: if status == "success" || status == "no-op" { message } else { said },
        failures,
        seconds: outcome.seconds,
        rows_affected: None,
    }
}

/// The command's words, as `args` of run_results.json shows them.
pub fn invocation(args: &Args, select: &Select, project: &Project) -> JsonMap<String, Json> {
    let text = |path: &Path| path.display().to_string();
    let words: Vec<String> = std::env::args().collect();
    let json = json!({
        "which": args.verb.name(), "select": select.select.iter().chain(&select.models).collect::<Vec<_>>(),
        "exclude": select.exclude, "selector": select.selector, "indirect_selection": select.indirect_selection,
        "project_dir": text(&project.root), "target_path": text(&project.target_path),
        "profiles_dir": args.common.profiles_dir.as_deref().map(text), "profile": args.common.profile,
        "target": project.target_name, "vars": args.common.vars, "quiet": args.common.quiet, "warn_error": args.common.warn_error,
        "log_format": if args.common.log_format == super::args::LogFormat::Json { "json" } else { "default" },
        // Addresses may be among the words of `demo produce` alone; none of those verbs leaves results.
        "invocation_command": words.join(" "), "write_json": true, "send_anonymous_usage_stats": false,
    });
    json.as_object().cloned().unwrap_or_default()
}

/// What was written; a failure is said once.
pub fn told<T>(written: Result<T, artifact::ArtifactError>, speaker: &Speaker) -> Option<T> {
    match written {
        Ok(written) => Some(written),
        Err(error) => {
            let cause = std::error::Error::source(&error).map_or(String::new(), |cause| format!(": {cause}"));
            speaker.warn(&format!("{error}{cause}"));
            None
        }
    }
}
