//! Fuzzes [`targets::profile`].
#![no_main]
#[expect(dead_code, reason = "the other fuzzers' targets")]
#[path = "../targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    targets::profile(data);
});
