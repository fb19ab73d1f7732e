//! The fuzz targets on their corpus, and on seeded mutations of it.
//!
//! LIVEMART_FUZZ_SECONDS=60 runs each target that long, LIVEMART_FUZZ_SEED from another seed.

use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

use livemart::testkit::fuzzing::TARGETS;

use super::pipeline::history::Dice;

/// Mutations of each target when no time is given.
const MUTATIONS: usize = 400;
const INPUT_BYTES_MAX: usize = 16 << 10;

fn corpus(target: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|cause| panic!("{}: {cause}", folder.display()));
    let files = entries.map(|entry| {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        (name, std::fs::read(path).expect("bytes"))
    });
    files.collect()
}

/// Another input: a few bytes changed, taken out, put in, doubled, or taken from another input.
fn mutated(dice: &mut Dice, inputs: &[Vec<u8>]) -> Vec<u8> {
    const WORDS: [&str; 12] =
        ["null", "\"\"", "{}", "[]", "-1", "9223372036854775808", "1e999", "\\u0000", "\"id\"", "0", "(", "'"];
    let any = |dice: &mut Dice| dice.between(0, inputs.len() as i64) as usize;
    let mut bytes = inputs[any(dice)].clone();
    for _ in 0..dice.between(1, 6) {
        let at = dice.between(0, bytes.len() as i64 + 1) as usize;
        let length = dice.between(1, 17) as usize;
        let end = (at + length).min(bytes.len());
        match dice.between(0, 7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.between(0, 8),
            1 if at < bytes.len() => bytes[at] = dice.between(0, 256) as u8,
            2 => drop(bytes.drain(at.min(end)..end)),
            3 => drop(bytes.splice(at..at, dice.one_of(&WORDS).bytes())),
            4 => {
                let part = bytes[at.min(end)..end].to_vec();
                drop(bytes.splice(at..at, part));
            }
            5 => {
                let other = &inputs[any(dice)];
                let from = dice.between(0, other.len() as i64 + 1) as usize;
                let to = (from + 4 * length).min(other.len());
                drop(bytes.splice(at.min(end)..end, other[from..to].iter().copied()));
            }
            _ => bytes.truncate(at),
        }
    }
    bytes.truncate(INPUT_BYTES_MAX);
    bytes
}

fn run(target: &str, function: fn(&[u8]), input: &[u8], how: &str) {
    let outcome = catch_unwind(|| function(input));
    assert!(outcome.is_ok(), "{target} panics on {how}: {:?}", String::from_utf8_lossy(input));
}

#[test]
fn any_bytes_from_outside_give_a_value_or_an_error() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (seconds, seed) = (number("LIVEMART_FUZZ_SECONDS"), number("LIVEMART_FUZZ_SEED").unwrap_or(1));
    for (target, function) in TARGETS {
        let corpus = corpus(target);
        assert!(!corpus.is_empty(), "{target} has a corpus");
        for (name, input) in &corpus {
            run(target, function, input, name);
        }
        let inputs: Vec<Vec<u8>> = corpus.into_values().collect();
        let mut dice = Dice::new(seed);
        let (begun, mut runs) = (Instant::now(), 0);
        while match seconds {
            Some(seconds) => begun.elapsed() < Duration::from_secs(seconds),
            None => runs < MUTATIONS,
        } {
            let input = mutated(&mut dice, &inputs);
            run(target, function, &input, &format!("mutation {runs} of seed {seed}"));
            runs += 1;
        }
        if seconds.is_some() {
            println!("{target}: {runs} inputs");
        }
    }
}
