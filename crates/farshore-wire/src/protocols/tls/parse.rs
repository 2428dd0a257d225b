//! The layout of the handshake messages that are sent in clear (RFC 8446 section 4, RFC 5246 section 7.4,
//! RFC 6101 section 5.6 and, for the version 2 hello, appendix E). It owns offsets and lengths and refuses judgement.

use std::ops::Range;

use farshore_model::observation::{Ech, EchKey};

use crate::cursor::{Cursor, Stop};

/// Bytes of a handshake header: type and length.
pub(super) const HEADER: usize = 4;

/// Extensions by number, where their content is read.
mod extension {
    pub(super) const SERVER_NAME: u16 = 0x0000;
    pub(super) const SUPPORTED_GROUPS: u16 = 0x000a;
    pub(super) const EC_POINT_FORMATS: u16 = 0x000b;
    pub(super) const SIGNATURE_ALGORITHMS: u16 = 0x000d;
    pub(super) const USE_SRTP: u16 = 0x000e;
    pub(super) const ALPN: u16 = 0x0010;
    pub(super) const SUPPORTED_VERSIONS: u16 = 0x002b;
    pub(super) const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;
}

/// What the client offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ClientHello<'a> {
    /// The version field of the hello (not of the record).
    pub(super) version: u16,
    /// Cipher suites as sent, GREASE included.
    pub(super) suites: Vec<u16>,
    /// Extension numbers as sent, GREASE included.
    pub(super) extensions: Vec<u16>,
    /// `supported_groups`.
    pub(super) groups: Vec<u16>,
    /// `ec_point_formats`.
    pub(super) formats: Vec<u8>,
    /// `signature_algorithms`.
    pub(super) signatures: Vec<u16>,
    /// `supported_versions`.
    pub(super) versions: Vec<u16>,
    /// The first value of ALPN.
    pub(super) alpn: Option<&'a [u8]>,
    /// The way of asking for names that is among the values of ALPN.
    pub(super) resolving: Option<&'static str>,
    /// The first `host_name` of `server_name`, and where it stands in the message.
    pub(super) name: Option<(&'a [u8], Range<usize>)>,
    /// `encrypted_client_hello`.
    pub(super) ech: Ech,
    /// Whether every byte was there and every length fitted: only then a fingerprint means anything.
    pub(super) whole: bool,
}

impl<'a> ClientHello<'a> {
    /// Reads a handshake message of type 1, its header included. What follows a broken length is left out.
    pub(super) fn read(message: &'a [u8]) -> Result<Self, Stop> {
        let mut at = Cursor::new("tls", message);
        at.skip(HEADER)?;
        let mut it = Self {
            version: at.u16()?,
            ..Self::default()
        };
        at.skip(32)?;
        let session = at.u8()?;
        at.skip(session.into())?;
        if is_datagram_version(it.version) {
            // The cookie that answers a HelloVerifyRequest (RFC 6347 section 4.2.1).
            let cookie = at.u8()?;
            at.skip(cookie.into())?;
        }
        let suites = at.u16()?;
        it.suites = numbers(at.take(suites.into())?);
        // From here on a cut or broken message still tells what came before.
        it.whole = it.read_tail(&mut at).is_ok();
        Ok(it)
    }

    fn read_tail(&mut self, at: &mut Cursor<'a>) -> Result<(), Stop> {
        let compression = at.u8()?;
        at.skip(compression.into())?;
        if at.is_empty() {
            return Ok(());
        }
        let length = usize::from(at.u16()?);
        // A cut message: read the extensions that are there.
        let cut = length > at.left();
        let mut block = at.sub(length.min(at.left()))?;
        while !block.is_empty() {
            let number = block.u16()?;
            let length = block.u16()?;
            let mut body = block.sub(length.into())?;
            self.extensions.push(number);
            self.read_extension(number, &mut body)?;
        }
        if cut { Err(block.forbidden()) } else { Ok(()) }
    }

