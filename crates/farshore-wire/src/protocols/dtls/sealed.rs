//! Records under keys, opened with those of a key log (RFC 6347 section 4.1, RFC 4347). It owns epochs and the keys of each, and
//! refuses to put messages together or to know what runs inside.

use std::borrow::Cow;
use std::ops::Range;

use farshore_model::Direction;
use farshore_model::flow::KeyUse;

use super::record::Record;
use crate::crypto::hello::{Answer, Offer};
use crate::crypto::srtp;
use crate::crypto::{Classic, Ends, Header, Randoms, Suite, Terms, suites};
use crate::protocols::{Session, Sink};
use crate::secrets::{Known, Secrets};

/// Records that fit no key, one after another, before a direction is given up.
const PATIENCE: u32 = 32;

/// One flow's keys.
#[derive(Default)]
pub struct Sealed {
    client: Option<Direction>,
    offer: Option<Offer>,
    answer: Option<Answer>,
    known: Option<Known>,
    /// The keys that the next epoch brings.
    next: Option<Ends>,
    up: Way,
    down: Way,
    opened: bool,
}

/// How records are sealed after that answer.
fn terms(answer: &Answer) -> Option<Terms> {
    Some(Terms {
        suite: Suite::named(&suites::name(answer.suite))?,
        // Each is made of a version of TLS (RFC 4347 section 3, RFC 6347 section 3).
        version: match answer.version {
            0xfefd => 0x0303,
            0xfeff => 0x0302,
            _ => return None,
        },
        encrypt_then_mac: answer.encrypt_then_mac,
    })
}

/// One direction.
#[derive(Default)]
struct Way {
    /// The latest epoch.
    begun: u16,
    /// Its keys.
    latest: Option<(u16, Classic)>,
    /// Which of its records were opened.
    opened: Window,
    failed: u32,
    /// Protected records went by, and some of them did not open.
    sealed: bool,
    closed: bool,
}

/// The latest 64 numbers of records: a receiver takes each of them once (RFC 6347 section 4.1.2.6), and networks bring some twice.
#[derive(Default)]
struct Window {
    /// Behind the highest so far.
    next: u64,
    /// The one before that is the lowest bit.
    taken: u64,
}

impl Window {
    /// Whether a number is taken for the first time, as far as is remembered.
    fn take(&mut self, number: u64) -> bool {
        if let Some(ahead) = number.checked_sub(self.next) {
            let shift = u32::try_from(ahead).unwrap_or(u32::MAX).saturating_add(1);
            self.taken = self.taken.checked_shl(shift).unwrap_or(0) | 1;
            self.next = number.saturating_add(1);
            return true;
        }
        let back = self.next.saturating_sub(number).saturating_sub(1);
        let bit = u32::try_from(back).ok().and_then(|back| 1_u64.checked_shl(back)).unwrap_or(0);
        let first = self.taken & bit == 0;
        self.taken |= bit;
        first
    }
}

impl Sealed {
    /// Whether hellos are of use.
    pub fn wants(kind: u8, secrets: &Secrets) -> bool {
        matches!(kind, 1 | 2) && !secrets.is_empty()
    }

    /// A whole hello went by, in the shape it has in TLS.
    pub fn hello(&mut self, direction: Direction, message: &[u8], secrets: &Secrets) {
        if let (Some(1), Ok(offer)) = (message.first(), Offer::read(message)) {
            self.client = Some(direction);
            self.known = secrets.of_random(&offer.random);
            self.offer = Some(offer);
            self.answer = None;
            self.next = None;
        } else if let (Some(2), Ok(answer)) = (message.first(), Answer::read(message)) {
            self.client = Some(direction.reverse());
            self.answer = Some(answer);
            self.next = self.derive();
        }
    }

    /// The master keys of media that the handshake agreed on: the client's and the server's, each of what it sends (RFC 5764 section 4.2).
    pub fn media_keys(&self) -> Vec<(srtp::Suite, Vec<u8>)> {
        let all = || {
            let (offer, answer) = (self.offer.as_ref()?, self.answer.as_ref()?);
            let suite = srtp::Suite::of_profile(answer.srtp?)?;
            let randoms = Randoms {
                client: &offer.random,
                server: &answer.random,
            };
            let master = self.known?.master?;
            let exported = terms(answer)?.export(master.bytes(), b"EXTRACTOR-dtls_srtp", randoms, suite.exported());
            Some(suite.split(&exported)?.map(|it| (suite, it)).to_vec())
        };
        all().unwrap_or_default()
    }

    fn derive(&self) -> Option<Ends> {
        let (offer, answer, known) = (self.offer.as_ref()?, self.answer.as_ref()?, self.known?);
        let terms = terms(answer)?;
        let randoms = Randoms {
            client: &offer.random,
            server: &answer.random,
        };
        (!answer.compressed).then(|| Ends::derive(terms, known.master?.bytes(), randoms))?
    }

