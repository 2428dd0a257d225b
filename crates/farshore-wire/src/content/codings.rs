//! Content codings (RFC 9110, section 8.4.1): gzip, deflate, br (RFC 7932), zstd (RFC 8878), undone up to a ceiling.
//!
//! A stream that is cut or broken gives what came before. Decoders are libraries; what they may take is checked here.

use std::io::Read;

/// A stream is let grow this far before its ratio is looked at: short text compresses very well.
pub(super) const RATIO_FREE: usize = 1 << 16;

/// The largest window of zstd in a content coding (RFC 9659, section 3).
const LARGEST_WINDOW: u64 = 8 << 20;

/// What came out of a stream.
pub(super) struct Inflated {
    pub(super) name: &'static str,
    pub(super) bytes: Vec<u8>,
    /// There was more.
    pub(super) clipped: bool,
}

/// Undoes the coding of that name; `None` where it is not known, or nothing came out.
pub(super) fn named(coding: &[u8], bytes: &[u8], most: usize) -> Option<Inflated> {
    match &*coding.to_ascii_lowercase() {
        b"gzip" | b"x-gzip" => inflate("gzip", flate2::bufread::MultiGzDecoder::new(bytes), most),
        // By the letter zlib (section 8.4.1.2), in practice also without its header.
        b"deflate" if is_zlib(bytes) => inflate("deflate", flate2::bufread::ZlibDecoder::new(bytes), most),
        b"deflate" => inflate("deflate", flate2::bufread::DeflateDecoder::new(bytes), most),
        b"br" => inflate("br", brotli_decompressor::Decompressor::new(bytes, 1 << 12), most),
        b"zstd" => zstd(bytes, most),
        _ => None,
    }
}

/// Undoes what the first bytes say.
pub(super) fn by_magic(bytes: &[u8], most: usize) -> Option<Inflated> {
    match bytes {
        [0x1f, 0x8b, 8, ..] => named(b"gzip", bytes, most),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => zstd(bytes, most),
        [0x78, ..] if is_zlib(bytes) => {
            let it = inflate("zlib", flate2::bufread::ZlibDecoder::new(bytes), most)?;
            // Two bytes by chance, followed by noise, break within a few more.
            (it.bytes.len() >= 8).then_some(it)
        }
        _ => None,
    }
}

/// Takes as much out of a decoder as is allowed.
fn inflate(name: &'static str, decoder: impl Read, most: usize) -> Option<Inflated> {
    let mut bytes = Vec::new();
    let allowed = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    // An error ends the stream; what came before it stands.
    let _ = decoder.take(allowed).read_to_end(&mut bytes);
    let clipped = bytes.len() > most;
    bytes.truncate(most);
    (!bytes.is_empty()).then_some(Inflated { name, bytes, clipped })
}

/// RFC 1950, section 2.2: deflate, a window of at most 32 KiB, no preset dictionary, a header divisible by 31.
fn is_zlib(bytes: &[u8]) -> bool {
    matches!(bytes, [method, flags, ..] if method & 0x0f == 8 && method >> 4 <= 7 && flags & 0x20 == 0
        && u16::from_be_bytes([*method, *flags]).is_multiple_of(31))
}

fn zstd(bytes: &[u8], most: usize) -> Option<Inflated> {
    if window(bytes)? > LARGEST_WINDOW {
        return None;
    }
    inflate("zstd", ruzstd::decoding::StreamingDecoder::new(bytes).ok()?, most)
}

/// The window that a frame asks for (RFC 8878, section 3.1.1.1).
fn window(bytes: &[u8]) -> Option<u64> {
    let rest = bytes.strip_prefix(&[0x28, 0xb5, 0x2f, 0xfd])?;
    let (descriptor, rest) = rest.split_first()?;
    if descriptor & 0x20 == 0 {
        let byte = u64::from(*rest.first()?);
        let base = 1_u64.checked_shl(u32::try_from(byte >> 3).ok()?.saturating_add(10))?;
        return Some(base.saturating_add((base >> 3).saturating_mul(byte & 7)));
    }
    // One segment: as large as its content.
    let skipped = [0, 1, 2, 4].get(usize::from(descriptor & 3)).copied().unwrap_or_default();
    let size = rest.get(skipped..)?;
    Some(match descriptor >> 6 {
        0 => u64::from(*size.first()?),
        1 => u64::from(u16::from_le_bytes(*size.first_chunk()?)).saturating_add(256),
        2 => u64::from(u32::from_le_bytes(*size.first_chunk()?)),
        _ => u64::from_le_bytes(*size.first_chunk()?),
    })
}
