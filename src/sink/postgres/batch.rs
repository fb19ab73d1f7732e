//! Statements of several tables that go to the server together, and what their row counts must add up to.

use tokio_postgres::Error;

use super::session::{Job, Session};
use super::{failure, relation};
use crate::sink::{SinkError, TableSpec};

#[derive(Default)]
pub struct Batch<'a> {
    jobs: Vec<(Job<'a>, Option<usize>)>,
    expectations: Vec<Expectation>,
}

struct Expectation {
    relation: String,
    verb: &'static str,
    wanted: u64,
}

impl<'a> Batch<'a> {
    /// Adds statements that need no count.
    pub fn extend(&mut self, jobs: impl Iterator<Item = Job<'a>>) {
        self.jobs.extend(jobs.map(|job| (job, None)));
    }

    pub fn expect(&mut self, table: &TableSpec, verb: &'static str, wanted: u64, jobs: impl Iterator<Item = Job<'a>>) {
        let expectation = self.expectations.len();
        self.expectations.push(Expectation { relation: relation(table), verb, wanted });
        self.jobs.extend(jobs.map(|job| (job, Some(expectation))));
    }

    /// Sends everything and compares the counts.
    pub async fn send(self, session: &mut Session) -> Result<(), SinkError> {
        let (jobs, expectations): (Vec<_>, Vec<_>) = self.jobs.into_iter().unzip();
        let counts = session.pipeline(&jobs).await.map_err(|(index, cause)| match expectations[index] {
            Some(expectation) => write_failure(&self.expectations[expectation].relation, cause),
            None => failure("could not write the bookkeeping tables", cause),
        })?;
        let mut found = vec![0; self.expectations.len()];
        for (count, expectation) in counts.into_iter().zip(expectations) {
            if let Some(expectation) = expectation {
                found[expectation] += count;
            }
        }
        for (expectation, found) in self.expectations.iter().zip(found) {
            compare(&expectation.relation, expectation.verb, expectation.wanted, found)?;
        }
        Ok(())
    }
}

pub fn compare(relation: &str, verb: &str, wanted: u64, found: u64) -> Result<(), SinkError> {
    if wanted == found { Ok(()) } else { Err(SinkError::disturbed(relation, verb, wanted, found)) }
}

/// A row that is there although it must not be is somebody else's.
pub fn write_failure(relation: &str, cause: Error) -> SinkError {
    let duplicate = cause.code() == Some(&tokio_postgres::error::SqlState::UNIQUE_VIOLATION);
    let mut error = failure(&format!("could not write table {relation}"), cause);
    if let (true, SinkError::Refused { hint, .. }) = (duplicate, &mut error) {
        *hint = Some(
            "another program wrote into it; stop that program and deploy with --adopt, which corrects the table by difference"
                .into(),
        );
    }
    error
}
