//! Master keys of media: what signalling tells, `a=crypto` of SDP (RFC 4568), wherever its text stands; and what a DTLS handshake whose
//! secrets are known agreed on (RFC 5764). It owns the table and
//! refuses to know which stream a key is for: the tags of packets tell.
//!
//! Signalling and media are different flows, which may be read side by side. Keys are therefore put together once all flows were
//! read, and used then; or they are known before reading begins.

use std::fmt;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use farshore_model::{FlowId, Protection};
use memchr::memmem;

use crate::crypto::srtp::Suite;
use crate::media_names::MediaNames;

/// What such a line begins with.
const MARK: &[u8] = b"a=crypto:";

/// The shortest body that can hold one.
const SHORTEST: usize = 60;

/// Bytes of the longest name of a master key (MKI) in use; RFC 4568 allows 128.
const LONGEST_INDEX: usize = 16;

/// Names of payload types for each key that may be kept: a description has a dozen for one or two keys, and most have no keys.
const NAMES: usize = 256;

/// One master key, where it was told, and how that stood on the wire.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct MediaKey {
    pub(crate) suite: Suite,
    /// Key and salt.
    pub(crate) master: Vec<u8>,
    /// What names it in each packet.
    pub(crate) index: Vec<u8>,
    /// The frame with which it was told.
    pub(crate) frame: u64,
    pub(crate) protection: Protection,
    /// When it was read: the frame that was being read then, and the flow.
    read: (u64, FlowId),
}

/// The master keys that are known, and what signalling tells of media besides.
#[derive(Clone, Default, PartialEq)]
pub struct MediaKeys {
    keys: Vec<MediaKey>,
    /// What payload types are called, told by the same texts.
    names: MediaNames,
    /// There were more than may be kept.
    full: bool,
}

/// Where a text stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The frame that is being read; the last possible once the capture has ended.
    pub(crate) reading: u64,
    pub(crate) flow: FlowId,
    pub(crate) frame: u64,
    pub(crate) protection: Protection,
}

