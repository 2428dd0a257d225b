//! Messages of the key exchange: header and chain of payloads (RFC 2408, section 3; RFC 7296, section 3). It owns offsets
//! and lengths and refuses whatever is encrypted.

use std::ops::Range;

use crate::cursor::{Cursor, Stop};

/// Bytes of the header.
const HEADER: usize = 28;
/// More payloads than any message has.
const MOST_PAYLOADS: usize = 128;

/// Kinds of payload that are read: identification and vendor of version 1, vendor of version 2.
const IDENTIFICATION: u8 = 5;
const VENDOR: u8 = 13;
const VENDOR_2: u8 = 43;
/// What is sealed in version 2, whole or in fragments (RFC 7383).
const SEALED: [u8; 2] = [46, 53];

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// Whether the one who began sent it, where that can be told.
    pub(super) asks: Option<bool>,
    /// Its payloads in clear: kind, and where the body stands.
    payloads: Vec<(u8, Range<usize>)>,
    /// It fills its datagram, and its payloads fill it.
    whole: bool,
    /// Its payloads are encrypted.
    sealed: bool,
}

impl Message {
    /// Reads a message; `None` for what cannot be one.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut it = Cursor::new("ike", bytes);
        let (initiator, responder) = (it.u64().ok()?, it.u64().ok()?);
        let [next, version, exchange, flags] = it.array::<4>().ok()?;
        let number = it.u32().ok()?;
        let length = it.u32().ok()? as usize;
        let known = match version {
            // Base, main, authentication alone, aggressive, informational; configuration, quick, new group, GDOI.
            0x10 => matches!(exchange, 1..=6 | 32..=34) && flags & !7 == 0,
            // Initial, authentication, children, informational, resumption, GSA, intermediate, follow-up.
            0x20 => matches!(exchange, 34..=41 | 43 | 44) && flags & !0x38 == 0,
            _ => false,
        };
        if !known || initiator == 0 || length < HEADER {
            return None;
        }
        let first = version == 0x10;
        let sealed = if first { flags & 1 != 0 } else { SEALED.contains(&next) };
        let mut message = Self {
            asks: match version {
                // The first message of an exchange has no number for the other end yet.
                0x10 => (responder == 0 && number == 0).then_some(true),
                _ => Some(flags & 8 != 0),
            },
            payloads: Vec::new(),
            whole: length == bytes.len(),
            sealed,
        };
        if !(sealed && first) {
            message.whole &= message.chain(next, first, it).is_ok();
        }
        Some(message)
    }

    /// Reads payloads to the last one, or to the first that is sealed: nothing follows it in the message.
    fn chain(&mut self, mut next: u8, first: bool, mut it: Cursor<'_>) -> Result<(), Stop> {
        for _ in 0..MOST_PAYLOADS {
            if next == 0 {
                return if it.is_empty() { Ok(()) } else { Err(it.forbidden()) };
            }
            // Kinds that were given out, and those for private use.
            if !matches!((first, next), (true, 1..=21 | 128..) | (false, 33..=54 | 128..)) {
                return Err(it.forbidden());
            }
            let [following, _] = it.array::<2>()?;
            let length = usize::from(it.u16()?).checked_sub(4).ok_or(it.forbidden())?;
            let from = it.offset();
            it.skip(length)?;
            if !first && SEALED.contains(&next) {
                self.sealed = true;
                return if it.is_empty() { Ok(()) } else { Err(it.forbidden()) };
            }
            self.payloads.push((next, from..it.offset()));
            next = following;
        }
        Err(it.forbidden())
    }

    /// Whether it is one beyond doubt; `own`: it came on a port of IKE.
    pub(super) fn is_whole(&self, own: bool) -> bool {
        self.whole && (own || !self.sealed && self.payloads.len() >= 2)
    }

    /// Values in clear, by path.
    pub(super) fn named(&self, bytes: &[u8]) -> Vec<(&'static str, Range<usize>)> {
        let mut named = Vec::new();
        for (kind, range) in &self.payloads {
            let body = bytes.get(range.clone()).unwrap_or_default();
            match *kind {
                // Most are digests of a document's name, which say nothing by themselves.
                VENDOR | VENDOR_2 => {
                    let text = body.iter().take_while(|byte| matches!(byte, b' '..=b'~')).count();
                    if text >= 4 && (text == body.len() || text >= 8) {
                        named.push(("ike.vendor-id", range.start..range.start.saturating_add(text)));
                    }
                }
                IDENTIFICATION => {
                    if let Some(from) = identity(body) {
                        named.push(("ike.id", range.start.saturating_add(from)..range.end));
                    }
                }
                _ => {}
            }
        }
        named
    }
}

/// Where the name begins in an identification that is text (RFC 2407, section 4.6.2): a host, a user, a key's name.
fn identity(body: &[u8]) -> Option<usize> {
    /// Kind, protocol, port.
    const NAME_AT: usize = 4;
    let name = body.get(NAME_AT..)?;
    let readable = !name.is_empty() && name.iter().all(|byte| matches!(byte, b' '..=b'~' | 0x80..));
    (matches!(body.first(), Some(2 | 3 | 11)) && readable).then_some(NAME_AT)
}
