//! The library: push inputs, finish, judge.
