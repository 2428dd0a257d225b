//! The SHA-256 of an input, taken while it is read: here, or by somebody with a thread to spare.

use std::ops::Range;
use std::sync::Arc;

use sha2::{Digest, Sha256};

/// Takes the bytes of a file in their order.
pub trait Digester {
    /// The next bytes.
    fn bytes(&mut self, bytes: &[u8]);
    /// The next bytes, which stay as they are for as long as the chunk is held.
    fn held(&mut self, chunk: &Arc<Vec<u8>>, range: Range<usize>) {
        self.bytes(chunk.get(range).unwrap_or_default());
    }
    /// The digest of all of them. It is asked for once.
    fn finish(&mut self) -> [u8; 32];
}

/// Takes no digest: of what is read for something else, and was or will be digested another time.
#[derive(Clone, Copy, Debug)]
pub struct Unneeded;

impl Digester for Unneeded {
    fn bytes(&mut self, _: &[u8]) {}

    fn finish(&mut self) -> [u8; 32] {
        [0; 32]
    }
}

/// Digests at once.
#[derive(Clone, Debug, Default)]
pub struct AtOnce(Sha256);

impl Digester for AtOnce {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&mut self) -> [u8; 32] {
        std::mem::take(&mut self.0).finalize().into()
    }
}
