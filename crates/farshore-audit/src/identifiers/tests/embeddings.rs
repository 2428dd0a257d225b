//! Owns embeddings: known values written in every chain of encodings, in bodies of HTTP, JSON, protocol buffers and
//! WebSocket. Written with other people's encoders. Refuses to know how any of it is found.
//!
//! The measurement of `benches/known.rs` draws from here too.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use blake2::Blake2b512;
use hmac::Hmac;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};
use sha3::Sha3_256;

/// The same sequence on every machine (Steele & Vigna, SplitMix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    fn text(&mut self, alphabet: &str, length: usize) -> String {
        (0..length)
            .map(|_| char::from(alphabet.as_bytes()[self.below(alphabet.len())]))
            .collect()
    }
}

const DIGITS: &str = "0123456789";
const HEX: &str = "0123456789abcdef";
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz";

/// A made-up value of one of the kinds there are; the addresses and names are those set aside for examples.
pub fn value(dice: &mut Dice) -> (&'static str, String) {
    match dice.below(7) {
        0 => ("user-id", format!("{}{}", 1 + dice.below(9), dice.text(DIGITS, 7))),
        1 => {
            let name = [dice.text(LETTERS, 5), dice.text(LETTERS, 6)].join(".");
            let name = if dice.below(2) == 0 {
                name
            } else {
                name[..1].to_uppercase() + &name[1..]
            };
            ("email", format!("{name}@{}.example", dice.text(LETTERS, 5)))
        }
        2 => (
            "phone",
            format!("+49 {} {}", 30 + dice.below(900), 1_000_000 + dice.below(8_000_000)),
        ),
        3 => {
            let part = |dice: &mut Dice, n| dice.text(HEX, n);
            let parts = [part(dice, 8), part(dice, 4), part(dice, 4), part(dice, 4), part(dice, 12)];
            ("device-id", parts.join("-"))
        }
        4 => {
            let pairs: Vec<String> = (0..6).map(|_| dice.text(HEX, 2)).collect();
            ("mac", pairs.join(":"))
        }
        5 => ("device-id", dice.text(HEX, 16)),
        _ => {
            let (name, number) = (dice.text(LETTERS, 6), dice.text(DIGITS, 4));
            ("user-id", format!("{name}_{number}"))
        }
    }
}

/// One layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    Url,
    UrlAll,
    Base64,
    Base64NoPad,
    Base64Url,
    Base64UrlNoPad,
    Base64Mime,
    Base32,
    Base32Lower,
    Hex,
    HexUpper,
    HtmlDecimal,
    HtmlHex,
    Json,
    Utf16Le,
    Utf16Be,
    Gzip,
    Zlib,
    Deflate,
    Brotli,
    Zstd,
    Xor,
    Digest,
}

pub const LAYERS: &[Layer] = &[
    Layer::Url,
    Layer::UrlAll,
    Layer::Base64,
    Layer::Base64NoPad,
    Layer::Base64Url,
    Layer::Base64UrlNoPad,
    Layer::Base64Mime,
    Layer::Base32,
    Layer::Base32Lower,
    Layer::Hex,
    Layer::HexUpper,
    Layer::HtmlDecimal,
    Layer::HtmlHex,
    Layer::Json,
    Layer::Utf16Le,
    Layer::Utf16Be,
    Layer::Gzip,
    Layer::Zlib,
    Layer::Deflate,
    Layer::Brotli,
    Layer::Zstd,
    Layer::Xor,
    Layer::Digest,
];

impl Layer {
    /// Whether it can be the layer over `inner`: escapes and UTF-16 are of text, a digest is of a value.
    pub fn goes_over(self, inner: &[u8], first: bool) -> bool {
        match self {
            Self::Utf16Le | Self::Utf16Be | Self::HtmlDecimal | Self::HtmlHex | Self::Json => {
                str::from_utf8(inner).is_ok_and(|it| !it.chars().any(|c| c.is_control() && !c.is_ascii_whitespace()))
            }
            Self::Digest => first,
            _ => true,
        }
    }

