//! Bytes as a readable field and as hostile text, through detectors and renderers: the loop only; what is fed and checked stands in `farshore_fuzz::content`.

#![no_main]
#![allow(unsafe_code, reason = "the exported entry point that libFuzzer calls")]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| farshore_fuzz::content::run(bytes));
