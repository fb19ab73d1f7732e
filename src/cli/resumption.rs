//! Where a start takes up the thread: the state's folder, the sink's cut, and what the sources still hold.
//!
//! | state | sink | what happens |
//! |---|---|---|
//! | behind the sink | has a cut | collections from the state, then silently up to the cut |
//! | none | has a cut | sources are read again from their beginning up to the cut, if they still have it |
//! | ahead of the sink | restored, or new | collections from the state; the tables are corrected by the row-level difference |
//! | cannot be continued | any | refused with the way out; `--resnapshot` takes the source anew |

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::instance::{self, VerbError};
use super::keep::KeepOptions;
use crate::engine::{Beside, EngineError, Inheritance};
use crate::project::Project;
use crate::sink::SinkState;
use crate::source::{
    OpenReader, Positions, SourceError, TableSource, Until, first_position, open_readers, source_names,
};
use crate::state::{self, Resume, StateError, StateFolder, Stored, StoredTable, stored_tables};

/// Readers at the place from which they go on, and the state up to there.
pub struct Resumption {
    pub readers: Vec<OpenReader>,
    pub inheritance: Inheritance,
}

/// Looks whether the sources can be continued, before anything is owned.
pub fn check(
    project: &Project,
    sources: &[TableSource],
    published: &SinkState,
    options: &KeepOptions,
) -> Result<(), VerbError> {
    let name = instance::instance_name(project);
    let stored = StateFolder::peek(&project.target.state_path, &name).filter(|_| !options.full_refresh);
    let tables = stored_tables(sources);
    let resume = state::resume(stored.as_ref(), &tables, published, &BTreeSet::new());
    if published.cut.is_none() && !resume.from.is_empty() {
        // A new sink over an old state: whether they fit is seen when the folder is ours.
        return open_readers(sources.to_vec(), &Positions::new(), Until::End).map(|_| ()).map_err(source_error);
    }
    can_continue(sources, &resume, published).map_err(source_error)
}

/// Opens the readers and the state.
pub fn resume(
    project: &Project,
    sources: &[TableSource],
    published: &mut SinkState,
    options: &KeepOptions,
    warnings: &mut Vec<String>,
) -> Result<Resumption, VerbError> {
    let until = if options.follow { Until::Stopped } else { Until::End };
    let tables = stored_tables(sources);
    let mut folder = open_folder(project)?;
    match folder.look() {
        Ok(()) => {}
        Err(error @ (StateError::Damaged { .. } | StateError::Io { .. })) => {
            warnings.push(format!("{error}; it is built again from the sources"));
            folder.begin_anew();
        }
        Err(error) => return Err(error.into()),
    }
    if options.full_refresh {
        folder.begin_anew();
        let readers = open_readers(sources.to_vec(), &Positions::new(), until).map_err(source_error)?;
        return Ok(whole(folder, tables, readers, Resume::default(), BTreeSet::new()));
    }
    let mut anew = BTreeSet::new();
    let mut resume = state::resume(folder.stored.as_ref(), &tables, published, &anew);
    for unfit in &resume.unfit {
        warnings.push(format!("the state of {} is not used: {}; it is read again", unfit.source, unfit.reason));
    }
    folder.drop_sources(resume.unfit.iter().map(|unfit| unfit.source.clone()));
    if options.resnapshot {
        anew = cannot_continue(sources, &resume, published);
        for source in &anew {
            warnings.push(format!("{source} is taken anew, from what it holds now"));
        }
        folder.drop_sources(anew.iter().cloned());
        published.progress.retain(|row| !anew.contains(&row.source));
        resume = state::resume(folder.stored.as_ref(), &tables, published, &anew);
    } else if let Err(error) = can_continue(sources, &resume, published) {
        let begins_anew = published.cut.is_none() && open_from_the_beginning(sources, folder.stored.as_ref(), &tables);
        if !begins_anew {
            return Err(source_error(error));
        }
        warnings.push(format!("{error}; nothing has been published yet, so everything is read anew"));
        folder.begin_anew();
        resume = Resume::default();
    }
    if resume.is_ahead || !anew.is_empty() {
        // The cut that the sink has cannot be rebuilt: every table is corrected to what collections hold.
        published.models.clear();
    }
    let readers = open_readers(sources.to_vec(), &resume.from, until).map_err(source_error)?;
    Ok(whole(folder, tables, readers, resume, anew))
}

/// The owner before lets the sink go first and then writes the rest of its state.
const FOLDER_WAIT: Duration = Duration::from_secs(10);
const FOLDER_PAUSE: Duration = Duration::from_millis(50);

