//! `livemart serve --take-over`: hydrates and catches up beside the live owner, asks it to go, and goes on at its last cut.
//!
//! ```text
//!   elder answers    ──> drains, exits 0 ──> this process goes on, warm
//!   elder is silent  ──> PostgreSQL: its session is ended, and its next commit fails     SQLite: this process ends, naming it
//!   elder has died   ──> as after any crash
//! ```

use std::time::{Duration, Instant};

use super::hooks;
use super::instance::{self, VerbError};
use super::keep::{KeepOptions, deployed_models, prepare};
use super::resumption::{self, Resumption};
use crate::engine::{Assembled, Drive, Elder, EngineError, EngineEvent, Inherited, Report, Start, StopFlag, assemble};
use crate::project::{Project, Selection};
use crate::sink::{Sink, SinkError, SinkState, Watch};
use crate::source::{OpenReader, Until, open_readers};
use crate::state::{StateError, StateFolder};
use crate::time::Stage;

/// An elder that was asked, and has neither gone nor published anything for so long, does not answer.
pub const PATIENCE: Duration = Duration::from_secs(15);
/// Between two looks while the elder lets go.
const LOOK_PAUSE: Duration = Duration::from_millis(20);
/// So long at a time, before something else is done.
const LOOK_MAX: Duration = Duration::from_millis(200);

/// What runs beside the elder.
pub struct Younger {
    pub assembled: Assembled,
    state: SinkState,
    start: Start,
    readers: Vec<OpenReader>,
}

/// Opens sources and state beside the owner. None where the elder's place cannot be taken warm: nothing has been published yet, or
/// the state does not fit.
pub fn prepare_beside(
    project: &mut Project,
    selection: &Selection,
    options: &KeepOptions,
    watch: &mut dyn Watch,
) -> Result<Option<Younger>, VerbError> {
    let Some(state) = watch.state()? else { return Ok(None) };
    let (wanted, _) = prepare(project, selection, true, deployed_models(&state))?;
    let mut assembled = assemble(project, &instance::instance_name(project), &wanted)?;
    if !assembled.deployment.stored.is_empty() {
        // Snapshots go on from their published versions, which the elder still writes.
        return Ok(None);
    }
    hooks::render(project, &mut assembled.deployment)?;
    for source in &mut assembled.deployment.sources {
        source.spec.keeps_all = true;
    }
    let sources = &assembled.deployment.sources;
    if !resumption::is_folder_taken(project) {
        // On another machine: with state of its own, which may be old or none.
        let (mut published, mut warnings) = (state.clone(), Vec::new());
        let Resumption { readers, inheritance } =
            resumption::resume(project, sources, &mut published, options, &mut warnings)?;
        if inheritance.corrects {
            return Ok(None);
        }
        return Ok(Some(Younger { assembled, state, start: Start::Own(Box::new(inheritance)), readers }));
    }
    let look = || Ok::<_, VerbError>(watch.state()?.unwrap_or_default());
    let (Some(beside), now) = resumption::beside(project, sources, look)? else { return Ok(None) };
    if now.models != state.models || beside.folder.is_none() {
        return Ok(None);
    }
    let readers = open_readers(sources.clone(), &beside.from, Until::Stopped).map_err(EngineError::from)?;
    Ok(Some(Younger { assembled, state: now, start: Start::Beside(Box::new(beside)), readers }))
}