    fn read_extension(&mut self, number: u16, body: &mut Cursor<'a>) -> Result<(), Stop> {
        match number {
            extension::SERVER_NAME if !body.is_empty() => {
                let length = body.u16()?;
                let mut list = body.sub(length.into())?;
                while !list.is_empty() {
                    let kind = list.u8()?;
                    let length = list.u16()?;
                    let start = list.offset();
                    let name = list.take(length.into())?;
                    if kind == 0 && self.name.is_none() && !name.is_empty() {
                        self.name = Some((name, start..list.offset()));
                    }
                }
            }
            extension::SUPPORTED_GROUPS => self.groups = counted_numbers(body)?,
            extension::SIGNATURE_ALGORITHMS => self.signatures = counted_numbers(body)?,
            extension::EC_POINT_FORMATS => {
                let length = body.u8()?;
                self.formats = body.take(length.into())?.to_vec();
            }
            extension::ALPN => {
                body.skip(2)?;
                let mut list = *body;
                let length = body.u8()?;
                self.alpn = Some(body.take(length.into())?);
                while let Ok(value) = list.u8().and_then(|length| list.take(length.into())) {
                    self.resolving = self.resolving.or(resolving(value));
                }
            }
            extension::SUPPORTED_VERSIONS => {
                let length = body.u8()?;
                self.versions = numbers(body.take(length.into())?);
            }
            extension::ENCRYPTED_CLIENT_HELLO => self.ech = Ech::Present(outer_key(body).ok().flatten()),
            _ => {}
        }
        Ok(())
    }

    /// Reads a hello in the format of SSL version 2, its two length bytes included (RFC 5246 appendix E.2).
    pub(super) fn read_version_2(message: &'a [u8]) -> Result<Self, Stop> {
        let mut at = Cursor::new("tls", message);
        at.skip(3)?;
        let version = at.u16()?;
        let suites = at.u16()?;
        at.skip(4)?;
        // Three bytes a suite; those that begin with 0 are suites of SSL 3 and later.
        let suites = at.take(suites.into())?.chunks_exact(3).filter_map(|suite| match suite {
            [0, high, low] => Some(u16::from_be_bytes([*high, *low])),
            _ => None,
        });
        Ok(Self {
            version,
            suites: suites.collect(),
            ..Self::default()
        })
    }

    /// The highest version offered, GREASE aside.
    pub(super) fn highest_version(&self) -> u16 {
        let offered = self.versions.iter().copied().filter(|version| !is_grease(*version));
        offered.max_by_key(|version| rank(*version)).unwrap_or(self.version)
    }
}

/// What the outside of a sealed hello names (RFC 9849, section 5); the inside has nothing to name.
fn outer_key(body: &mut Cursor<'_>) -> Result<Option<EchKey>, Stop> {
    if body.u8()? != 0 {
        return Ok(None);
    }
    let suite = (body.u16()?, body.u16()?);
    let config = body.u8()?;
    Ok(Some(EchKey { config, suite }))
}

/// What the server chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ServerHello {
    /// The version, by `supported_versions` where that is there.
    pub(super) version: u16,
    /// The suite.
    pub(super) suite: u16,
    /// Whether this is a HelloRetryRequest in the guise of a ServerHello (RFC 8446 section 4.1.3).
    pub(super) retry: bool,
    /// Whether media beside it is sealed from here on: an SRTP profile that encrypts was chosen (RFC 5764, section 4.1.1).
    pub(super) seals_media: bool,
}

impl ServerHello {
    /// SHA-256 of "HelloRetryRequest" (RFC 8446 section 4.1.3).
    const RETRY: [u8; 32] = [
        0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
        0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
    ];

    /// Reads a handshake message of type 2, its header included.
    pub(super) fn read(message: &[u8]) -> Result<Self, Stop> {
        let mut at = Cursor::new("tls", message);
        at.skip(HEADER)?;
        let version = at.u16()?;
        let random: [u8; 32] = at.array()?;
        // Drafts of TLS 1.3 before the 22nd had neither session id nor compression here.
        let early_draft = version >> 8 == 0x7f;
        if !early_draft {
            let session = at.u8()?;
            at.skip(session.into())?;
        }
        let suite = at.u16()?;
        if !early_draft {
            at.skip(1)?;
        }
        let mut it = Self {
            version,
            suite,
            retry: random == Self::RETRY,
            seals_media: false,
        };
        // A hello without extensions, or cut within them, tells what came before.
        let _ = it.extensions(&mut at);
        Ok(it)
    }

