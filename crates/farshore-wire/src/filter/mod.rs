//! Capture filters in the language that users of tcpdump know (pcap-filter(7), <https://www.tcpdump.org/manpages/pcap-filter.7.html>): which
//! frames are read at all. Owns the reading of an expression and its answer for a frame.
//!
//! What an expression means is what libpcap makes of it for a file: `and` and `or` bind alike, from the left; `vlan` moves what stands
//! behind it; a look beyond the captured bytes refuses the frame, under a `not` too; ports are those of first fragments. It refuses what it
//! does not know, and names of hosts, which would have to be looked up. Nothing is compiled: a test is a walk over a few headers.

mod names;
mod parse;
mod test;
#[cfg(test)]
mod tests;

use std::ops::Range;

use farshore_model::Frame;

/// Which frames are read.
#[derive(Clone, Debug)]
pub struct Filter(test::Chain);

/// An expression cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FilterError {
    /// What is wrong, and what was expected.
    pub message: String,
    /// Where, in bytes of the expression.
    pub span: Range<usize>,
}

impl Filter {
    /// Reads an expression.
    pub fn read(text: &str) -> Result<Self, FilterError> {
        parse::expression(text).map(Self)
    }

    /// Whether a frame is meant. One that ends before what is asked for is not.
    pub fn matches(&self, frame: &Frame<'_>) -> bool {
        self.0.holds(frame).unwrap_or(false)
    }
}