impl MediaKeys {
    /// No keys, to be lent out.
    pub fn none() -> &'static Self {
        static NONE: MediaKeys = MediaKeys {
            keys: Vec::new(),
            names: MediaNames::new(),
            full: false,
        };
        &NONE
    }

    /// Puts together what several shards found: the same, however many they were.
    pub fn pool(found: impl IntoIterator<Item = Self>, most: usize) -> Self {
        let mut pool = Self::default();
        for mut it in found {
            pool.full |= it.full;
            pool.keys.append(&mut it.keys);
            pool.names.merge(it.names, most.saturating_mul(NAMES));
        }
        pool.keys.sort_by_key(|it| it.read);
        for it in std::mem::take(&mut pool.keys) {
            pool.keep(it, most);
        }
        pool
    }

    /// Whether no keys are there.
    pub const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many there are.
    pub(crate) const fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there were more than may be kept.
    pub const fn is_full(&self) -> bool {
        self.full || self.names.is_full()
    }

    /// What payload types are called.
    pub(crate) const fn names(&self) -> &MediaNames {
        &self.names
    }

    /// Those of one text, for tests.
    #[cfg(test)]
    pub(crate) fn of(text: &str, protection: Protection) -> Self {
        let mut it = Self::default();
        let place = Place {
            reading: 7,
            flow: FlowId(0),
            frame: 7,
            protection,
        };
        it.note(text.as_bytes(), &place, usize::MAX);
        it
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &MediaKey> {
        self.keys.iter()
    }

    /// Notes a key that a handshake agreed on.
    pub(crate) fn agreed(&mut self, suite: Suite, master: Vec<u8>, place: &Place, most: usize) {
        let it = MediaKey {
            suite,
            master,
            index: Vec::new(),
            frame: place.frame,
            protection: place.protection,
            read: (place.reading, place.flow),
        };
        self.keep(it, most);
    }

    /// Notes the keys that a text tells, if any.
    pub(crate) fn note(&mut self, text: &[u8], place: &Place, most: usize) {
        if text.len() < SHORTEST {
            return;
        }
        // A description, and no text that holds one: else every body would be searched once more.
        if text.starts_with(b"v=0") {
            self.names.note(text, place.frame, most.saturating_mul(NAMES));
        }
        let mut rest = text;
        while let Some(at) = memmem::find(rest, MARK) {
            rest = rest.get(at.saturating_add(MARK.len())..).unwrap_or_default();
            self.line(rest, place, most);
        }
    }

    /// `1 AES_CM_128_HMAC_SHA1_80 inline:…|2^20|1:4;inline:…` (RFC 4568 section 9.1), which may stand in JSON.
    fn line(&mut self, text: &[u8], place: &Place, most: usize) {
        // A line ends as text does, or as a string of JSON writes it; `\/` is a slash there (RFC 8259 section 7).
        let mut line = Vec::new();
        let mut bytes = text.iter().copied().take(2_048).peekable();
        while let Some(byte) = bytes.next() {
            match byte {
                b'\r' | b'\n' | b'"' => break,
                b'\\' if bytes.peek() == Some(&b'/') => {}
                b'\\' => break,
                _ => line.push(byte),
            }
        }
        let mut words = line.split(|byte| *byte == b' ').filter(|it| !it.is_empty());
        let (Some(_tag), Some(suite), Some(parameters)) = (words.next(), words.next().and_then(Suite::named), words.next()) else {
            return;
        };
        // What is not encrypted, or has no tag, says so in clear; there is nothing to open (section 6.3).
        if words.any(|it| it.starts_with(b"UN")) {
            return;
        }
        for key in parameters.split(|byte| *byte == b';') {
            let Some(key) = key.strip_prefix(b"inline:") else { continue };
            let mut parts = key.split(|byte| *byte == b'|');
            let master = parts.next().and_then(|it| BASE64.decode(it).ok()).unwrap_or_default();
            if master.len() != suite.key.saturating_add(suite.salt) {
                continue;
            }
            let index = parts.find(|it| it.contains(&b':')).map_or(Some(Vec::new()), index);
            let Some(index) = index else { continue };
            self.keep(
                MediaKey {
                    suite,
                    master,
                    index,
                    frame: place.frame,
                    protection: place.protection,
                    read: (place.reading, place.flow),
                },
                most,
            );
        }
    }

    /// Keeps a key that is not known yet. Of one that is told twice the first place stands, but one in clear before others.
    fn keep(&mut self, it: MediaKey, most: usize) {
        let same = |known: &&mut MediaKey| (known.suite, &known.master, &known.index) == (it.suite, &it.master, &it.index);
        if let Some(known) = self.keys.iter_mut().find(same) {
            if known.protection != Protection::Plaintext && it.protection == Protection::Plaintext {
                (known.protection, known.frame) = (it.protection, it.frame);
            }
        } else if self.keys.len() < most {
            self.keys.push(it);
        } else {
            self.full = true;
        }
    }
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// `1:4`: a number, and the bytes it takes.
fn index(text: &[u8]) -> Option<Vec<u8>> {
    let (value, length) = std::str::from_utf8(text).ok()?.split_once(':')?;
    let (value, length): (u64, usize) = (value.parse().ok()?, length.parse().ok()?);
    if length > LONGEST_INDEX {
        return None;
    }
    let bytes = value.to_be_bytes();
    let padded: Vec<u8> = std::iter::repeat_n(0, LONGEST_INDEX).chain(bytes).collect();
    Some(padded.get(padded.len().checked_sub(length)?..)?.to_vec())
}

/// Nothing of a key is ever printed.
impl fmt::Debug for MediaKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys of media", self.keys.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place {
        reading: 3,
        flow: FlowId(0),
        frame: 3,
        protection: Protection::Plaintext,
    };

    fn told(text: &str) -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
        let mut keys = MediaKeys::default();
        keys.note(text.as_bytes(), &PLACE, 8);
        keys.keys.into_iter().map(|it| (it.suite.name, it.master, it.index)).collect()
    }

    /// RFC 4568, section 9.2.
    const INLINE: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

    #[test]
    fn keys_are_read_from_lines_and_from_json() {
        let key = b"wDfvfreT+)xG7@fb5jU,RaA}\\|p0%*#".to_vec();
        let key: Vec<u8> = BASE64.decode(INLINE).unwrap_or(key);
        let line = format!("v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{INLINE}|2^20|1:4 FEC_ORDER=FEC_SRTP\r\nm=audio 9\r\n");
        assert_eq!(told(&line), [("AES_CM_128_HMAC_SHA1_80", key.clone(), vec![0, 0, 0, 1])]);
        let json = format!(r#"{{"sdp": "v=0\r\na=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:{INLINE}\r\na=sendrecv"}}"#);
        assert_eq!(told(&json), [("AES_CM_128_HMAC_SHA1_32", key.clone(), vec![])]);
        let two = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{INLINE}|1:4;inline:{INLINE}|2^20|2:4\n");
        assert_eq!(told(&two).len(), 2);
        let slashes = "/".repeat(40);
        let escaped = format!(r#""a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{}""#, slashes.replace('/', r"\/"));
        assert_eq!(told(&escaped), [("AES_CM_128_HMAC_SHA1_80", vec![0xff; 30], vec![])]);
    }

    #[test]
    fn what_opens_nothing_is_left_out() {
        for line in [
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:short_____________________________".to_owned(),
            format!("a=crypto:1 F8_128_HMAC_SHA1_80 inline:{INLINE}                        "),
            format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 uri:{INLINE}                       "),
            format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{INLINE} UNENCRYPTED_SRTP   "),
            format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{INLINE}|1:99                "),
            format!("a=cryptic:1 AES_CM_128_HMAC_SHA1_80 inline:{INLINE}                    "),
        ] {
            assert_eq!(told(&line), [], "{line}");
        }
    }

    /// What one shard finds, and what two find of it, is the same pool.
    #[test]
    fn a_pool_does_not_tell_how_many_shards_there_were() {
        let text = |byte: u8| {
            let key = base64::engine::general_purpose::STANDARD.encode([byte; 30]);
            format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}\n").repeat(2)
        };
        let (mut one, mut several) = (MediaKeys::default(), [MediaKeys::default(), MediaKeys::default()]);
        for byte in 0..9 {
            let place = Place {
                reading: u64::from(byte),
                flow: FlowId(u32::from(byte)),
                protection: if byte == 4 { Protection::Tls } else { Protection::Plaintext },
                ..PLACE
            };
            one.note(text(byte % 5).as_bytes(), &place, 4);
            several[usize::from(byte % 2)].note(text(byte % 5).as_bytes(), &place, 4);
        }
        let (one, several) = (MediaKeys::pool([one], 4), MediaKeys::pool(several, 4));
        assert!(one.keys == several.keys && one.full && several.full);
        assert_eq!((one.keys.len(), format!("{one:?}")), (4, "4 keys of media".to_owned()));
    }
}
