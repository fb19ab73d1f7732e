pub mod error;
pub mod jinja;
pub mod yaml;
