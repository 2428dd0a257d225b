//! The command as its users meet it: exit codes, messages, files, outputs. The binary is run; nothing is called.

mod apps;
mod atlas;
mod bundle;
mod check;
mod command;
mod cut;
mod data;
mod diff;
mod discover;
mod extract;
mod filter;
mod flow_logs;
mod hostile;
mod inputs;
mod masked;
mod memory;
mod offline;
mod order;
mod outputs;
mod recall;
mod rules;
mod told;
mod watch;
mod who;
