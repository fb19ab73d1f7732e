//! The livemart binary.

use livemart::cli::{self, args::Args};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let args = Args::from_command_line();
    std::process::exit(cli::main(&args));
}
