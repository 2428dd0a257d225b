//! One direction of a stream of messages that tell their own lengths. It owns where reading goes on after bytes were lost: a length may
//! then stand anywhere, so only a chunk that begins with a message is taken up again. It refuses to know what a message is.

use super::{Gathered, Segment};

/// One direction.
#[derive(Debug, Default)]
pub struct Lane {
    /// What came and was not taken off yet.
    pub gathered: Gathered,
    /// Bytes were lost, and no message has begun since.
    adrift: bool,
}

impl Lane {
    /// Takes what came next; whether there is anything new to read.
    pub fn take(&mut self, it: &Segment<'_>, begins: impl FnOnce(&[u8]) -> bool) -> bool {
        match it {
            Segment::Bytes(piece) => {
                if self.adrift && !begins(piece.bytes) {
                    return false;
                }
                self.adrift = false;
                self.gathered.push(piece);
                true
            }
            Segment::Gap(_) => {
                self.gathered.clear();
                self.adrift = true;
                false
            }
        }
    }
}
