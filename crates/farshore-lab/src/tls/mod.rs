//! Owns both ends of recorded TLS sessions: real handshakes, real keys, and the key log that opens them.
//!
//! Refuses resumption, client certificates and renegotiation; speaks X25519 with ECDSA P-256 only.

pub mod certificate;
pub mod datagram;
mod handshake;
mod record;
mod schedule;

use crate::client::Direction;
use crate::random::Random;
use certificate::{Authority, Credential};
use handshake::Asked;
use record::Protector;

/// Protocol version and cipher suite of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// TLS 1.3 (RFC 8446), TLS_AES_128_GCM_SHA256.
    Tls13Aes128Gcm,
    /// TLS 1.3 (RFC 8446), TLS_CHACHA20_POLY1305_SHA256.
    Tls13ChaCha20Poly1305,
    /// TLS 1.2 (RFC 5246, 5289), TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256.
    Tls12Aes128Gcm,
    /// TLS 1.2, TLS_ECDHE_ECDSA_WITH_NULL_SHA (RFC 8422): vouches for what it carries, and hides nothing.
    Tls12Null,
}

impl Suite {
    /// The registered number.
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Self::Tls13Aes128Gcm => 0x1301,
            Self::Tls13ChaCha20Poly1305 => 0x1303,
            Self::Tls12Aes128Gcm => 0xc02b,
            Self::Tls12Null => 0xc006,
        }
    }

    /// The registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tls13Aes128Gcm => "TLS_AES_128_GCM_SHA256",
            Self::Tls13ChaCha20Poly1305 => "TLS_CHACHA20_POLY1305_SHA256",
            Self::Tls12Aes128Gcm => "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            Self::Tls12Null => "TLS_ECDHE_ECDSA_WITH_NULL_SHA",
        }
    }

    /// The version, as people write it.
    #[must_use]
    pub fn version(self) -> &'static str {
        match self {
            Self::Tls13Aes128Gcm | Self::Tls13ChaCha20Poly1305 => "1.3",
            Self::Tls12Aes128Gcm | Self::Tls12Null => "1.2",
        }
    }
}

/// An open session: seals what either end says.
#[derive(Debug)]
pub struct Session {
    /// The client's random, which names the session in a key log.
    pub client_random: [u8; 32],
    /// Its lines for an NSS key log.
    pub keylog: Vec<String>,
    /// Its suite.
    pub suite: Suite,
    client: Protector,
    server: Protector,
    sent: [usize; 2],
}

/// HTTP/1.1, as a protocol that is agreed on.
pub const HTTP: &[u8] = b"http/1.1";

/// The bytes of a handshake, in turns.
pub type Flights = Vec<(Direction, Vec<u8>)>;

impl Session {
    /// Runs a whole handshake with the server `name`.
    #[must_use]
    pub fn open(name: &str, suite: Suite, authority: &Authority, random: &mut Random) -> (Flights, Self) {
        Self::open_with(name, suite, &authority.credential(name), Some(HTTP), random)
    }

    /// Runs a whole handshake in which the server that was asked for as `name` shows that credential; `speaks` is what both agree to
    /// speak inside (RFC 7301).
    #[must_use]
    pub fn open_with(name: &str, suite: Suite, credential: &Credential, speaks: Option<&[u8]>, random: &mut Random) -> (Flights, Self) {
        match suite {
            Suite::Tls13Aes128Gcm | Suite::Tls13ChaCha20Poly1305 => {
                let asked = Asked { name, speaks, more: &[] };
                handshake::tls13(&asked, suite, credential, random)
            }
            Suite::Tls12Aes128Gcm | Suite::Tls12Null => handshake::tls12(name, suite, credential, speaks, random),
        }
    }

