//! The layout of messages, channels and their framing over TCP (RFC 8489, section 5 and 14; RFC 8656, section 12; RFC 4571).
//! Refuses what does not fit its own lengths.

use std::net::IpAddr;
use std::ops::Range;

use crate::cursor::Cursor;
use crate::protocols::Match;

/// Bytes of a message's head.
const HEAD: usize = 20;

/// What tells STUN from its predecessor.
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// Attributes read of one message; real ones have a dozen.
const MOST_ATTRIBUTES: usize = 64;

/// The attributes that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    MappedAddress,
    Username,
    XorPeerAddress,
    Data,
    Realm,
    XorRelayedAddress,
    XorMappedAddress,
    Software,
}

impl Attribute {
    const fn of(number: u16) -> Option<Self> {
        Some(match number {
            0x0001 => Self::MappedAddress,
            0x0006 => Self::Username,
            0x0012 => Self::XorPeerAddress,
            0x0013 => Self::Data,
            0x0014 => Self::Realm,
            0x0016 => Self::XorRelayedAddress,
            // 0x8020 in drafts and products of the time before RFC 5389.
            0x0020 | 0x8020 => Self::XorMappedAddress,
            0x8022 => Self::Software,
            _ => return None,
        })
    }
}

/// A message, whole.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    kind: u16,
    /// Cookie and transaction: the first four bytes are the cookie in all but the oldest.
    transaction: [u8; 16],
    bytes: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads a datagram that is one message to its last byte.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut it = Cursor::new("stun", bytes);
        let kind = it.u16().ok()?;
        let length = usize::from(it.u16().ok()?);
        let transaction: [u8; 16] = it.array().ok()?;
        let fits = kind < 0x4000 && length.is_multiple_of(4) && length == it.left();
        let message = Self { kind, transaction, bytes };
        (fits && (message.has_cookie() || message.is_classic())).then_some(message)
    }

    fn has_cookie(&self) -> bool {
        self.transaction.starts_with(&COOKIE)
    }

    /// A message of RFC 3489: Binding or Shared Secret, and attributes of its time that fit to the last byte.
    fn is_classic(&self) -> bool {
        let mut it = Cursor::new("stun", self.bytes);
        if !matches!(self.kind, 0x0001 | 0x0002 | 0x0101 | 0x0102 | 0x0111 | 0x0112) || it.skip(HEAD).is_err() {
            return false;
        }
        while !it.is_empty() {
            let (Ok(number), Ok(length)) = (it.u16(), it.u16()) else {
                return false;
            };
            let known = matches!(number, 0x0001..=0x000b | 0x8020 | 0x8022 | 0x8028);
            if !known || it.skip(usize::from(length)).is_err() {
                return false;
            }
        }
        true
    }

    /// Whether a datagram is evidence by itself that its flow is STUN.
    pub fn is_evident(bytes: &'a [u8]) -> bool {
        Self::read(bytes).is_some_and(|it| {
            let answers = matches!(it.kind, 0x0101) && {
                let mut addresses = it.attributes().into_iter().filter(|(kind, _)| *kind == Attribute::MappedAddress);
                addresses.any(|(_, range)| bytes.get(range).is_some_and(|value| it.address(value, false).is_some()))
            };
            it.has_cookie() || answers
        })
    }

    /// Whether only a relay's client says this: Allocate, Refresh, CreatePermission, ChannelBind, Send (RFC 8656, section 17).
    pub const fn is_of_relay_client(&self) -> bool {
        matches!(self.kind, 0x0003 | 0x0004 | 0x0008 | 0x0009 | 0x0016)
    }

    /// The attributes that are read, and where their values stand.
    pub fn attributes(&self) -> Vec<(Attribute, Range<usize>)> {
        let mut found = Vec::new();
        let mut it = Cursor::new("stun", self.bytes);
        let _ = it.skip(HEAD);
        for _ in 0..MOST_ATTRIBUTES {
            let (Ok(number), Ok(length)) = (it.u16(), it.u16()) else { break };
            let start = it.offset();
            if it.skip(length.into()).is_err() {
                break;
            }
            if let Some(attribute) = Attribute::of(number) {
                found.push((attribute, start..it.offset()));
            }
            // Padded to four bytes (RFC 8489, section 14).
            let padding = usize::from(length).next_multiple_of(4).saturating_sub(length.into());
            if it.skip(padding).is_err() {
                break;
            }
        }
        found
    }

    /// An address attribute (RFC 8489, sections 14.1 and 14.2).
    pub fn address(&self, value: &[u8], xor: bool) -> Option<IpAddr> {
        let mask = if xor { self.transaction } else { [0; 16] };
        match value {
            [_, 1, _, _, address @ ..] => {
                let it = u32::from_be_bytes(address.try_into().ok()?);
                let [a, b, c, d, ..] = mask;
                Some(IpAddr::from((it ^ u32::from_be_bytes([a, b, c, d])).to_be_bytes()))
            }
            [_, 2, _, _, address @ ..] => {
                let it = u128::from_be_bytes(address.try_into().ok()?);
                Some(IpAddr::from((it ^ u128::from_be_bytes(mask)).to_be_bytes()))
            }
            _ => None,
        }
    }
}

