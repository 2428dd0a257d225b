//! Bytes as captured frames, through the engine: the loop only; what is fed and checked stands in `farshore_fuzz::frame`.

#![no_main]
#![allow(unsafe_code, reason = "the exported entry point that libFuzzer calls")]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| farshore_fuzz::frame::run(bytes));
