//! `livemart debug`: whether project, target, sources and sink are in order; one line for each.

use super::args::{Args, DebugArgs};
use super::instance;
use super::keep::compile;
use super::parse;
use super::talk::{Colour, Speaker};
use crate::engine::{Wanted, assemble};
use crate::project::{Project, ResourceType};
use crate::source::{Positions, Until, open_readers};

/// Exit code 0 when every check is right, 1 when one is not.
pub fn run(args: &Args, debug: &DebugArgs, speaker: &Speaker) -> i32 {
    let mut checks = Checks { speaker, failed: false };
    speaker.info(&format!("livemart version: {}", env!("CARGO_PKG_VERSION")));
    let loaded = args.project_options().and_then(|options| parse::load(options, speaker));
    let mut project = match loaded {
        Ok(project) => project,
        Err(error) => {
            checks.say("project", Err(format!("{error}{}", hint(error.hint.as_deref()))));
            return 1;
        }
    };
    checks.say("project", Ok(format!("{} at {}", project.name, project.root.display())));
    checks.say("target", Ok(project.target_name.clone()));
    let sink = match instance::published_state(&project) {
        Ok(Some(state)) => {
            Ok(format!("{}, at cut {}", instance::sink_place(&project), state.cut.map_or(0, |cut| cut.seq)))
        }
        Ok(None) => Ok(format!("{}, nothing published yet", instance::sink_place(&project))),
        Err(error) => Err(instance::VerbError::from(error).message),
    };
    checks.say("sink", sink);
    if let Some(config) = &project.target.changelog {
        let position = instance::changelog_broker(&project).and_then(|broker| match broker {
            Some(mut broker) => Ok(broker.position()?),
            None => Ok(None),
        });
        let place = format!("Kafka at {}, topics {}", config.brokers, config.topic);
        let told = match position {
            Ok(Some(seq)) => Ok(format!("{place}, at cut {seq}")),
            Ok(None) => Ok(format!("{place}, nothing shipped yet")),
            Err(error) => Err(instance::VerbError::from(error).message),
        };
        checks.say("changelog", told);
    }
    check_sources(&mut checks, &mut project, debug);
    match checks.failed {
        true => {
            speaker.error("Some checks failed");
            1
        }
        false => {
            speaker.info("All checks passed!");
            0
        }
    }
}

fn check_sources(checks: &mut Checks<'_>, project: &mut Project, debug: &DebugArgs) {
    let models = project.nodes.values().filter(|node| node.resource_type == ResourceType::Model);
    let models = models.map(|node| node.unique_id.clone()).collect();
    let wanted = Wanted { models, without_tables: true, ..Wanted::default() };
    let planned =
        compile(project, &wanted).and_then(|()| Ok(assemble(project, &instance::instance_name(project), &wanted)?));
    let assembled = match planned {
        Ok(assembled) => assembled,
        Err(error) => return checks.say("models", Err(format!("{}{}", error.message, hint(error.hint.as_deref())))),
    };
    if !debug.connection {
        checks.say("models", Ok(format!("{} can be maintained", assembled.deployment.models.len())));
    }
    for source in assembled.deployment.sources {
        let name = format!("source {}", source.spec.name);
        let opened = open_readers(vec![source], &Positions::new(), Until::End);
        checks.say(
            &name,
            match opened {
                Ok(_) => Ok("can be read".to_owned()),
                Err(error) => Err(format!("{error}{}", hint(error.hint.as_deref()))),
            },
        );
    }
}

fn hint(hint: Option<&str>) -> String {
    hint.map_or(String::new(), |hint| format!("\n  {hint}"))
}

struct Checks<'a> {
    speaker: &'a Speaker,
    failed: bool,
}

impl Checks<'_> {
    fn say(&mut self, what: &str, outcome: Result<String, String>) {
        match outcome {
            Ok(text) => {
                let ok = self.speaker.paint(Colour::Green, "OK");
                self.speaker.info(&format!("  {what}: {text} [{ok}]"));
            }
            Err(text) => {
                self.failed = true;
                let error = self.speaker.paint(Colour::Red, "ERROR");
                self.speaker.error(&format!("  {what}: [{error}] {text}"));
            }
        }
    }
}
