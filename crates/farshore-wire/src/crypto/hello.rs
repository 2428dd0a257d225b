//! What both hellos say of keys (RFC 8446 section 4.1, RFC 5246 section 7.4.1, RFC 6347 section 4.2.1): randoms, ids, versions, suites
//! and the extensions that change how records are sealed. Names and fingerprints are read elsewhere.

use crate::cursor::{Cursor, Stop};
use crate::resumption::{Token, token};

/// Bytes of a message's kind and length.
const HEADER: usize = 4;

mod extension {
    pub(super) const USE_SRTP: u16 = 0x000e;
    pub(super) const ALPN: u16 = 0x0010;
    pub(super) const ENCRYPT_THEN_MAC: u16 = 0x0016;
    pub(super) const EXTENDED_MASTER: u16 = 0x0017;
    pub(super) const SESSION_TICKET: u16 = 0x0023;
    pub(super) const EARLY_DATA: u16 = 0x002a;
    pub(super) const SUPPORTED_VERSIONS: u16 = 0x002b;
    pub(super) const TRANSPORT_PARAMETERS: u16 = 0x0039;
}

/// SHA-256 of "HelloRetryRequest" (RFC 8446 section 4.1.3).
pub(crate) const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
    0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// What a client offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) random: [u8; 32],
    pub(crate) suites: Vec<u16>,
    /// It sends data before the server has answered.
    pub(crate) early_data: bool,
    /// The protocol inside that it would like best.
    pub(crate) alpn: Option<Vec<u8>>,
    /// What it would go on with: a session by its id, one by a ticket.
    pub(crate) session_id: Vec<u8>,
    pub(crate) ticket: Option<Token>,
}

impl Offer {
    /// Reads a message of type 1, its header included. A hello that breaks off keeps what came before.
    pub(crate) fn read(message: &[u8]) -> Result<Self, Stop> {
        let mut at = Cursor::new("tls", message);
        at.skip(HEADER)?;
        let version = at.u16()?;
        let mut it = Self {
            random: at.array()?,
            suites: Vec::new(),
            early_data: false,
            alpn: None,
            session_id: Vec::new(),
            ticket: None,
        };
        let session = at.u8()?;
        it.session_id = at.take(session.into())?.to_vec();
        if is_datagram_version(version) {
            let cookie = at.u8()?;
            at.skip(cookie.into())?;
        }
        let suites = at.u16()?;
        let (pairs, _) = at.take(suites.into())?.as_chunks::<2>();
        it.suites = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
        let _ = it.tail(&mut at);
        Ok(it)
    }

    fn tail(&mut self, at: &mut Cursor<'_>) -> Result<(), Stop> {
        let compression = at.u8()?;
        at.skip(compression.into())?;
        extensions(at, &mut |number, body| {
            match number {
                extension::EARLY_DATA => self.early_data = true,
                extension::SESSION_TICKET => self.ticket = token(body.take(body.left())?),
                extension::ALPN => self.alpn = first_name(body).ok(),
                _ => {}
            }
            Ok(())
        })
    }
}

/// What a server chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) random: [u8; 32],
    pub(crate) session_id: Vec<u8>,
    pub(crate) version: u16,
    pub(crate) suite: u16,
    pub(crate) compressed: bool,
    pub(crate) encrypt_then_mac: bool,
    pub(crate) extended_master: bool,
    /// The profile of media beside it (RFC 5764 section 4.1.1).
    pub(crate) srtp: Option<u16>,
    /// The protocol inside, where it is named in clear.
    pub(crate) alpn: Option<Vec<u8>>,
}

impl Answer {
    /// Reads a message of type 2, its header included.
    pub(crate) fn read(message: &[u8]) -> Result<Self, Stop> {
        let mut at = Cursor::new("tls", message);
        at.skip(HEADER)?;
        let version = at.u16()?;
        let random = at.array()?;
        let session = at.u8()?;
        let session_id = at.take(session.into())?.to_vec();
        let mut it = Self {
            random,
            session_id,
            version,
            suite: at.u16()?,
            compressed: at.u8()? != 0,
            encrypt_then_mac: false,
            extended_master: false,
            srtp: None,
            alpn: None,
        };
        let _ = extensions(&mut at, &mut |number, body| {
            match number {
                extension::SUPPORTED_VERSIONS => it.version = body.u16()?,
                extension::ENCRYPT_THEN_MAC => it.encrypt_then_mac = true,
                extension::EXTENDED_MASTER => it.extended_master = true,
                extension::USE_SRTP => {
                    body.skip(2)?;
                    it.srtp = Some(body.u16()?);
                }
                extension::ALPN => it.alpn = first_name(body).ok(),
                _ => {}
            }
            Ok(())
        });
        Ok(it)
    }

    /// Whether it asks for another hello.
    pub(crate) fn is_retry(&self) -> bool {
        self.random == RETRY
    }
}

/// The protocol inside, as a message of type 8 names it (RFC 8446 section 4.3.1).
pub(crate) fn encrypted_alpn(message: &[u8]) -> Option<Vec<u8>> {
    let mut at = Cursor::new("tls", message);
    at.skip(HEADER).ok()?;
    let mut alpn = None;
    let _ = extensions(&mut at, &mut |number, body| {
        if number == extension::ALPN {
            alpn = first_name(body).ok();
        }
        Ok(())
    });
    alpn
}

/// The ticket of a message of type 4, up to TLS 1.2 (RFC 5077 section 3.3).
pub(crate) fn new_ticket(message: &[u8]) -> Option<Token> {
    let mut at = Cursor::new("tls", message);
    at.skip(HEADER).ok()?;
    at.u32().ok()?;
    let length = at.u16().ok()?;
    token(at.take(length.into()).ok()?)
}

/// What a server of QUIC says of the transport, in the same message (RFC 9001 section 8.2).
pub(crate) fn transport_parameters(message: &[u8]) -> Option<Vec<u8>> {
    let mut at = Cursor::new("tls", message);
    at.skip(HEADER).ok()?;
    let mut parameters = None;
    let _ = extensions(&mut at, &mut |number, body| {
        if number == extension::TRANSPORT_PARAMETERS {
            parameters = body.take(body.left()).ok().map(<[u8]>::to_vec);
        }
        Ok(())
    });
    parameters
}

/// RFC 7301 section 3.1.
fn first_name(body: &mut Cursor<'_>) -> Result<Vec<u8>, Stop> {
    body.skip(2)?;
    let length = body.u8()?;
    Ok(body.take(length.into())?.to_vec())
}

fn extensions(at: &mut Cursor<'_>, each: &mut dyn FnMut(u16, &mut Cursor<'_>) -> Result<(), Stop>) -> Result<(), Stop> {
    if at.is_empty() {
        return Ok(());
    }
    let length = usize::from(at.u16()?);
    // A cut message: read the extensions that are there.
    let mut block = at.sub(length.min(at.left()))?;
    while !block.is_empty() {
        let number = block.u16()?;
        let length = block.u16()?;
        each(number, &mut block.sub(length.into())?)?;
    }
    Ok(())
}

/// Versions of DTLS count down; 0x0100 is OpenSSL's from before RFC 4347.
fn is_datagram_version(version: u16) -> bool {
    matches!(version, 0x0100 | 0xfe00..=0xfeff)
}