/// Whether another process has the state's folder now.
pub fn is_folder_taken(project: &Project) -> bool {
    let folder = StateFolder::open(&project.target.state_path, &instance::instance_name(project));
    matches!(folder, Err(StateError::Locked { .. }))
}

fn open_folder(project: &Project) -> Result<StateFolder, StateError> {
    let name = instance::instance_name(project);
    let deadline = Instant::now() + FOLDER_WAIT;
    loop {
        match StateFolder::open(&project.target.state_path, &name) {
            Err(StateError::Locked { .. }) if Instant::now() < deadline => std::thread::sleep(FOLDER_PAUSE),
            outcome => return outcome,
        }
    }
}

/// What the state holds, read beside its owner: up to where `published` is, or less. None where nothing fits; `published` must
/// have been read after it, so `published` is what `look` gives.
pub fn beside<E>(
    project: &Project,
    sources: &[TableSource],
    look: impl FnOnce() -> Result<SinkState, E>,
) -> Result<(Option<Beside>, SinkState), E> {
    let folder = StateFolder::beside(&project.target.state_path, &instance::instance_name(project));
    let published = look()?;
    let tables = stored_tables(sources);
    let stored = folder.as_ref().and_then(|folder| folder.stored.as_ref());
    let resume = state::resume(stored, &tables, &published, &BTreeSet::new());
    if resume.is_ahead || !resume.unfit.is_empty() {
        return Ok((None, published));
    }
    let kept = resume.from.iter().filter(|(place, _)| !resume.rebuilt.contains_key(*place));
    let positions = kept.map(|(place, at)| (place.clone(), at.clone())).collect();
    Ok((Some(Beside { folder, tables, positions, from: resume.from }), published))
}

fn whole(
    folder: StateFolder,
    tables: Vec<StoredTable>,
    readers: Vec<OpenReader>,
    resume: Resume,
    anew: BTreeSet<String>,
) -> Resumption {
    let inheritance = Inheritance::new(folder, tables, resume, anew);
    Resumption { readers, inheritance }
}

/// Whether the sources have what is between where reading begins and the sink's cut, and are those that were read before.
fn can_continue(sources: &[TableSource], resume: &Resume, published: &SinkState) -> Result<(), SourceError> {
    let mut cut = resume.from.clone();
    for row in &published.progress {
        let place = (row.source.clone(), row.partition.clone());
        if cut.get(&place).is_some_and(|(position, _)| *position <= row.position) {
            cut.insert(place, (row.position, row.mark.clone()));
        }
    }
    open_readers(sources.to_vec(), &cut, Until::End)?;
    if resume.from != cut {
        open_readers(sources.to_vec(), &resume.from, Until::End)?;
    }
    Ok(())
}

/// Sources that cannot be continued, each tried alone.
fn cannot_continue(sources: &[TableSource], resume: &Resume, published: &SinkState) -> BTreeSet<String> {
    let names = source_names(sources);
    let all: BTreeSet<&String> = names.values().collect();
    let is_bad = |name: &&&String| {
        let own: Vec<TableSource> = sources.iter().filter(|table| names[&table.table] == ***name).cloned().collect();
        let of_own = |(source, _): &(String, String)| source == **name;
        let only = |positions: &Positions| -> Positions {
            let own = positions.iter().filter(|(place, _)| of_own(place));
            own.map(|(place, at)| (place.clone(), at.clone())).collect()
        };
        let resume = Resume { from: only(&resume.from), rebuilt: only(&resume.rebuilt), ..Resume::default() };
        let progress = published.progress.iter().filter(|row| row.source == ***name).cloned().collect();
        can_continue(&own, &resume, &SinkState { progress, ..SinkState::default() }).is_err()
    };
    all.iter().filter(is_bad).map(|name| (*name).clone()).collect()
}

/// Whether the sources still begin where they began when the state was begun.
fn open_from_the_beginning(sources: &[TableSource], stored: Option<&Stored>, tables: &[StoredTable]) -> bool {
    let resume = state::resume(stored, tables, &SinkState::default(), &BTreeSet::new());
    let first = resume.from.into_iter().map(|(place, (_, mark))| (place, (first_position(&mark), mark)));
    // A file that is no longer there is no loss where nothing has been published.
    let first = first.filter(|(_, (position, _))| *position > 0).collect();
    open_readers(sources.to_vec(), &first, Until::End).is_ok()
}

fn source_error(error: SourceError) -> VerbError {
    EngineError::from(error).into()
}
