//! What users do wrong, and what happens then, through the real binary on small projects of files and SQLite.

mod accepted;
mod project;
mod refused;
mod strained;
