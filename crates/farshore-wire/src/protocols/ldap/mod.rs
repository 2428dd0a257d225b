//! LDAP over TCP (RFC 4511): its logins.
//!
//! # What is extracted, and why it matters
//! A simple bind sends the password as it is: `ldap.user` (the name bound to, often a distinguished name or an
//! address) and `ldap.password`. A SASL bind by PLAIN (RFC 4616) does so too: `ldap.auth.user`, `ldap.auth.password`,
//! `ldap.auth.acting-as`; one by NTLM names `ldap.user`, `ldap.domain` and `ldap.workstation`. After StartTLS, TLS is handed on.
//!
//! # What is not
//! Searches and what they find; other SASL binds.
//!
//! # How it is told
//! A message that begins with a bind of version 2 or 3, or answers one.

use farshore_model::{Direction, Protection, Span};

use super::{Begins, Dissector, Field, FirstBytes, Gathered, Match, Opening, Piece, Progress, Protocol, Segment, Sink, Start, ntlm};
use crate::cursor::{Cursor, Stop};
use crate::limits::Limits;

/// LDAP.
pub static LDAP: Ldap = Ldap;

/// LDAP, as a [`Protocol`].
#[derive(Debug)]
pub struct Ldap;

impl Protocol for Ldap {
    fn id(&self) -> &'static str {
        "ldap"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        opening.by_either_side(told)
    }

    fn begins(&self) -> Begins {
        Begins::stream(FirstBytes::of(&[SEQUENCE]))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, opening: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        let turned = matches!(opening.start, Start::Stream { up, down } if told(up) != Match::Yes && told(down) == Match::Yes);
        Box::new(Directory {
            client: if turned { Direction::Down } else { Direction::Up },
            lanes: Default::default(),
            longest: limits.message_bytes,
        })
    }
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
/// `[APPLICATION 0]`, constructed.
const BIND: u8 = 0x60;
/// `[APPLICATION 23]`, constructed: StartTLS is one.
const EXTENDED: u8 = 0x77;
/// `[0]`: the password.
const SIMPLE: u8 = 0x80;
/// `[3]`, constructed: a SASL mechanism and what it sends.
const SASL: u8 = 0xa3;

/// Whether a side begins with a bind or with StartTLS.
fn told(bytes: &[u8]) -> Match {
    let mut it = Cursor::new("ldap", bytes);
    let Ok(length) = head(&mut it, SEQUENCE) else {
        return if bytes.is_empty() || bytes.len() < 6 && bytes.first() == Some(&SEQUENCE) {
            if bytes.is_empty() { Match::No } else { Match::Maybe }
        } else {
            Match::No
        };
    };
    let inside = match it.take(length.min(it.left())) {
        Ok(inside) => Cursor::new("ldap", inside),
        Err(_) => return Match::No,
    };
    let whole = inside.left() == length;
    match request(inside) {
        Ok(Request::Bind { version: 2 | 3, .. } | Request::StartTls) => Match::Yes,
        Ok(_) => Match::No,
        Err(_) if whole || inside.left() >= 512 || !begins_request(inside) => Match::No,
        Err(_) => Match::Maybe,
    }
}

/// Whether what is there of a message could still become a request that is read.
fn begins_request(mut it: Cursor<'_>) -> bool {
    match value(&mut it, INTEGER) {
        Ok(_) => matches!(it.peek(0), None | Some(BIND | EXTENDED)),
        Err(_) => matches!(it.peek(0), None | Some(INTEGER)) && it.left() < 6,
    }
}

/// A request that is read.
enum Request<'a> {
    Bind {
        version: u8,
        name: Cursor<'a>,
        password: Option<Cursor<'a>>,
        /// What SASL PLAIN sends.
        plain: Option<Cursor<'a>>,
    },
    StartTls,
    Other,
}

/// RFC 4511, section 4.14.1.
const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";

