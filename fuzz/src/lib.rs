//! What the fuzz targets feed and what they check. A target is one function of bytes; its module says how the bytes are
//! read, writes seeds in the same layout, and holds the answer to rules that no input may break.
//!
//! Whatever panics here is a finding. It refuses to contain one: dissectors that the engine would guard are driven by
//! hand in [`protocol`], and in [`frame`] an anomaly `reader-fault` counts as a crash.

pub mod content;
pub mod exchange;
pub mod frame;
pub mod keys;
pub mod protocol;
pub mod source;

use farshore_wire::Limits;

/// Ceilings as they are, or so low that small inputs reach them.
fn limits(low: bool) -> Limits {
    let mut limits = Limits::default();
    if low {
        for name in Limits::NAMES {
            let value = match *name {
                "content-depth" | "encapsulations" => 3,
                "flows" | "fragments" | "reorder-segments" => 4,
                "opening-datagrams" => 2,
                "undecided-datagrams" => 5,
                _ => 48,
            };
            limits.set(name, value).expect("its own name");
        }
    }
    limits
}

/// Reads the layouts of inputs: what is not there is zero or empty, so that every input means something.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    /// Two bytes of control word; `None` at the end.
    fn control(&mut self) -> Option<u16> {
        match self.bytes(2) {
            [high, low] => Some(u16::from_be_bytes([*high, *low])),
            _ => None,
        }
    }

    fn bytes(&mut self, most: usize) -> &'a [u8] {
        let (front, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        front
    }
}