impl Younger {
    /// Follows the elder, takes its place, and publishes until `stop`.
    pub fn run(
        self,
        project: &Project,
        options: &KeepOptions,
        watch: Box<dyn Watch>,
        stop: StopFlag,
        on_event: &mut dyn FnMut(EngineEvent<'_>),
    ) -> Result<Report, EngineFailure> {
        let Younger { assembled, state, start, readers } = self;
        let has_own = matches!(start, Start::Own(_));
        let deployment = &assembled.deployment;
        let published = state.cut.as_ref().map(|cut| cut.clock);
        let clock = instance::clock(project, published, deployment.clock_needs(), options.wall.clone())?;
        let workers = options.workers.unwrap_or(project.target.workers).max(1);
        let limits = instance::limits(project);
        let drive = Drive::without_sink(
            deployment,
            &state,
            workers,
            options.adopt,
            clock,
            limits,
            stop,
            &readers,
            Stage::Threads,
            on_event,
        );
        let mut elder = LiveElder { project, watch, asked_at: None, seq: 0, deposed: false, sink: None, has_own };
        let outcome = drive.yielding().take_over(deployment, readers, state, start, &mut elder, options.adopt);
        if let Some(sink) = elder.sink.take() {
            // It was ours for a moment; the start that follows takes it again.
            sink.close()?;
        }
        Ok(outcome?)
    }
}

/// Why taking over failed.
pub enum EngineFailure {
    /// A start as after a crash is right.
    Cold(String),
    Other(VerbError),
}

impl From<EngineError> for EngineFailure {
    fn from(error: EngineError) -> EngineFailure {
        match error {
            EngineError::NotWarm(reason) => EngineFailure::Cold(reason),
            error => EngineFailure::Other(error.into()),
        }
    }
}

impl From<VerbError> for EngineFailure {
    fn from(error: VerbError) -> EngineFailure {
        EngineFailure::Other(error)
    }
}

impl From<SinkError> for EngineFailure {
    fn from(error: SinkError) -> EngineFailure {
        EngineFailure::Other(error.into())
    }
}

struct LiveElder<'a> {
    project: &'a Project,
    watch: Box<dyn Watch>,
    /// When it was asked, or published last since.
    asked_at: Option<Instant>,
    seq: u64,
    deposed: bool,
    sink: Option<Box<dyn Sink>>,
    /// The younger has a folder of its own.
    has_own: bool,
}

impl LiveElder<'_> {
    /// The sink, when nobody owns it any more.
    fn take_sink(&mut self) -> Result<(), EngineError> {
        let deadline = Instant::now() + LOOK_MAX;
        while self.sink.is_none() && Instant::now() < deadline {
            if self.watch.owner()?.is_none() {
                match instance::open_sink(self.project) {
                    Ok(sink) => self.sink = Some(sink),
                    Err(SinkError::Owned { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            } else {
                std::thread::sleep(LOOK_PAUSE);
            }
        }
        let is_silent = self.asked_at.is_some_and(|at| at.elapsed() >= PATIENCE);
        if self.sink.is_none() && is_silent && !self.deposed {
            self.watch.depose()?;
            self.deposed = true;
        }
        Ok(())
    }
}

impl Elder for LiveElder<'_> {
    fn published(&mut self) -> Result<SinkState, EngineError> {
        let state = self.watch.state()?.unwrap_or_default();
        let seq = state.cut.as_ref().map_or(0, |cut| cut.seq);
        if std::mem::replace(&mut self.seq, seq) != seq && self.asked_at.is_some() {
            self.asked_at = Some(Instant::now());
        }
        Ok(state)
    }

    fn ask(&mut self) -> Result<(), EngineError> {
        self.asked_at = Some(Instant::now());
        Ok(self.watch.ask(&instance::owner_name())?)
    }

    fn succeed(&mut self) -> Result<Option<Inherited>, EngineError> {
        if self.sink.is_none() {
            self.take_sink()?;
        }
        if self.sink.is_none() {
            return Ok(None);
        }
        // Nobody is asked any more, least of all this process itself.
        self.watch = instance::watch(self.project)?;
        if self.has_own {
            let Some(mut sink) = self.sink.take() else { return Ok(None) };
            let state = sink.state()?;
            return Ok(Some(Inherited { sink, state, folder: None }));
        }
        let name = instance::instance_name(self.project);
        let mut folder = match StateFolder::open(&self.project.target.state_path, &name) {
            Ok(folder) => folder,
            // A stopped process still has it: without its state there is a cold start, which says so.
            Err(StateError::Locked { .. }) if self.asked_at.is_none_or(|at| at.elapsed() < PATIENCE * 2) => {
                std::thread::sleep(LOOK_PAUSE);
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        folder.look()?;
        let Some(mut sink) = self.sink.take() else { return Ok(None) };
        let state = sink.state()?;
        Ok(Some(Inherited { sink, state, folder: Some(folder) }))
    }
}
