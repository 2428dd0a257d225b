//! Policies from the outside: every built-in pack is judged on the cases that lie beside it.

mod cases;
mod less_knowledge;
mod told;
