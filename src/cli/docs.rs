//! `livemart docs generate`: manifest.json, catalog.json and index.html. `docs serve` shows the page with rows and verdicts as they are.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::args::{Args, DocsGenerateArgs, DocsServeArgs, DocsVerb};
use super::artifacts::{compile_rest, leave_manifest, told};
use super::instance::{self, Look, VerbError};
use super::keep::stop_on_signals;
use super::talk::Speaker;
use super::{parse, refuse};
use crate::artifact::catalog::{PlannedColumns, catalog};
use crate::artifact::{self, page};
use crate::engine::{Wanted, assemble};
use crate::observe::page::{Page, PageServer};
use crate::project::{Project, ResourceType};
use crate::sink::Published;
use crate::time::wall_micros;

/// How often a served page looks for a signal to stop.
const STOP_PAUSE: Duration = Duration::from_millis(100);

/// Exit code 0; 1 when the port is taken or the sink cannot be asked; 2 when the project cannot be read.
pub fn run(args: &Args, docs: &DocsVerb, speaker: &Speaker) -> i32 {
    let mut project = match parse::loaded(args, speaker) {
        Ok(project) => project,
        Err(exit_code) => return exit_code,
    };
    speaker.found(&project);
    let done = match docs {
        DocsVerb::Generate(generate) => self::generate(generate, &mut project, speaker),
        DocsVerb::Serve(serve) => self::serve(serve, &mut project, speaker),
    };
    match done {
        Ok(()) => 0,
        Err(error) => refuse(speaker, &error),
    }
}

fn generate(generate: &DocsGenerateArgs, project: &mut Project, speaker: &Speaker) -> Result<(), VerbError> {
    leave_manifest(project, speaker);
    let planned = planned_columns(project, speaker);
    // A sink that is away leaves the page without rows; the project is documented all the same.
    let published = match instance::published(project) {
        Ok(published) => published,
        Err(error) => {
            speaker.warn(&format!("no row counts: {}", VerbError::from(error).message));
            None
        }
    };
    let now = wall_micros();
    let rows = published.as_ref().map(|published: &Published| published.rows.clone()).unwrap_or_default();
    if !generate.empty_catalog {
        speaker.info("Building catalog");
        let json = catalog(project, &planned, &rows, now);
        if let Some(path) = told(artifact::write(project, "catalog.json", &json), speaker) {
            speaker.info(&format!("Catalog written to {}", path.display()));
        }
    }
    let path = project.target_path.join("index.html");
    let html = page::page(project, &planned, published.as_ref(), now);
    told(artifact::write_whole(&path, html.as_bytes()), speaker);
    Ok(())
}

fn serve(serve: &DocsServeArgs, project: &mut Project, speaker: &Speaker) -> Result<(), VerbError> {
    let listen: SocketAddr = format!("{}:{}", serve.host, serve.port).parse().map_err(|error| {
        VerbError::new(format!("{}:{}: {error}", serve.host, serve.port)).with_hint("write --host 127.0.0.1")
    })?;
    let stop = stop_on_signals()?;
    let shown = shown_page(project, speaker);
    let server = PageServer::start(shown, listen).map_err(|error| {
        VerbError::new(format!("could not listen on {listen}: {error}")).with_hint("choose another port: --port 8081")
    })?;
    speaker.info(&format!("Serving docs at http://{}", server.address()));
    speaker.info("Press Ctrl+C to exit.");
    while !stop.is_set() {
        std::thread::sleep(STOP_PAUSE);
    }
    server.stop();
    Ok(())
}

/// The page, and the way to ask the sink for what moves.
pub fn shown_page(project: &mut Project, speaker: &Speaker) -> Page {
    compile_rest(project);
    let planned = planned_columns(project, speaker);
    let html = page::page(project, &planned, None, wall_micros());
    let look = Look::of(project);
    Page { html, live: Arc::new(move || live(&look)) }
}

/// What moves, as JSON; an empty answer keeps the page as it is while the sink is away.
fn live(look: &Look) -> Option<String> {
    match look.published() {
        Ok(published) => Some(page::live(published.as_ref()).to_string()),
        Err(error) => {
            tracing::debug!(%error, "the page could not ask the sink");
            None
        }
    }
}

/// Columns and types of every model that can be planned.
pub fn planned_columns(project: &Project, speaker: &Speaker) -> PlannedColumns {
    let models = project.nodes.values().filter(|node| {
        node.resource_type == ResourceType::Model && !node.is_ephemeral() && node.compiled_code.is_some()
    });
    let ids: Vec<String> = models.map(|node| node.unique_id.clone()).collect();
    let name = instance::instance_name(project);
    let plan = |ids: &[String]| {
        let wanted = Wanted { models: ids.iter().cloned().collect(), without_tables: true, ..Wanted::default() };
        assemble(project, &name, &wanted)
    };
    let mut planned = PlannedColumns::new();
    let mut keep = |assembled: &crate::engine::Assembled| {
        for (model, columns) in assembled.deployment.models.iter().zip(&assembled.columns) {
            let columns = columns.iter().map(|column| (column.name.clone(), column.ty.to_string())).collect();
            planned.insert(model.id.clone(), columns);
        }
    };
    match plan(&ids) {
        Ok(assembled) => keep(&assembled),
        // One model that cannot be maintained must not hide the others.
        Err(_) => {
            for id in &ids {
                match plan(std::slice::from_ref(id)) {
                    Ok(assembled) => keep(&assembled),
                    Err(error) => speaker.debug(&format!("{id} has no columns in the catalog: {error}")),
                }
            }
        }
    }
    planned
}
