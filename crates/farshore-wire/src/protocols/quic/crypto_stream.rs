//! CRYPTO frames put in order (RFC 9000 section 19.6), until a handshake message is whole. It owns the bounds and
//! refuses to read the messages.

use std::collections::BTreeMap;

/// Pieces kept ahead of a missing one: clients that scatter their hello make some dozens.
const PIECES: usize = 256;

/// One direction's handshake bytes.
#[derive(Debug, Default)]
pub(super) struct CryptoStream {
    /// Bytes given away as whole messages.
    delivered: u64,
    /// Bytes in order that do not make a whole message yet.
    ready: Vec<u8>,
    /// The earliest frame that any of `ready` came from.
    first_frame: u64,
    /// Pieces that came too early, by offset, each with its frame.
    early: BTreeMap<u64, (Vec<u8>, u64)>,
    /// Bytes in `early`.
    held: usize,
}

/// What a piece brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// Something new.
    New,
    /// Nothing: all of it had been there.
    Repeated,
    /// Nothing: it was too much.
    Refused,
}

/// A whole handshake message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) bytes: Vec<u8>,
    /// Where it begins in the stream.
    pub(super) offset: u64,
    /// The earliest frame that held a part of it.
    pub(super) first_frame: u64,
}

impl CryptoStream {
    /// Adds what one frame carried. At most `limit` bytes are kept.
    pub(super) fn add(&mut self, offset: u64, bytes: &[u8], frame: u64, limit: usize) -> Added {
        let end = self.end();
        let stop = offset.saturating_add(bytes.len() as u64);
        if stop <= end {
            return Added::Repeated;
        }
        let kept = self.ready.len().saturating_add(self.held).saturating_add(bytes.len());
        if kept > limit {
            return Added::Refused;
        }
        if offset > end {
            if self.early.get(&offset).is_some_and(|(there, _)| there.len() >= bytes.len()) {
                return Added::Repeated;
            }
            if self.early.len() >= PIECES {
                return Added::Refused;
            }
            if let Some((old, _)) = self.early.insert(offset, (bytes.to_vec(), frame)) {
                self.held = self.held.saturating_sub(old.len());
            }
            self.held = self.held.saturating_add(bytes.len());
            return Added::New;
        }
        self.append(offset, bytes, frame);
        while let Some((offset, (bytes, frame))) = self.early.pop_first() {
            if offset > self.end() {
                self.early.insert(offset, (bytes, frame));
                break;
            }
            self.held = self.held.saturating_sub(bytes.len());
            self.append(offset, &bytes, frame);
        }
        Added::New
    }

    /// The next whole message; `Err` when it says it is longer than `limit`.
    pub(super) fn next(&mut self, limit: usize) -> Option<Result<Message, TooLong>> {
        let [_, a, b, c] = *self.ready.first_chunk::<4>()?;
        let length = (u32::from_be_bytes([0, a, b, c]) as usize).saturating_add(4);
        if length > limit {
            return Some(Err(TooLong));
        }
        if self.ready.len() < length {
            return None;
        }
        let rest = self.ready.split_off(length);
        let message = Message {
            bytes: std::mem::replace(&mut self.ready, rest),
            offset: self.delivered,
            first_frame: self.first_frame,
        };
        self.delivered = self.delivered.saturating_add(length as u64);
        Some(Ok(message))
    }

    /// What is in order so far, without a whole message.
    pub(super) fn ready(&self) -> &[u8] {
        &self.ready
    }

    /// The earliest frame that any of that came from.
    pub(super) const fn first_frame(&self) -> u64 {
        self.first_frame
    }

    fn append(&mut self, offset: u64, bytes: &[u8], frame: u64) {
        let known = usize::try_from(self.end().saturating_sub(offset)).unwrap_or(usize::MAX);
        let Some(new) = bytes.get(known..) else { return };
        if new.is_empty() {
            return;
        }
        self.first_frame = if self.ready.is_empty() {
            frame
        } else {
            self.first_frame.min(frame)
        };
        self.ready.extend_from_slice(new);
    }

    fn end(&self) -> u64 {
        self.delivered.saturating_add(self.ready.len() as u64)
    }
}

/// A message that says it is longer than anything that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;
