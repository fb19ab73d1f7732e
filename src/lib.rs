//! livemart keeps a dbt project's models current as change events arrive.
//!
//! ```text
//!  Kafka / files ─► source ─► updates (row, epoch, ±1) + positions ─┐
//!                                                                  ▼
//!  dbt project ─► project ─► plan ─► render ─► dataflow: joins, groups
//!                                                                  ▼
//!                                       sink: one transaction per cut
//! ```

pub mod artifact;
pub mod cli;
pub mod engine;
pub mod observe;
pub mod plan;
pub mod project;
pub mod render;
pub mod shop;
pub mod sink;
pub mod source;
pub mod state;
pub mod testkit;
pub mod time;
