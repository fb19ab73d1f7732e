//! The livemart binary.

use clap::Parser;
use livemart::cli::{self, args::Args};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let args = Args::parse();
    std::process::exit(cli::main(&args));
}