    /// Opens a record of a datagram in `room`; says where its content then stands.
    pub fn open(
        &mut self,
        direction: Direction,
        datagram: &[u8],
        record: &Record,
        room: &mut Vec<u8>,
        out: &mut dyn Sink,
    ) -> Option<Range<usize>> {
        let client = self.client == Some(direction);
        let way = match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        };
        way.sealed = true;
        if record.cut || way.failed >= PATIENCE {
            way.closed = true;
            return None;
        }
        // Once for each epoch: its first record.
        if way.begun < record.epoch {
            way.begun = record.epoch;
            let suite = || self.answer.as_ref().and_then(|it| Suite::named(&suites::name(it.suite)));
            let keys = match &mut self.next {
                Some(ends) => ends.take(client),
                None => suite().and_then(Classic::open_to_all),
            };
            way.latest = keys.map(|keys| (record.epoch, keys));
            way.opened = Window::default();
        }
        let content = way
            .latest
            .as_mut()
            .filter(|(epoch, _)| *epoch == record.epoch)
            .and_then(|(_, keys)| {
                room.clear();
                room.extend_from_slice(datagram.get(record.at.clone())?);
                let header = Header {
                    kind: record.kind,
                    version: record.version,
                };
                let (content, _) = keys.open(header, record.number..=record.number, room)?;
                Some((content, keys.hides()))
            });
        let Some((content, hidden)) = content else {
            way.failed = way.failed.saturating_add(1);
            way.closed = true;
            return None;
        };
        way.failed = 0;
        if !way.opened.take(record.number) {
            return None;
        }
        if hidden && !self.opened {
            self.opened = true;
            if let Some(print) = self.offer.as_ref().and_then(|it| it.random.first_chunk()) {
                out.session(Session::Opened(*print));
            }
        }
        Some(content)
    }

    /// Whether what is opened hid something.
    pub fn hides(&self, direction: Direction) -> bool {
        let way = match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        };
        way.latest.as_ref().is_some_and(|(_, keys)| keys.hides())
    }

    /// Nothing more comes: says why something stayed closed, if anything did.
    pub fn close(&self, out: &mut dyn Sink) {
        if !out.secrets().is_empty()
            && let Some(because) = self.reason()
        {
            out.session(Session::Missed(because));
        }
    }

    fn reason(&self) -> Option<Cow<'static, str>> {
        let closed = |way: &Way| way.sealed && way.closed;
        if !closed(&self.up) && !closed(&self.down) {
            return None;
        }
        if self.offer.is_none() {
            return Some("the capture begins after the handshake".into());
        }
        let Some(known) = self.known else {
            return Some(KeyUse::NO_SUCH_SESSION.into());
        };
        let Some(answer) = &self.answer else {
            return Some("no answer of the server was captured".into());
        };
        let name = suites::name(answer.suite);
        Some(match answer.version {
            _ if Suite::named(&name).is_none() => format!("unsupported suite {name}").into(),
            0xfefd | 0xfeff if answer.compressed => "compressed before it was encrypted".into(),
            0xfefd | 0xfeff if known.master.is_none() => "the key log has no CLIENT_RANDOM for the session".into(),
            0xfefd | 0xfeff if self.opened => return None,
            0xfefd | 0xfeff => "the keys do not fit the records".into(),
            _ => "unsupported version of DTLS".into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    /// A session of `openssl s_client -dtls1_2 -use_srtp SRTP_AES128_CM_SHA1_80 -keymatexport EXTRACTOR-dtls_srtp -keymatexportlen 60`:
    /// its hellos (the client's up to its suites), its key log, and what it exported.
    #[test]
    fn media_keys_are_those_that_openssl_exports() {
        let client = bytes(
            "010000d1 fefd a4c8930118c4ef4101a5f4be4f54afd440930732a2a8be1f8470110db3dd0e34 00
             14 0756e98f0a0b2aaef24acd57e45a4ca4f1cd4891 0002 c02c 0100",
        );
        let server = bytes(
            "02000046 fefd c9397145936fe81d75024f9d7f390cc1d1a35d392da2a9a557e575b4bc8c2929 00 c02c 00
             001e ff01000100 000b000403000102 00230000 000e0005000200010000 170000",
        );
        let mut secrets = Secrets::new();
        secrets.add(
            "CLIENT_RANDOM",
            &client[6..38],
            &bytes("1aff3423706a05873b042615fe9097d2c66bee5f51410f8a001b30de3e242773446a9608b4f983397c37b822678c78fa"),
        );
        let mut it = Sealed::default();
        it.hello(Direction::Up, &client, &secrets);
        assert_eq!(it.media_keys(), []);
        it.hello(Direction::Down, &server, &secrets);
        let suite = srtp::Suite::named(b"AES_CM_128_HMAC_SHA1_80").unwrap();
        let exported = bytes(
            "A3A29B7D6AE8B812B2AD52A548B424D1 5114713D96C3735DEE099892926DC283
             470E8C4750324762C8A73609F3FC 5FB6AC2460D4D4551D75F864EB86",
        );
        let of = |key: std::ops::Range<usize>, salt: std::ops::Range<usize>| [&exported[key], &exported[salt]].concat();
        assert_eq!(it.media_keys(), [(suite, of(0..16, 32..46)), (suite, of(16..32, 46..60))]);
        // Another session, or none that agreed on media.
        it.hello(Direction::Up, &client, &Secrets::new());
        it.hello(Direction::Down, &server, &Secrets::new());
        assert_eq!(it.media_keys(), []);
    }
}