    pub fn write(self, inner: &[u8], salt: &str, dice: &mut Dice) -> Vec<u8> {
        let text = || str::from_utf8(inner).unwrap_or_default();
        match self {
            Self::Url => percent(inner, b"-._~"),
            Self::UrlAll => inner.iter().flat_map(|it| format!("%{it:02X}").into_bytes()).collect(),
            Self::Base64 => STANDARD.encode(inner).into_bytes(),
            Self::Base64NoPad => STANDARD_NO_PAD.encode(inner).into_bytes(),
            Self::Base64Url => URL_SAFE.encode(inner).into_bytes(),
            Self::Base64UrlNoPad => URL_SAFE_NO_PAD.encode(inner).into_bytes(),
            Self::Base64Mime => {
                let all = STANDARD.encode(inner).into_bytes();
                all.chunks(76).collect::<Vec<_>>().join(b"\r\n".as_slice())
            }
            Self::Base32 => base32(inner).into_bytes(),
            Self::Base32Lower => base32(inner).trim_end_matches('=').to_lowercase().into_bytes(),
            Self::Hex => hex(inner).into_bytes(),
            Self::HexUpper => hex(inner).to_uppercase().into_bytes(),
            Self::HtmlDecimal => text().chars().flat_map(|it| format!("&#{};", it as u32).into_bytes()).collect(),
            Self::HtmlHex => text().chars().flat_map(|it| format!("&#x{:x};", it as u32).into_bytes()).collect(),
            Self::Json => text().encode_utf16().flat_map(|it| format!("\\u{it:04x}").into_bytes()).collect(),
            Self::Utf16Le => text().encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Self::Utf16Be => text().encode_utf16().flat_map(u16::to_be_bytes).collect(),
            Self::Gzip => {
                let mut it = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                it.write_all(inner).unwrap();
                it.finish().unwrap()
            }
            Self::Zlib => {
                let mut it = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
                it.write_all(inner).unwrap();
                it.finish().unwrap()
            }
            Self::Deflate => {
                let mut it = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
                it.write_all(inner).unwrap();
                it.finish().unwrap()
            }
            Self::Brotli => {
                let mut out = Vec::new();
                let mut it = brotli::CompressorWriter::new(&mut out, 4096, 5 + dice.below(7) as u32, 22);
                it.write_all(inner).unwrap();
                drop(it);
                out
            }
            Self::Zstd => ruzstd::encoding::compress_to_vec(inner, ruzstd::encoding::CompressionLevel::Fastest),
            Self::Xor => {
                // From 128 on: below, text turns into other text, which is told from chance only when there is much of it.
                let mask = 128 + dice.below(128) as u8;
                inner.iter().map(|it| it ^ mask).collect()
            }
            Self::Digest => digest(text(), salt, dice),
        }
    }
}

/// A digest, as bytes or in digits.
fn digest(value: &str, salt: &str, dice: &mut Dice) -> Vec<u8> {
    let value = match dice.below(3) {
        0 => value.to_owned(),
        1 => value.to_lowercase(),
        _ => value.to_uppercase(),
    };
    let salted = match dice.below(4) {
        0 => format!("{salt}{value}"),
        1 => format!("{value}:{salt}"),
        _ => value.clone(),
    };
    let bytes = match dice.below(9) {
        0 => Md5::digest(&salted).to_vec(),
        1 => Sha1::digest(&salted).to_vec(),
        2 => Sha256::digest(&salted).to_vec(),
        3 => Sha512::digest(&salted).to_vec(),
        4 => Sha3_256::digest(&salted).to_vec(),
        5 => Blake2b512::digest(&salted).to_vec(),
        6 => blake3::hash(salted.as_bytes()).as_bytes().to_vec(),
        7 => hmac::<Hmac<Sha256>>(salt, &value),
        _ => hmac::<Hmac<Sha1>>(salt, &value),
    };
    match dice.below(3) {
        0 => bytes,
        1 => hex(&bytes).into_bytes(),
        _ => STANDARD.encode(bytes).into_bytes(),
    }
}

