//! Worlds with known truth: captures of a simulated world and what is true of them.
