//! Bytes as a conversation, through one dissector: the loop only; what is fed and checked stands in `farshore_fuzz::protocol`.

#![no_main]
#![allow(unsafe_code, reason = "the exported entry point that libFuzzer calls")]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| farshore_fuzz::protocol::run(bytes));
