//! The command line: one file per verb, dbt's words and exit codes.

pub mod instance;
pub mod keep;