fn request(mut it: Cursor<'_>) -> Result<Request<'_>, Stop> {
    value(&mut it, INTEGER)?;
    match it.peek(0) {
        Some(BIND) => {
            let mut bind = value(&mut it, BIND)?;
            let version = value(&mut bind, INTEGER)?;
            let name = value(&mut bind, OCTETS)?;
            let &[version] = version.rest() else { return Err(it.forbidden()) };
            let mut sasl = bind;
            Ok(Request::Bind {
                version,
                name,
                password: value(&mut bind, SIMPLE).ok(),
                plain: value(&mut sasl, SASL).ok().and_then(plain),
            })
        }
        Some(EXTENDED) => {
            let mut extended = value(&mut it, EXTENDED)?;
            let name = value(&mut extended, SIMPLE)?;
            Ok(if name.rest() == START_TLS {
                Request::StartTls
            } else {
                Request::Other
            })
        }
        Some(_) => Ok(Request::Other),
        None => {
            it.u8()?;
            Ok(Request::Other)
        }
    }
}

/// What a SASL bind sends, if its mechanism is PLAIN.
fn plain(mut it: Cursor<'_>) -> Option<Cursor<'_>> {
    let mechanism = value(&mut it, OCTETS).ok()?;
    let sent = value(&mut it, OCTETS).ok()?;
    mechanism.rest().eq_ignore_ascii_case(b"PLAIN").then_some(sent)
}

/// The length of what follows a tag, in the short or the long form (ITU-T X.690, section 8.1.3).
fn head(it: &mut Cursor<'_>, tag: u8) -> Result<usize, Stop> {
    let start = *it;
    if it.u8()? != tag {
        return Err(start.forbidden());
    }
    Ok(match it.u8()? {
        short @ 0..=0x7f => usize::from(short),
        0x81 => usize::from(it.u8()?),
        0x82 => usize::from(it.u16()?),
        0x83 => usize::try_from(it.u24()?).map_err(|_| start.forbidden())?,
        0x84 => usize::try_from(it.u32()?).map_err(|_| start.forbidden())?,
        _ => return Err(start.forbidden()),
    })
}

fn value<'a>(it: &mut Cursor<'a>, tag: u8) -> Result<Cursor<'a>, Stop> {
    let length = head(it, tag)?;
    it.sub(length)
}

/// One direction.
#[derive(Debug, Default)]
struct Lane {
    gathered: Gathered,
    upgraded: bool,
}

/// One session.
#[derive(Debug)]
struct Directory {
    client: Direction,
    lanes: [Lane; 2],
    longest: usize,
}

impl Dissector for Directory {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let (client, longest) = (self.client, self.longest);
        let lane = direction.of_mut(&mut self.lanes);
        if lane.upgraded {
            out.inner(direction, "tls", it);
            return Progress::More;
        }
        // Lengths lead from message to message: after a loss nothing is certain any more.
        let Segment::Bytes(piece) = it else { return Progress::Lost };
        lane.gathered.push(&piece);
        lane.messages(direction, &piece, direction == client, longest, out)
    }
}

impl Lane {
    fn messages(&mut self, direction: Direction, piece: &Piece<'_>, client: bool, longest: usize, out: &mut dyn Sink) -> Progress {
        loop {
            let bytes = self.gathered.bytes();
            match bytes.first() {
                None => return Progress::More,
                // A TLS handshake record (RFC 8446, section 5.1), behind whole messages: it lies in the latest piece.
                Some(0x16) => {
                    self.upgraded = true;
                    let rest = piece.last(bytes.len());
                    self.gathered.clear();
                    out.inner(direction, "tls", Segment::Bytes(rest));
                    return Progress::More;
                }
                Some(&SEQUENCE) => {}
                Some(_) => return Progress::Lost,
            }
            let mut it = Cursor::new("ldap", bytes);
            let Ok(length) = head(&mut it, SEQUENCE) else {
                return if bytes.len() < 6 { Progress::More } else { Progress::Lost };
            };
            let size = it.offset().saturating_add(length);
            if length > longest {
                out.limit("message-bytes");
                self.gathered.skip(size);
                continue;
            }
            let Ok(message) = it.sub(length) else { return Progress::More };
            if client && let Ok(Request::Bind { name, password, plain, .. }) = request(message) {
                out.client_speaks(direction);
                self.tell("ldap.user", &name, out);
                match password {
                    Some(password) => self.tell("ldap.password", &password, out),
                    None => self.tell_login(&message, out),
                }
                if let Some(sent) = plain {
                    self.tell_plain(sent, out);
                }
            }
            self.gathered.consume(size);
        }
    }

    /// The names in a message of NTLM, in whatever wrapping.
    fn tell_login(&self, message: &Cursor<'_>, out: &mut dyn Sink) {
        let from = message.offset();
        let place = |it: std::ops::Range<usize>| self.gathered.span(it.start.saturating_add(from)..it.end.saturating_add(from));
        ntlm::tell(message.rest(), "ldap", &[], place, out);
    }

    /// Authorisation identity, user and password, a zero byte between them (RFC 4616, section 2).
    fn tell_plain(&self, mut sent: Cursor<'_>, out: &mut dyn Sink) {
        for path in ["ldap.auth.acting-as", "ldap.auth.user", "ldap.auth.password"] {
            let length = sent.rest().iter().position(|byte| *byte == 0).unwrap_or(sent.left());
            let Ok(part) = sent.sub(length) else { return };
            self.tell(path, &part, out);
            if sent.u8().is_err() {
                return;
            }
        }
    }

