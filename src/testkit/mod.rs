//! What tests are made of: a batch answer for any plan, and flow files that say what should happen.
//!
//! 1. The batch answer (`interpret`) shares nothing with `render` but the plan and the evaluator.
//! 2. A flow file is replayed in several ways that must not change its outcome.

pub mod disk;
pub mod flow_file;
pub mod fuzzing;
pub mod interpret;
