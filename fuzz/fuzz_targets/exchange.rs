//! Bytes as a file of exchanges, or as the body of one: the loop only; what is fed and checked stands in `farshore_fuzz::exchange`.

#![no_main]
#![allow(unsafe_code, reason = "the exported entry point that libFuzzer calls")]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| farshore_fuzz::exchange::run(bytes));
