//! What real projects use is tried: each unit of `tests/units.tsv` in a flow file and in a probe that PostgreSQL answered.

use std::path::Path;

/// The SQL of a flow file's models.
fn models(text: &str) -> Vec<&str> {
    let mut sql = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        inside = line.starts_with("model ") || inside && line.starts_with(' ');
        if inside && line.starts_with(' ') {
            sql.push(line);
        }
    }
    sql
}

#[test]
fn every_unit_of_the_census_has_a_flow_file_and_a_probe() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let read = |path: &str| std::fs::read_to_string(tests.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let table = read("units.tsv");
    let mut missing = Vec::new();
    let mut units = 0;
    for line in table.lines().filter(|line| !line.starts_with('#')).skip(1) {
        let [unit, flow_file, there, probes, in_probes] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("units.tsv: five columns are expected: {line}");
        };
        units += 1;
        if !models(&read(&format!("td/{flow_file}"))).iter().any(|sql| sql.contains(there)) {
            missing.push(format!("{unit}: no model of td/{flow_file} has {there}"));
        }
        let probe = |line: &str| !line.starts_with("--") && line.contains(in_probes);
        if !read(&format!("probes/{probes}")).lines().any(probe) {
            missing.push(format!("{unit}: no probe of probes/{probes} has {in_probes}"));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert_eq!(units, 113, "the census has 114 units, one of them an empty model");
}