/// What a channel carries (RFC 8656, section 12.4): the range of a datagram behind the channel's number and length.
pub fn channel_data(bytes: &[u8]) -> Option<Range<usize>> {
    let mut it = Cursor::new("stun", bytes);
    let channel = it.u16().ok()?;
    let length = usize::from(it.u16().ok()?);
    // Over UDP padding is optional. RFC 5766 allowed channels up to 0x7fff.
    let over = it.left().checked_sub(length)?;
    (matches!(channel, 0x4000..=0x7fff) && over < 4).then(|| 4..length.saturating_add(4))
}

/// A part of a stream that would be a datagram.
#[derive(Debug, PartialEq, Eq)]
pub struct Unit {
    /// The datagram.
    pub content: Range<usize>,
    /// All of it, framing and padding included.
    pub length: usize,
}

/// The unit at the front of a stream: `None` until it is whole, `Err` where none begins.
pub fn unit(bytes: &[u8]) -> Option<Result<Unit, ()>> {
    let [a, b, c, d, rest @ ..] = bytes else { return None };
    let (first, second) = (u16::from_be_bytes([*a, *b]), usize::from(u16::from_be_bytes([*c, *d])));
    let message = first < 0x4000 && rest.get(..4).is_some_and(|it| it == COOKIE);
    let (content, length) = if message {
        let end = second.saturating_add(HEAD);
        (0..end, end)
    } else if rest.len() < 4 {
        return None;
    } else if matches!(first, 0x4000..=0x4fff) {
        let end = second.saturating_add(4);
        (0..end, end.next_multiple_of(4))
    } else if first >= 4 && framed(*c) {
        let end = usize::from(first).saturating_add(2);
        (2..end, end)
    } else {
        return Some(Err(()));
    };
    (bytes.len() >= length).then_some(Ok(Unit { content, length }))
}

/// What RFC 4571 frames hold in a call begins like this (RFC 7983).
const fn framed(first: u8) -> bool {
    matches!(first, 0..=3 | 20..=79 | 128..=191)
}

/// Whether a stream begins with a message, plain or framed.
pub fn begins(stream: &[u8]) -> Match {
    let plain = |bytes: &[u8]| -> Match {
        match bytes {
            [kind, _, _, low, rest @ ..] if *kind < 0x40 && low.is_multiple_of(4) => {
                let common = rest.len().min(4);
                match rest.get(..common) == COOKIE.get(..common) {
                    true if common == 4 => Match::Yes,
                    true => Match::Maybe,
                    false => Match::No,
                }
            }
            [_, _, _, _, ..] => Match::No,
            [] => Match::No,
            [kind, ..] if *kind < 0x40 => Match::Maybe,
            _ => Match::No,
        }
    };
    let framed = match stream {
        [high, low, rest @ ..] => {
            let length = u16::from_be_bytes([*high, *low]);
            match rest {
                [_, _, a, b, ..] if length != u16::from_be_bytes([*a, *b]).saturating_add(20) => Match::No,
                [] => Match::Maybe,
                _ => plain(rest),
            }
        }
        [_] => Match::Maybe,
        [] => Match::No,
    };
    match (plain(stream), framed) {
        (Match::Yes, _) | (_, Match::Yes) => Match::Yes,
        (Match::Maybe, _) | (_, Match::Maybe) => Match::Maybe,
        (Match::No, Match::No) => Match::No,
    }
}
