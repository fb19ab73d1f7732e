//! Keeping tables current: what `run`, `build`, `serve` and `demo` have in common.
//!
//! ```text
//!   project + selection ──prepare──> wanted ──(sink's state)──> deployment ──keep──> cuts, until the end or a signal
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::hooks;
use super::instance::{self, VerbError};
use super::resumption::{self, Resumption};
use crate::engine::{
    Assembled, Deployment, Drive, EngineEvent, Inheritance, Limits, Report, StopFlag, Wanted, assemble,
};
use crate::project::{Project, ResourceType, Selection};
use crate::sink::{Sink, SinkState};
use crate::source::OpenReader;
use crate::time::WallTime;

/// What a verb decides.
#[derive(Clone, Debug, Default)]
pub struct KeepOptions {
    /// Go on for ever, following what is appended; else to the end each source has now.
    pub follow: bool,
    /// Maintain the tests that touch the selected models.
    pub tests: bool,
    /// `--workers`; else the target's.
    pub workers: Option<usize>,
    /// Take over tables that livemart did not create.
    pub adopt: bool,
    /// Rebuild every table from all that the sources hold now, whatever was published before.
    pub full_refresh: bool,
    /// With `full_refresh`: snapshots forget what they have seen, too.
    pub rebuild_snapshots: bool,
    /// A source that cannot be continued is taken anew, from what it holds now.
    pub resnapshot: bool,
    /// Where wall time comes from.
    pub wall: WallTime,
}

/// A deployment whose sink is open.
pub struct Opened {
    pub assembled: Assembled,
    pub state: SinkState,
    sink: Box<dyn Sink>,
    readers: Vec<OpenReader>,
    inheritance: Inheritance,
}

/// Compiles the selected models, what they read, and (where wanted) their tests.
pub fn prepare(
    project: &mut Project,
    selection: &Selection,
    tests: bool,
    deployed: BTreeMap<String, String>,
) -> Result<(Wanted, Vec<String>), VerbError> {
    let selected = project.select(selection)?;
    let of = |fits: fn(ResourceType) -> bool| -> BTreeSet<String> {
        selected.ids.iter().filter(|id| project.resource_type(id).is_some_and(fits)).cloned().collect()
    };
    let models = of(ResourceType::is_refable);
    let tests = if tests { of(|ty| ty == ResourceType::Test) } else { BTreeSet::new() };
    let wanted = Wanted { models, tests, deployed, without_tables: false };
    compile(project, &wanted)?;
    Ok((wanted, selected.warnings))
}

/// Compiles all that is wanted and all that it reads.
pub fn compile(project: &mut Project, wanted: &Wanted) -> Result<(), VerbError> {
    let mut needed: BTreeSet<String> = BTreeSet::new();
    let mut queue: Vec<String> =
        wanted.models.iter().chain(&wanted.tests).chain(wanted.deployed.keys()).cloned().collect();
    while let Some(id) = queue.pop() {
        if let Some(node) = project.nodes.get(&id)
            && needed.insert(id)
        {
            queue.extend(node.depends_on.iter().cloned());
        }
    }
    for id in needed {
        if project.nodes[&id].resource_type != ResourceType::Seed {
            project.compile(&id)?;
        }
    }
    Ok(())
}

/// (model, fingerprint) of what a sink has.
pub fn deployed_models(state: &SinkState) -> BTreeMap<String, String> {
    state.models.iter().map(|(model, _, fingerprint)| (model.clone(), fingerprint.clone())).collect()
}

