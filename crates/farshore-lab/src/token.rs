//! Owns join tokens: signed, packed, base64, and readable by whoever sees one, as vendors' published tokens are.
//!
//! Layout: `007`, then base64 of zlib of: signature (string), app id (string), issue time, lifetime and salt (u32 each),
//! number of services (u16), and per service its type, privileges, room and user (strings, the user as decimal digits).
//! Numbers are little-endian, strings carry a u16 length. Refuses to verify: the relay of the world trusts all.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::payload::{Encoding, Identifier, Payload};
use crate::random::Random;

/// What a token grants.
#[derive(Debug, Clone)]
pub struct Grant<'a> {
    /// The app the relay knows.
    pub app_id: &'a str,
    /// When it was issued, seconds since 1970.
    pub issued: u32,
    /// Who may enter.
    pub user: &'a Identifier,
    /// Which room.
    pub room: &'a Identifier,
}

/// Makes the token; the payload is its text, marked as a credential and as what it gives away.
#[must_use]
pub fn issue(grant: &Grant<'_>, random: &mut Random) -> Payload {
    const LIFETIME: u32 = 3600;
    let mut body = Vec::new();
    string(&mut body, grant.app_id.as_bytes());
    body.extend(grant.issued.to_le_bytes());
    body.extend(LIFETIME.to_le_bytes());
    body.extend((random.word() as u32).to_le_bytes());
    body.extend(1_u16.to_le_bytes()); // one service
    body.extend(1_u16.to_le_bytes()); // speech
    body.extend(1_u16.to_le_bytes()); // one privilege: to enter, until
    body.extend(1_u16.to_le_bytes());
    body.extend((grant.issued + LIFETIME).to_le_bytes());
    string(&mut body, grant.room.value.as_bytes());
    string(&mut body, grant.user.value.as_bytes());

    let mut mac = Hmac::<Sha256>::new_from_slice(&random.bytes::<32>()).expect("HMAC takes keys of any length");
    mac.update(&body);
    let mut packed = Vec::new();
    string(&mut packed, &mac.finalize().into_bytes());
    packed.extend(&body);

    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(&packed).expect("memory takes all bytes");
    let text = format!("007{}", STANDARD.encode(zlib.finish().expect("memory takes all bytes")));
    let credential = Identifier::new("credential", text);
    Payload::new()
        .plant(&credential, Encoding::Ascii)
        .mark_since(0, grant.room, Encoding::Base64ZlibAscii)
        .mark_since(0, grant.user, Encoding::Base64ZlibAsciiDecimal)
}

fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u16).to_le_bytes());
    out.extend(bytes);
}
