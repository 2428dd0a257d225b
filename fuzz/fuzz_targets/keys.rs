//! A key log and the session it opens, through the engine: the loop only; what is fed and checked stands in `farshore_fuzz::keys`.

#![no_main]
#![allow(unsafe_code, reason = "the exported entry point that libFuzzer calls")]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| farshore_fuzz::keys::run(bytes));