fn hmac<M: hmac::Mac + hmac::KeyInit>(key: &str, value: &str) -> Vec<u8> {
    let mut mac = M::new_from_slice(key.as_bytes()).unwrap();
    mac.update(value.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}

fn percent(bytes: &[u8], keep: &[u8]) -> Vec<u8> {
    let one = |it: &u8| {
        if it.is_ascii_alphanumeric() || keep.contains(it) {
            vec![*it]
        } else {
            format!("%{it:02X}").into_bytes()
        }
    };
    bytes.iter().flat_map(one).collect()
}

/// RFC 4648 section 6.
fn base32(bytes: &[u8]) -> String {
    let mut text = String::new();
    for five in bytes.chunks(5) {
        let mut all = [0; 8];
        all[3..3 + five.len()].copy_from_slice(five);
        let held = u64::from_be_bytes(all);
        for place in 0..8 {
            if place * 5 < five.len() * 8 {
                text.push(char::from(
                    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[(held >> (35 - place * 5)) as usize & 31],
                ));
            } else {
                text.push('=');
            }
        }
    }
    text
}

/// A value written in a chain of layers, the innermost first, and put somewhere.
pub struct Embedding {
    pub path: &'static str,
    pub body: Vec<u8>,
}

/// The bytes of a chain; nothing if the layers do not go over each other.
pub fn written(value: &str, chain: &[Layer], salt: &str, dice: &mut Dice) -> Option<Vec<u8>> {
    let mut bytes = value.as_bytes().to_vec();
    for (place, layer) in chain.iter().enumerate() {
        // Two masks, one over another, are one.
        let twice = *layer == Layer::Xor && place > 0 && chain[place - 1] == Layer::Xor;
        if twice || !layer.goes_over(&bytes, place == 0) {
            return None;
        }
        bytes = layer.write(&bytes, salt, dice);
    }
    Some(bytes)
}

/// Puts bytes where such bytes are found: text in texts, others where bytes may stand.
pub fn embedded(bytes: &[u8], dice: &mut Dice) -> Embedding {
    let text = str::from_utf8(bytes).ok().filter(|it| !it.chars().any(|c| c.is_control()));
    let (path, body) = match (dice.below(6), text) {
        (0, Some(it)) => {
            let body = format!("{{\"v\":3,\"device\":{{\"os\":\"android\",\"tag\":\"{it}\"}},\"at\":1613066400}}");
            ("http.request.body", body.into_bytes())
        }
        (1, Some(it)) => ("http.request.body", format!("v=3&os=android&tag={it}&at=1613066400").into_bytes()),
        (2, Some(it)) => ("http.request.header.x-client", it.as_bytes().to_vec()),
        (3, Some(it)) => {
            let frame = format!("{{\"op\":4,\"d\":\"{it}\"}}");
            ("tcp.payload", websocket(frame.as_bytes(), 1, dice))
        }
        (0 | 1, _) => ("http.request.body", bytes.to_vec()),
        (2 | 3, _) => ("tcp.payload", websocket(bytes, 2, dice)),
        _ => ("http.request.body", protobuf(bytes, dice)),
    };
    Embedding { path, body }
}

fn websocket(payload: &[u8], opcode: u8, dice: &mut Dice) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        short @ 0..=125 => frame.push(0x80 | short as u8),
        long => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(long as u16).to_be_bytes());
        }
    }
    let mask = (dice.next() as u32 | 0x0101_0101).to_be_bytes();
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn protobuf(bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut inner = Vec::new();
    for (number, text) in [(1, "android"), (2, "4.1.0")] {
        varint(number << 3 | 2, &mut inner);
        varint(text.len() as u64, &mut inner);
        inner.extend_from_slice(text.as_bytes());
    }
    let mut field = |number: u64, bytes: &[u8]| {
        varint(number << 3 | 2, &mut inner);
        varint(bytes.len() as u64, &mut inner);
        inner.extend_from_slice(bytes);
    };
    field(3 + dice.below(20) as u64, bytes);
    let mut message = vec![8];
    varint(dice.next() >> 34, &mut message);
    varint(7 << 3 | 2, &mut message);
    varint(inner.len() as u64, &mut message);
    message.extend_from_slice(&inner);
    message.push(9 << 3 | 5);
    message.extend_from_slice(&(dice.next() as u32).to_le_bytes());
    message
}