    fn extensions(&mut self, at: &mut Cursor<'_>) -> Result<(), Stop> {
        /// Profiles that encrypt: AES in counter mode and GCM (RFC 5764, RFC 7714), ARIA (RFC 8269). Those of NULL do not.
        const SEALING: [u16; 10] = [0x0001, 0x0002, 0x0007, 0x0008, 0x000b, 0x000c, 0x000d, 0x000e, 0x000f, 0x0010];
        let length = at.u16()?;
        let mut block = at.sub(length.into())?;
        while !block.is_empty() {
            let number = block.u16()?;
            let length = block.u16()?;
            let mut body = block.sub(length.into())?;
            match number {
                extension::SUPPORTED_VERSIONS => self.version = body.u16()?,
                // Exactly one profile is an answer.
                extension::USE_SRTP => self.seals_media = body.u16()? == 2 && SEALING.contains(&body.u16()?),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Where the certificates of a message of type 11 stand in it (RFC 5246 section 7.4.2; for TLS 1.3, which is `modern`, RFC 8446
/// section 4.4.2), the first one first. A list that breaks off keeps what came before.
pub(super) fn certificates(message: &[u8], modern: bool) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = Cursor::new("tls", message);
    let context = at.skip(HEADER).and_then(|()| if modern { at.u8() } else { Ok(0) });
    let list = context
        .and_then(|length| at.skip(length.into()))
        .and_then(|()| at.u24())
        .and_then(|length| at.sub(length as usize));
    let Ok(mut list) = list else {
        return found;
    };
    while let Ok(length) = list.u24() {
        let start = list.offset();
        if length == 0 || list.skip(length as usize).is_err() {
            break;
        }
        found.push(start..list.offset());
        if modern && list.u16().and_then(|length| list.skip(length.into())).is_err() {
            break;
        }
    }
    found
}

/// Whether a handshake header and what follows can be nothing but a message in clear: what is asked of bytes after
/// a gap or a ChangeCipherSpec. `None`: more bytes are needed.
pub(super) fn is_evident(start: &[u8]) -> Option<bool> {
    let (kind, rest) = start.split_first()?;
    Some(match kind {
        1 | 2 => {
            let mut at = Cursor::new("tls", rest);
            let Ok(length) = at.u24() else { return None };
            let Ok(version) = at.u16() else { return None };
            (38..=0xffff).contains(&length) && is_version(version)
        }
        11 => {
            let mut at = Cursor::new("tls", rest);
            let Ok(length) = at.u24() else { return None };
            let Ok(list) = at.u24() else { return None };
            length.checked_sub(3) == Some(list)
        }
        _ => false,
    })
}

/// Whether a hello may carry that version.
pub(super) fn is_version(version: u16) -> bool {
    matches!(version, 0x0300..=0x0304 | 0x7f00..=0x7fff)
}

/// Whether a version is one of DTLS, whose numbers count down; 0x0100 is OpenSSL's from before RFC 4347.
pub(super) fn is_datagram_version(version: u16) -> bool {
    matches!(version, 0x0100 | 0xfe00..=0xfeff)
}

/// Whether a handshake type is one that is sent.
pub(super) fn is_handshake_type(kind: u8) -> bool {
    matches!(kind, 0..=6 | 8 | 11..=16 | 20..=25 | 67)
}

/// Values that mean nothing and are sent so that nobody relies on their absence (RFC 8701).
pub(super) fn is_grease(value: u16) -> bool {
    let [high, low] = value.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

/// A version as people write it.
pub(super) fn version_name(version: u16) -> String {
    match version {
        0x0002 => "ssl2".to_owned(),
        0x0300 => "ssl3".to_owned(),
        0x0301 | 0xfeff => "1.0".to_owned(),
        0x0302 => "1.1".to_owned(),
        0x0303 | 0xfefd => "1.2".to_owned(),
        0x0304 | 0xfefc => "1.3".to_owned(),
        0x7f00..=0x7fff => format!("1.3-draft{}", version & 0xff),
        _ => format!("0x{version:04x}"),
    }
}

/// Versions from the oldest to the newest: the drafts of 1.3 have higher numbers than 1.3.
fn rank(version: u16) -> (u8, u16) {
    match version {
        0x7f00..=0x7fff => (1, version),
        0x0304 => (2, version),
        0x0000..=0x0303 => (0, version),
        0xfe00..=0xfeff => (1, 0xffff_u16.saturating_sub(version)),
        // Private numbers stand beside known ones: those say more.
        _ => (0, 0),
    }
}

/// Names of protocols that resolve names (RFC 7858, RFC 9250; drafts of the latter put a number behind).
fn resolving(alpn: &[u8]) -> Option<&'static str> {
    match alpn {
        b"dot" => Some("dot"),
        b"doq" => Some("doq"),
        [b'd', b'o', b'q', b'-', b'i', digits @ ..] if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => Some("doq"),
        _ => None,
    }
}

fn counted_numbers(body: &mut Cursor<'_>) -> Result<Vec<u16>, Stop> {
    let length = body.u16()?;
    Ok(numbers(body.take(length.into())?))
}

fn numbers(bytes: &[u8]) -> Vec<u16> {
    let (pairs, _) = bytes.as_chunks::<2>();
    pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect()
}