    /// The same over TLS 1.3, with an inner hello that only the holder of that configuration's key can read (RFC 9849); `cover` is the
    /// name outside. What stands in for the inner hello is random.
    #[must_use]
    pub fn open_covered(cover: &str, config: u8, authority: &Authority, random: &mut Random) -> (Flights, Self) {
        let asked = Asked {
            name: cover,
            speaks: Some(HTTP),
            more: &inner_hello(config, random),
        };
        handshake::tls13(&asked, Suite::Tls13Aes128Gcm, &authority.credential(cover), random)
    }

    /// Seals application data into records.
    #[must_use]
    pub fn seal(&mut self, direction: Direction, data: &[u8]) -> Vec<u8> {
        self.sent[direction as usize] += data.len();
        let protector = self.protector(direction);
        data.chunks(1 << 14)
            .flat_map(|chunk| protector.seal(record::APPLICATION_DATA, chunk))
            .collect()
    }

    /// Seals the alert that ends one direction (RFC 8446 section 6.1).
    #[must_use]
    pub fn close_notify(&mut self, direction: Direction) -> Vec<u8> {
        self.protector(direction).seal(record::ALERT, &[1, 0])
    }

    /// How many bytes of application data one direction has carried.
    #[must_use]
    pub fn sent(&self, direction: Direction) -> usize {
        self.sent[direction as usize]
    }

    fn protector(&mut self, direction: Direction) -> &mut Protector {
        match direction {
            Direction::Up => &mut self.client,
            Direction::Down => &mut self.server,
        }
    }
}

/// An extension that carries an inner hello for that configuration, sealed (RFC 9849, section 5): random bytes, as nobody here has
/// the key; GREASE looks the same (section 6.2).
#[must_use]
pub fn inner_hello(config: u8, random: &mut Random) -> Vec<u8> {
    // An outer hello; HKDF-SHA256 with AES-128-GCM.
    let mut body = vec![0, 0, 1, 0, 1, config];
    body.extend(handshake::vector16(&random.bytes::<32>()));
    body.extend(handshake::vector16(&random.bytes::<176>()));
    handshake::extension(0xfe0d, &body)
}

/// A list with one configuration under which inner hellos are sealed (RFC 9849, section 4), whose outer hellos name `public`.
#[must_use]
pub fn ech_configs(config: u8, public: &str, random: &mut Random) -> Vec<u8> {
    let mut body = vec![config, 0, 0x20];
    body.extend(handshake::vector16(&random.bytes::<32>()));
    body.extend(handshake::vector16(&[0, 1, 0, 1]));
    body.push(0);
    body.extend(handshake::vector8(public.as_bytes()));
    body.extend(handshake::vector16(&[]));
    handshake::vector16(&handshake::extension(0xfe0d, &body))
}

/// The two hellos of a connection over QUIC to `name`; `source` is the id under which the client sends (RFC 9000, section 7.3).
pub(crate) fn hellos_over_quic(name: &str, more: &[u8], source: &[u8; 8], random: &mut Random) -> [Vec<u8>; 2] {
    // max_idle_timeout and initial_source_connection_id (section 18.2).
    let mut parameters = vec![1, 4, 0x80, 0, 0x75, 0x30, 0x0f, 8];
    parameters.extend(source);
    let more = [&handshake::extension(57, &parameters), more].concat();
    let asked = Asked {
        name,
        speaks: Some(b"h3"),
        more: &more,
    };
    handshake::hellos(&asked, Suite::Tls13Aes128Gcm, random)
}

/// The secret of one end's Initial packets (RFC 9001, section 5.2).
pub(crate) fn initial_secret(salt: &[u8], id: &[u8], label: &str) -> [u8; 32] {
    let secret = schedule::expand_label(&schedule::extract(salt, id), label, &[], 32);
    secret.as_slice().try_into().expect("32 bytes")
}

/// HKDF-Expand-Label without a context.
pub(crate) fn expand(secret: &[u8; 32], label: &str, length: usize) -> Vec<u8> {
    schedule::expand_label(secret, label, &[], length)
}
