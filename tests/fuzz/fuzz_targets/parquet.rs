//! Fuzzes [`targets::parquet`].
#![no_main]
#[expect(dead_code, reason = "the other fuzzers' targets")]
#[path = "../targets.rs"]
mod targets;

// The reader refuses where its library panics: only a panic that passes the reader is one, and that still aborts.
libfuzzer_sys::fuzz_target!(init: std::panic::set_hook(Box::new(|_| {})), |data: &[u8]| {
    targets::parquet(data);
});
