//! Runs what the project wants run around a deploy, as the project's author expects it to run.

use super::failure;
use super::session::{PLAIN_SESSION, SETTINGS, Session};
use crate::sink::SinkError;
use crate::sink::properties::Hook;

/// Inside the open transaction. The settings by which our own statements live are put back afterwards.
pub async fn run_inside(session: &mut Session, hooks: &[Hook]) -> Result<(), SinkError> {
    let mut inside = hooks.iter().filter(|hook| hook.transaction).peekable();
    if inside.peek().is_none() {
        return Ok(());
    }
    set(session, PLAIN_SESSION).await?;
    for hook in inside {
        run(session, hook).await?;
    }
    set(session, SETTINGS).await
}

/// Outside of any transaction.
pub async fn run_outside<'a>(
    session: &mut Session,
    hooks: impl IntoIterator<Item = &'a Hook>,
) -> Result<(), SinkError> {
    for hook in hooks.into_iter().filter(|hook| !hook.transaction) {
        set(session, PLAIN_SESSION).await?;
        let done = run(session, hook).await;
        set(session, SETTINGS).await?;
        done?;
    }
    Ok(())
}

async fn run(session: &mut Session, hook: &Hook) -> Result<(), SinkError> {
    let done = session.client.batch_execute(&hook.sql).await;
    // It may have altered what prepared statements were made for.
    session.forget_statements();
    done.map_err(|cause| match failure(&hook.name, cause) {
        SinkError::Refused { cause: Some(cause), .. } => hook.failed(cause),
        error => error,
    })
}

async fn set(session: &Session, settings: &str) -> Result<(), SinkError> {
    session
        .client
        .batch_execute(settings)
        .await
        .map_err(|cause| failure("could not change settings of the session", cause))
}
