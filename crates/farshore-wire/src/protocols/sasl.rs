//! What a client proves itself with in SASL exchanges (RFC 4422), written in base64, as SMTP, POP3, IMAP, NNTP and IRC carry
//! them, or as they are: PLAIN (RFC 4616), LOGIN, XOAUTH2 and OAUTHBEARER (RFC 7628), CRAM-MD5 (RFC 2195). Base64 is no protection.
//! Of those that prove without telling, DIGEST-MD5 (RFC 2831), SCRAM (RFC 5802) and NTLM, the user's name is read.

use std::ops::Range;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::lines::Line;
use super::{Sink, ntlm};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What the client's next response holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sasl {
    /// Authorisation identity, user and password, a zero byte between them.
    Plain,
    /// The user's name; the password follows.
    User,
    /// The password.
    Password,
    /// A bearer token.
    Bearer,
    /// The user's name and a digest.
    Digest,
    /// The user's name as `username="…"`, among directives (RFC 2831, section 2.1.2).
    Directives,
    /// The user's name as `n=…`, among attributes (RFC 5802, section 5.1).
    Attributes,
    /// A message of NTLM; the next is one too.
    Ntlm,
}

impl Sasl {
    /// The exchange of that mechanism.
    pub fn begin(mechanism: &[u8]) -> Option<Self> {
        Some(match &mechanism.to_ascii_uppercase()[..] {
            b"PLAIN" => Self::Plain,
            b"LOGIN" => Self::User,
            b"XOAUTH2" | b"OAUTHBEARER" => Self::Bearer,
            b"CRAM-MD5" => Self::Digest,
            b"DIGEST-MD5" => Self::Directives,
            b"NTLM" => Self::Ntlm,
            scram if scram.starts_with(b"SCRAM-") => Self::Attributes,
            _ => return None,
        })
    }

    /// Reads a response, tells what it holds under `prefix`, and says what the next one will hold.
    pub fn response(self, prefix: &str, line: &Line<'_>, range: Range<usize>, out: &mut dyn Sink) -> Option<Self> {
        let Ok(decoded) = BASE64.decode(line.get(range.clone())) else {
            return None;
        };
        if decoded.is_empty() {
            // An empty first response: the real one follows.
            return Some(self);
        }
        out.decoded(&["base64"]);
        let told = Told {
            prefix,
            line,
            place: &|_| range.clone(),
            base64: true,
        };
        let next = self.told(&decoded, &told, out);
        out.decoded(&[]);
        next
    }

    /// The same of a response that stands there as it is.
    pub fn plainly(self, prefix: &str, line: &Line<'_>, range: Range<usize>, out: &mut dyn Sink) -> Option<Self> {
        let from = range.start;
        let told = Told {
            prefix,
            line,
            place: &|it: Range<usize>| it.start.saturating_add(from)..it.end.saturating_add(from),
            base64: false,
        };
        self.told(line.get(range), &told, out)
    }

    /// Tells what a response holds.
    fn told(self, text: &[u8], to: &Told<'_>, out: &mut dyn Sink) -> Option<Self> {
        let mut tell = |name: &str, part: Range<usize>| {
            let value = text.get(part.clone()).unwrap_or_default();
            to.line.tell_as(&format!("{}.{name}", to.prefix), value, (to.place)(part), out);
        };
        let whole = 0..text.len();
        match self {
            Self::User => {
                tell("user", whole);
                return Some(Self::Password);
            }
            Self::Password => tell("password", whole),
            Self::Plain => {
                let mut parts = parts(text, &[0], 3);
                if let (Some(acting_as), Some(user), Some(password)) = (parts.next(), parts.next(), parts.next()) {
                    if text.get(acting_as.clone()) != text.get(user.clone()) {
                        tell("acting-as", acting_as);
                    }
                    tell("user", user);
                    tell("password", password);
                }
            }
            Self::Bearer => {
                for part in parts(text, &[1, b','], usize::MAX) {
                    if let Some(user) = behind(text, &part, b"user=").or_else(|| behind(text, &part, b"a=")) {
                        tell("user", user);
                    } else if let Some(token) = behind(text, &part, b"auth=Bearer ") {
                        tell("token", token);
                    }
                }
            }
            Self::Digest => {
                if let Some(space) = text.iter().rposition(|byte| *byte == b' ') {
                    tell("user", 0..space);
                }
            }
            Self::Directives => {
                let mut named = parts(text, b",", usize::MAX).filter_map(|it| {
                    let blank = text.get(it.clone())?.iter().take_while(|it| it.is_ascii_whitespace()).count();
                    behind(text, &(it.start.saturating_add(blank)..it.end), b"username=\"")
                });
                if let Some(user) = named.next() {
                    let quote = text.get(user.clone()).unwrap_or_default().trim_ascii_end().ends_with(b"\"");
                    tell("user", user.start..user.end.saturating_sub(quote.into()));
                }
            }
            Self::Ntlm => {
                let undone: &[_] = if to.base64 { &["base64"] } else { &[] };
                ntlm::tell(text, to.prefix, undone, |it| to.line.span((to.place)(it)), out);
                return Some(self);
            }
            Self::Attributes => {
                if let Some(user) = parts(text, b",", usize::MAX).find_map(|it| behind(text, &it, b"n=")) {
                    tell("user", user);
                }
            }
        }
        None
    }
}

/// Where what a response holds is told.
struct Told<'a> {
    prefix: &'a str,
    line: &'a Line<'a>,
    /// Where a range of it stands in the line.
    place: &'a dyn Fn(Range<usize>) -> Range<usize>,
    base64: bool,
}

/// The parts of a text between any of these bytes, so many at most.
fn parts<'a>(text: &'a [u8], between: &'a [u8], most: usize) -> impl Iterator<Item = Range<usize>> + use<'a> {
    let mut next = 0_usize;
    text.splitn(most, |byte| between.contains(byte)).map(move |part| {
        let start = next;
        let end = start.saturating_add(part.len());
        next = end.saturating_add(1);
        start..end
    })
}

/// What stands behind these words in a part, if it begins with them.
fn behind(text: &[u8], part: &Range<usize>, words: &[u8]) -> Option<Range<usize>> {
    let begins = text.get(part.clone())?.starts_with(words);
    begins.then(|| part.start.saturating_add(words.len())..part.end)
}
