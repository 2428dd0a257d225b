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
    body.extend(2_u16.to_le_bytes()); // services
    for (service, privileges) in [(1_u16, 4_u16), (2, 2)] {
        // Speech: to enter, to speak, to share a screen, to send data. Messages: to read, to write. Each until then.
        body.extend(service.to_le_bytes());
        body.extend(privileges.to_le_bytes());
        for privilege in 1..=privileges {
            body.extend(privilege.to_le_bytes());
            body.extend((grant.issued + LIFETIME).to_le_bytes());
        }
        string(&mut body, grant.room.value.as_bytes());
        string(&mut body, grant.user.value.as_bytes());
    }

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

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::ZlibDecoder;

    use super::*;

    #[test]
    fn a_token_tells_room_and_user_to_whoever_unpacks_it_and_to_nobody_else() {
        let (user, room) = (Identifier::new("user-id", "104729331"), Identifier::new("room-id", "M7pqZ4x1"));
        let grant = Grant {
            app_id: "5f1c0a7be94d4c2f8a63d1e7b2904c58",
            issued: 1_613_066_402,
            user: &user,
            room: &room,
        };
        let token = issue(&grant, &mut Random::named("token test"));
        let packed = STANDARD.decode(&token.bytes()[3..]).unwrap();
        let mut body = Vec::new();
        ZlibDecoder::new(&packed[..]).read_to_end(&mut body).unwrap();
        for value in [&user.value, &room.value] {
            let holds = |bytes: &[u8]| bytes.windows(value.len()).any(|it| it == value.as_bytes());
            assert!(holds(&body), "{value} is in the unpacked token");
            assert!(!holds(&packed) && !holds(token.bytes()), "{value} needs unpacking");
        }
    }
}
