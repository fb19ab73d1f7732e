#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| livemart::testkit::fuzzing::journal(bytes));
