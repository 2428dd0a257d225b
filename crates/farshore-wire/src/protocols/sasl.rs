//! What a client proves itself with in SASL exchanges (RFC 4422) written in base64, as SMTP, POP3, IMAP and IRC carry
//! them: PLAIN (RFC 4616), LOGIN, XOAUTH2 and OAUTHBEARER (RFC 7628), CRAM-MD5 (RFC 2195). Base64 is no protection.
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
        let next = self.told(&decoded, prefix, line, range, out);
        out.decoded(&[]);
        next
    }

    /// Tells what a response holds, decoded.
    fn told(self, decoded: &[u8], prefix: &str, line: &Line<'_>, range: Range<usize>, out: &mut dyn Sink) -> Option<Self> {
        let mut tell = |name: &str, value: &[u8]| line.tell_as(&format!("{prefix}.{name}"), value, range.clone(), out);
        match self {
            Self::User => {
                tell("user", decoded);
                return Some(Self::Password);
            }
            Self::Password => tell("password", decoded),
            Self::Plain => {
                let mut parts = decoded.splitn(3, |byte| *byte == 0);
                let (acting_as, user, password) = (parts.next(), parts.next(), parts.next());
                if let (Some(acting_as), Some(user), Some(password)) = (acting_as, user, password) {
                    if acting_as != user {
                        tell("acting-as", acting_as);
                    }
                    tell("user", user);
                    tell("password", password);
                }
            }
            Self::Bearer => {
                for part in decoded.split(|byte| matches!(byte, 1 | b',')) {
                    if let Some(user) = part.strip_prefix(b"user=").or_else(|| part.strip_prefix(b"a=")) {
                        tell("user", user);
                    } else if let Some(token) = part.strip_prefix(b"auth=Bearer ") {
                        tell("token", token);
                    }
                }
            }
            Self::Digest => {
                if let Some(space) = decoded.iter().rposition(|byte| *byte == b' ') {
                    tell("user", decoded.get(..space).unwrap_or_default());
                }
            }
            Self::Directives => {
                let named = decoded
                    .split(|byte| *byte == b',')
                    .find_map(|it| it.trim_ascii().strip_prefix(b"username=\""));
                if let Some(user) = named {
                    tell("user", user.strip_suffix(b"\"").unwrap_or(user));
                }
            }
            Self::Ntlm => {
                for it in ntlm::names(decoded) {
                    out.decoded(if it.wide { &["base64", "utf-16"] } else { &["base64"] });
                    line.tell_as(&format!("{prefix}.{}", it.of), &it.text, range.clone(), out);
                }
                return Some(self);
            }
            Self::Attributes => {
                if let Some(user) = decoded.split(|byte| *byte == b',').find_map(|it| it.strip_prefix(b"n=")) {
                    tell("user", user);
                }
            }
        }
        None
    }
}
