#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| mem_pool_fuzz::fixed_shared(data));

#[cfg(not(fuzzing))]
fn main() {
    eprintln!("built without a fuzzer: see .ci/fuzz, or run `cargo test` to replay the corpus");
}
