//! What a reader has to be told first: the order in which findings are read, shared by the terminal and the page.

/// Searches this version does not make.
pub const NOT_SEARCHED: [&str; 2] = ["identifiers", "links"];