/// Opens sink, state and sources of a project and plans it. Nothing is written yet but the ownership.
pub fn open(
    project: &mut Project,
    selection: &Selection,
    options: &KeepOptions,
) -> Result<(Opened, Vec<String>), VerbError> {
    // The project is planned once without the sink, so that a mistake in it is told before anything is opened.
    let (wanted, mut warnings) = prepare(project, selection, options.tests, BTreeMap::new())?;
    let name = instance::instance_name(project);
    let planned = assemble(project, &name, &wanted)?;
    // Sources before the sink: one that cannot be read, or no longer begins with what was published, leaves the sink as it is.
    let published = instance::published_state(project)?.filter(|_| !options.full_refresh).unwrap_or_default();
    if !options.resnapshot {
        resumption::check(project, &planned.deployment.sources, &published, options)?;
    }
    let mut sink = instance::open_sink(project)?;
    let mut state = sink.state()?;
    let wanted = Wanted { deployed: deployed_models(&state), ..wanted };
    compile(project, &wanted)?;
    let mut assembled = assemble(project, &name, &wanted)?;
    hooks::render(project, &mut assembled.deployment)?;
    if options.full_refresh {
        state.models.clear();
        if !options.follow {
            // The sources may have been rewritten: all of them is read again, and published in one cut.
            state.progress.clear();
        }
    }
    if !options.rebuild_snapshots {
        for snapshot in &mut assembled.deployment.stored {
            let lost = sink.lost_columns(&snapshot.table)?;
            if !lost.is_empty() {
                return Err(forgets(project, &snapshot.table.model, &lost));
            }
            snapshot.versions = sink.read_table(&snapshot.table)?;
        }
    }
    // State keeps all declared columns: a later model may need them.
    for source in &mut assembled.deployment.sources {
        source.spec.keeps_all = true;
    }
    let resumption = resumption::resume(project, &assembled.deployment.sources, &mut state, options, &mut warnings)?;
    let Resumption { readers, inheritance } = resumption;
    Ok((Opened { assembled, state, sink, readers, inheritance }, warnings))
}

/// A snapshot whose query no longer gives what its table holds.
fn forgets(project: &Project, snapshot: &str, lost: &[String]) -> VerbError {
    let name = project.nodes.get(snapshot).map_or(snapshot, |node| &node.name);
    let columns: Vec<String> = lost.iter().map(|column| format!("\"{column}\"")).collect();
    let columns = columns.join(", ");
    VerbError::new(format!("snapshot \"{name}\": its table holds {columns}, which its query does not give, or in another type; nothing else has that history"))
        .with_hint(
            "let the query give the column in its old type (null::text as note, where there is none any more), or begin anew: --full-refresh --rebuild-snapshots",
        )
}

impl Opened {
    pub fn deployment(&self) -> &Deployment {
        &self.assembled.deployment
    }

    /// Records that the sources hold now, where they know.
    pub fn records_ahead(&self) -> Option<u64> {
        let remaining = self.readers.iter().flat_map(|open| open.reader.remaining());
        remaining.map(|(_, _, records)| records).sum()
    }

    /// Runs until the sources end (or for ever) or `stop` is set.
    pub fn keep(
        self,
        project: &Project,
        options: &KeepOptions,
        stop: StopFlag,
        on_event: &mut dyn FnMut(EngineEvent<'_>),
    ) -> Result<Report, VerbError> {
        // Where all is read again from the beginning, time begins again, too.
        let starts_again = options.full_refresh && !options.follow;
        let published = self.state.cut.as_ref().map(|cut| cut.clock).filter(|_| !starts_again);
        let clock = instance::clock(project, published, self.assembled.deployment.clock_needs(), options.wall.clone())?;
        let workers = options.workers.unwrap_or(project.target.workers).max(1);
        let mut limits = instance::limits(project);
        if options.full_refresh && !options.follow {
            limits = Limits { commit_interval: Duration::MAX, epoch_records_max: u64::MAX, ..limits };
        }
        let drive = Drive::start(
            &self.assembled.deployment,
            &self.state,
            self.sink,
            options.adopt,
            workers,
            clock,
            limits,
            stop,
            &self.readers,
            on_event,
        )?;
        let drive = if options.follow { drive.yielding() } else { drive };
        Ok(drive.run(self.readers, &self.state, Some(self.inheritance))?)
    }
}

/// A flag that SIGINT and SIGTERM set; once per process.
pub fn stop_on_signals() -> Result<StopFlag, VerbError> {
    let stop = StopFlag::default();
    let flag = stop.clone();
    ctrlc::set_handler(move || flag.stop())
        .map_err(|error| VerbError::new(format!("could not listen to signals: {error}")))?;
    Ok(stop)
}

/// Seconds since, as dbt shows them.
pub fn seconds_since(started: Instant) -> f64 {
    started.elapsed().as_secs_f64()
}
