//! Formats that only hold other data: protocol buffers, messages of gRPC, frames of WebSocket. Each part stands for itself,
//! which tells a digest or a stream without a header from the bytes around it.
//!
//! Refuses what does not add up to the last byte: then it is no such format.

use std::ops::Range;

/// Parts of one message that are looked at.
const MOST: usize = 1 << 10;

/// A part of a container; with its bytes where they had to be unmasked.
pub(super) struct Part {
    pub range: Range<usize>,
    pub step: &'static str,
    pub unmasked: Option<Vec<u8>>,
}

/// The parts of whatever container these bytes are.
pub(super) fn parts(bytes: &[u8]) -> Vec<Part> {
    // Short frames and short messages can be taken for each other: both are opened then.
    let mut all = websocket(bytes);
    // A message of gRPC: not compressed, and its length (gRPC over HTTP/2, section "Requests").
    if let Some(([0, length @ ..], rest)) = bytes.split_first_chunk::<5>()
        && usize::try_from(u32::from_be_bytes(*length)).is_ok_and(|length| length == rest.len())
    {
        all.extend(protobuf(rest).into_iter().map(|range| field(5, range)));
        return all;
    }
    all.extend(protobuf(bytes).into_iter().map(|range| field(0, range)));
    all
}

fn field(before: usize, range: Range<usize>) -> Part {
    Part {
        range: range.start.saturating_add(before)..range.end.saturating_add(before),
        step: "protobuf",
        unmasked: None,
    }
}

/// The fields with a length, if all of it is fields (Protocol Buffers, "Encoding").
fn protobuf(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let Some(value) = tagged(&mut rest) else { return Vec::new() };
        let Some(value) = value else { continue };
        let end = bytes.len().saturating_sub(rest.len());
        if value.len() >= 4 && parts.len() < MOST {
            parts.push(end.saturating_sub(value.len())..end);
        }
    }
    parts
}

/// The next field; its bytes if it has a length.
fn tagged<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let tag = varint(rest)?;
    if !(1..1 << 14).contains(&(tag >> 3)) {
        return None;
    }
    let mut take = |count: usize| {
        let (taken, after) = rest.split_at_checked(count)?;
        *rest = after;
        Some(taken)
    };
    match tag & 7 {
        0 => varint(rest).map(|_| None),
        1 => take(8).map(|_| None),
        5 => take(4).map(|_| None),
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            let (value, after) = rest.split_at_checked(length)?;
            *rest = after;
            Some(Some(value))
        }
        _ => None,
    }
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for place in 0..10_u32 {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f).checked_shl(place.saturating_mul(7))?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Frames that fill the bytes (RFC 6455 section 5.2).
fn websocket(bytes: &[u8]) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let Some(part) = frame(bytes, &mut rest) else { return Vec::new() };
        if part.range.len() >= 4 && parts.len() < MOST {
            parts.push(part);
        }
    }
    parts
}

fn frame(bytes: &[u8], rest: &mut &[u8]) -> Option<Part> {
    let ([first, second], mut after) = rest.split_first_chunk::<2>()?;
    // Continuation, text, binary, close, ping, pong; of the reserved bits only that of compression has a meaning (RFC 7692).
    if first & 0x30 != 0 || !matches!(first & 15, 0..=2 | 8..=10) {
        return None;
    }
    let mut length = u64::from(second & 0x7f);
    if length == 126 {
        let (two, behind) = after.split_first_chunk::<2>()?;
        (length, after) = (u64::from(u16::from_be_bytes(*two)), behind);
        if length < 126 {
            return None;
        }
    } else if length == 127 {
        let (eight, behind) = after.split_first_chunk::<8>()?;
        (length, after) = (u64::from_be_bytes(*eight), behind);
        if length <= 0xffff {
            return None;
        }
    }
    let mut mask = None;
    if second & 0x80 != 0 {
        let (four, behind) = after.split_first_chunk::<4>()?;
        (mask, after) = (Some(*four), behind);
    }
    let (payload, behind) = after.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = behind;
    let end = bytes.len().saturating_sub(behind.len());
    Some(Part {
        range: end.saturating_sub(payload.len())..end,
        step: "websocket",
        unmasked: mask.map(|mask| payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up() {
        let message = b"\x08\x96\x01\x12\x05grace\x1a\x02ok\x25\x01\x02\x03\x04";
        let starts = |bytes: &[u8]| parts(bytes).iter().map(|it| (it.range.start, it.range.len())).collect::<Vec<_>>();
        assert_eq!(starts(message), [(5, 5)]);
        let rpc = [b"\0\0\0\0\x13".as_slice(), message].concat();
        assert_eq!(rpc.len(), 5 + 19);
        assert_eq!(starts(&rpc), [(10, 5)]);
        for cut in 1..message.len() {
            for it in parts(&message[..cut]) {
                assert!(it.range.end <= cut);
            }
        }
        assert!(parts(b"GET / HTTP/1.1\r\n").is_empty());
    }

    #[test]
    fn frames_are_unmasked() {
        // RFC 6455 section 5.7: "Hello", masked and not.
        let masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        let plain = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
        let all = parts(&[masked.as_slice(), &plain].concat());
        assert_eq!(all[0].unmasked.as_deref(), Some(b"Hello".as_slice()));
        assert_eq!((all[1].range.clone(), all[1].unmasked.is_none()), (13..18, true));
        assert!(parts(&masked[..10]).is_empty());
    }
}
