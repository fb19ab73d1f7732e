//! Placeholder.
pub mod binary;
