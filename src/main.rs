#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
use livemart::cli::keep::*;
use livemart::project::*;
fn main() {
    let mut options = ProjectOptions::new("dataflows");
    options.env = std::env::vars().collect();
    options.target = Some("dev".into());
    let mut project = Project::load(options).unwrap_or_else(|e| panic!("{e}"));
    let keep = KeepOptions { tests: std::env::args().nth(1).is_some(), ..KeepOptions::default() };
    let t = std::time::Instant::now();
    let (opened, warnings) = open(&mut project, &Selection::default(), &keep).unwrap_or_else(|e| panic!("{e} {:?}", e.hint));
    eprintln!("{warnings:?} {:?} planned in {:?}", opened.assembled.warnings, t.elapsed());
    let tables: Vec<_> = opened.deployment().published.iter().map(|p| p.table.name.clone()).collect();
    let report = opened.keep(&project, &keep, Default::default(), &mut |e| eprintln!("{e:?}")).unwrap_or_else(|e| panic!("{e} {:?}", e.hint));
    eprintln!("{report:?} {tables:?} {:?}", t.elapsed());
}