    fn tell(&self, path: &str, value: &Cursor<'_>, out: &mut dyn Sink) {
        if !value.is_empty() {
            let at: Span = self.gathered.span(value.offset()..value.offset().saturating_add(value.left()));
            out.field(Field {
                path,
                value: value.rest(),
                at,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use farshore_model::Transport;

    use super::super::notebook::{damage, read_stream, stream};
    use super::*;
    use Direction::{Down, Up};

    const BINDS: &[u8] =
        b"\x30\x22\x02\x01\x01\x60\x1d\x02\x01\x03\x04\x0fcn=bob,dc=corpx\x80\x07hunter2\x30\x84\0\0\0\x05\x02\x01\x02\x42\x00";

    #[test]
    fn a_bind_in_any_segmentation_tells_its_password() {
        for size in 1..BINDS.len() {
            let chunks: Vec<_> = BINDS.chunks(size).map(|it| (Up, it)).collect();
            let out = read_stream(&LDAP, (50_000, 3_389), &chunks);
            assert_eq!(
                (out.values("ldap.user"), out.values("ldap.password")),
                (vec!["cn=bob,dc=corpx".into()], vec!["hunter2".into()])
            );
            assert_eq!((out.fields.len(), out.client), (2, Some(Up)));
        }
        let out = read_stream(&LDAP, (50_000, 389), &[(Down, BINDS)]);
        assert_eq!((out.fields[1].2, out.client), (Span::in_frame(1, 42 + 29, 7), Some(Down)));
    }

    #[test]
    fn a_bind_by_ntlm_names_who_and_from_where() {
        let token = ntlm::tests::answer();
        let sized = |tag: u8, body: &[u8]| [&[tag, 0x82][..], &(body.len() as u16).to_be_bytes(), body].concat();
        let proof = sized(0xa3, &[&b"\x04\x0aGSS-SPNEGO"[..], &sized(OCTETS, &token)].concat());
        let bind = sized(BIND, &[&b"\x02\x01\x03\x04\0"[..], &proof].concat());
        let message = sized(SEQUENCE, &[&b"\x02\x01\x01"[..], &bind].concat());
        let out = read_stream(&LDAP, (50_000, 389), &[(Up, &message)]);
        let told = ["domain", "user", "workstation"].map(|it| out.values(&format!("ldap.{it}")));
        assert_eq!(told, [["ROOMS"], ["grace.h"], ["GRACE-PC"]]);
        let (.., at) = &out.fields[1];
        let from = usize::try_from(at.offset).unwrap() - 42;
        assert_eq!(ntlm::widened(&message[from..from + 14]), Some(b"grace.h".to_vec()));
    }

    #[test]
    fn a_bind_by_sasl_plain_tells_its_password() {
        let bind = b"\x30\x26\x02\x01\x01\x60\x21\x02\x01\x03\x04\0\xa3\x1a\x04\x05PLAIN\x04\x11\0grace.h\0hunter22";
        let out = read_stream(&LDAP, (50_000, 389), &[(Up, &bind[..])]);
        assert_eq!(
            (out.values("ldap.auth.user"), out.values("ldap.auth.password")),
            (vec!["grace.h".into()], vec!["hunter22".into()])
        );
        assert_eq!((out.fields.len(), out.fields[1].2), (2, Span::in_frame(1, 42 + 32, 8)));
        let other = bind
            .to_vec()
            .iter()
            .map(|it| if *it == b'P' { b'Q' } else { *it })
            .collect::<Vec<_>>();
        assert_eq!(read_stream(&LDAP, (50_000, 389), &[(Up, &other)]).fields.len(), 0);
    }

    #[test]
    fn starttls_hands_on_tls() {
        let start = [&b"\x30\x1d\x02\x01\x01\x77\x18\x80\x16"[..], START_TLS].concat();
        let list: &[(Direction, &[u8])] = &[
            (Up, &start),
            (Down, b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"),
            (Up, b"\x16\x03\x01\0\x05hello"),
            (Down, b"\x16\x03\x03\0\x02ab"),
        ];
        let out = read_stream(&LDAP, (50_000, 389), list);
        assert_eq!((out.inner.len(), out.fields.len()), (2, 0));
    }

    #[test]
    fn other_streams_are_not_it() {
        let verdict = |up: &[u8]| LDAP.matches(&stream(50_000, 389, up, b""));
        assert_eq!(verdict(&BINDS[..12]), Match::Maybe);
        for at in [0, 2, 5, 7, 9, 10] {
            let mut wrong = BINDS.to_vec();
            wrong[at] ^= 0x41;
            assert_ne!(verdict(&wrong), Match::Yes, "byte {at}");
        }
        assert_eq!(verdict(b"\x30\x82\x01\x0a\x04\x82\x01\x01"), Match::No);
        assert_eq!(verdict(b"0123456789"), Match::No);
    }

    #[test]
    fn damage_never_panics() {
        damage(&LDAP, (50_000, 389), Transport::Tcp, Up, BINDS);
    }
}
