//! The secrets of sessions: what key logs tell, by session. It owns the table and refuses to know where a key log came from or
//! what is done with a secret.
//!
//! A table only grows, and a copy of it shares what was there: whoever reads with an older copy is not disturbed.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// What a secret is for. The names are those of the NSS key log format (draft-ietf-tls-keylogfile).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The master secret of a session up to TLS 1.2.
    Master,
    /// The premaster secret of a session up to TLS 1.2.
    Premaster,
    /// Early data of the client.
    ClientEarly,
    /// The client's handshake under TLS 1.3.
    ClientHandshake,
    /// The server's handshake under TLS 1.3.
    ServerHandshake,
    /// What the client sends, until it changes keys.
    ClientTraffic,
    /// What the server sends, until it changes keys.
    ServerTraffic,
}

impl Purpose {
    const ALL: [(&'static str, Self); 7] = [
        ("CLIENT_RANDOM", Self::Master),
        ("PMS_CLIENT_RANDOM", Self::Premaster),
        ("CLIENT_EARLY_TRAFFIC_SECRET", Self::ClientEarly),
        ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", Self::ClientHandshake),
        ("SERVER_HANDSHAKE_TRAFFIC_SECRET", Self::ServerHandshake),
        ("CLIENT_TRAFFIC_SECRET_0", Self::ClientTraffic),
        ("SERVER_TRAFFIC_SECRET_0", Self::ServerTraffic),
    ];

    /// The label of such lines.
    pub fn label(self) -> &'static str {
        Self::ALL.iter().find(|(_, it)| *it == self).map_or("", |(label, _)| label)
    }
}

/// A secret of at most 48 bytes: no hash of TLS is longer, and neither is a master secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret {
    length: u8,
    bytes: [u8; Self::LONGEST],
}

impl Secret {
    const LONGEST: usize = 48;

    /// `None` for what is longer than a secret is, or empty.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut it = Self {
            length: u8::try_from(bytes.len()).ok().filter(|length| *length > 0)?,
            bytes: [0; Self::LONGEST],
        };
        it.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(it)
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// Nothing of a secret is ever printed.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a secret of {} bytes", self.length)
    }
}

/// What a key log goes by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Session {
    /// The client's random.
    Random([u8; 32]),
    /// The beginning of the encrypted premaster secret, as `RSA` lines have it.
    Exchange([u8; 8]),
    /// The session's id, as lines of OpenSSL's have it.
    Id([u8; 32]),
}

/// One line.
#[derive(Clone, Copy)]
struct Row {
    session: Session,
    purpose: Purpose,
    secret: Secret,
    /// The place of the session's line before this one, counted from 1.
    before: u32,
}

/// Lines that came one after another.
#[derive(Clone, Default)]
struct Layer {
    rows: Vec<Row>,
    /// The place of a session's latest line, counted from 1. Looked up, never walked.
    latest: HashMap<Session, u32>,
}

impl Layer {
    fn row(&self, place: u32) -> Option<&Row> {
        self.rows.get(usize::try_from(place.checked_sub(1)?).ok()?)
    }

    fn of(&self, session: &Session) -> impl Iterator<Item = &Row> {
        let first = self.latest.get(session).and_then(|place| self.row(*place));
        std::iter::successors(first, |row| self.row(row.before))
    }

    /// A session has one secret for a purpose: the latest line stands.
    fn put(&mut self, session: Session, purpose: Purpose, secret: Secret) {
        let mut place = self.latest.get(&session).copied().unwrap_or_default();
        let before = place;
        while let Some(row) = place.checked_sub(1).and_then(|at| self.rows.get_mut(at as usize)) {
            if row.purpose == purpose {
                row.secret = secret;
                return;
            }
            place = row.before;
        }
        // Four thousand million lines are more than any key log has.
        if let Ok(place) = u32::try_from(self.rows.len().saturating_add(1)) {
            self.rows.push(Row {
                session,
                purpose,
                secret,
                before,
            });
            self.latest.insert(session, place);
        }
    }
}

/// The secrets of all sessions known so far.
#[derive(Clone, Default)]
pub struct Secrets {
    /// The oldest first. A younger one is less than half as long as the one before it once it is shared, so there are few.
    layers: Vec<Arc<Layer>>,
    sessions: u64,
    /// No more will come.
    settled: bool,
}

/// What is known of one session.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known {
    /// The master secret, up to TLS 1.2.
    pub master: Option<Secret>,
    /// What the master secret is made of.
    pub premaster: Option<Secret>,
    /// The client's early data.
    pub client_early: Option<Secret>,
    /// The client's handshake.
    pub client_handshake: Option<Secret>,
    /// The server's handshake.
    pub server_handshake: Option<Secret>,
    /// The client's data.
    pub client_traffic: Option<Secret>,
    /// The server's data.
    pub server_traffic: Option<Secret>,
}

impl Secrets {
    /// No secrets.
    pub const fn new() -> Self {
        Self {
            layers: Vec::new(),
            sessions: 0,
            settled: false,
        }
    }

    /// No secrets, to be lent out.
    pub fn none() -> &'static Self {
        static NONE: Secrets = Secrets::new();
        &NONE
    }

    /// Adds a line: its label, what it goes by, its secret. Says whether it was a line that is of use here: the secrets of exporters,
    /// of later keys (they follow from the first ones) and of encrypted hellos are not.
    pub fn add(&mut self, label: &str, of: &[u8], secret: &[u8]) -> bool {
        let (session, purpose) = match label {
            "RSA" => (of.first_chunk().map(|it| Session::Exchange(*it)), Purpose::Premaster),
            "RSA Session-ID" => (session_id(of).map(Session::Id), Purpose::Master),
            _ => {
                // Early writers of QUIC put its name before.
                let label = label.strip_prefix("QUIC_").unwrap_or(label);
                let Some((_, purpose)) = Purpose::ALL.iter().find(|(it, _)| *it == label) else {
                    return false;
                };
                (of.try_into().ok().map(Session::Random), *purpose)
            }
        };
        let (Some(session), Some(secret)) = (session, Secret::new(secret)) else {
            return false;
        };
        if !self.layers.iter().any(|layer| layer.latest.contains_key(&session)) {
            self.sessions = self.sessions.saturating_add(1);
        }
        if let Some(layer) = self.open_layer() {
            layer.put(session, purpose, secret);
        }
        true
    }

    /// No more will come: what is only of use to secrets that are told later need not be kept.
    pub const fn settle(&mut self) {
        self.settled = true;
    }

    /// Whether there are none, and will be none.
    pub const fn are_none(&self) -> bool {
        self.is_empty() && self.settled
    }

    /// How many sessions there are secrets for.
    pub const fn sessions(&self) -> u64 {
        self.sessions
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.sessions == 0
    }

    /// What is known of the session with this client random.
    pub fn of_random(&self, random: &[u8; 32]) -> Option<Known> {
        self.find(&Session::Random(*random))
    }

    /// What is known of the session whose premaster secret was sent in these bytes (RFC 5246 section 7.4.7.1).
    pub fn of_exchange(&self, encrypted: &[u8]) -> Option<Known> {
        self.find(&Session::Exchange(*encrypted.first_chunk()?))
    }

    /// What is known of the session with this id.
    pub fn of_session_id(&self, id: &[u8]) -> Option<Known> {
        self.find(&Session::Id(session_id(id)?))
    }

    fn find(&self, session: &Session) -> Option<Known> {
        let mut known: Option<Known> = None;
        for row in self.layers.iter().flat_map(|layer| layer.of(session)) {
            let it = known.get_or_insert_default();
            *match row.purpose {
                Purpose::Master => &mut it.master,
                Purpose::Premaster => &mut it.premaster,
                Purpose::ClientEarly => &mut it.client_early,
                Purpose::ClientHandshake => &mut it.client_handshake,
                Purpose::ServerHandshake => &mut it.server_handshake,
                Purpose::ClientTraffic => &mut it.client_traffic,
                Purpose::ServerTraffic => &mut it.server_traffic,
            } = Some(row.secret);
        }
        known
    }

    /// The layer that nobody else reads; a new one where the last is shared.
    fn open_layer(&mut self) -> Option<&mut Layer> {
        if self.layers.last_mut().and_then(Arc::get_mut).is_none() {
            self.merge();
            self.layers.push(Arc::default());
        }
        self.layers.last_mut().and_then(Arc::get_mut)
    }

    /// Puts the youngest layers together until each is less than half as long as the one before it: every line is moved a few times
    /// at most, however often a file tells one more.
    fn merge(&mut self) {
        while let [.., older, younger] = self.layers.as_slice() {
            if younger.rows.len().saturating_mul(2) < older.rows.len() {
                return;
            }
            let (Some(younger), Some(older)) = (self.layers.pop(), self.layers.pop()) else {
                return;
            };
            let mut layer = Arc::unwrap_or_clone(older);
            for row in &younger.rows {
                layer.put(row.session, row.purpose, row.secret);
            }
            self.layers.push(Arc::new(layer));
        }
    }
}

fn session_id(id: &[u8]) -> Option<[u8; 32]> {
    let mut it = [0; 32];
    it.get_mut(..id.len()).filter(|place| !place.is_empty())?.copy_from_slice(id);
    Some(it)
}

/// Nothing of a secret is ever printed.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the secrets of {} sessions", self.sessions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_what_its_lines_tell_in_any_order() {
        let lines = [
            ("SERVER_TRAFFIC_SECRET_0", 1_u8, 4_u8),
            ("CLIENT_RANDOM", 2, 5),
            ("CLIENT_TRAFFIC_SECRET_0", 1, 6),
            ("EXPORTER_SECRET", 1, 7),
            ("CLIENT_TRAFFIC_SECRET_1", 1, 8),
        ];
        for forward in [true, false] {
            let mut it = Secrets::new();
            let mut lines = lines.to_vec();
            if !forward {
                lines.reverse();
            }
            for (label, random, secret) in lines {
                let used = it.add(label, &[random; 32], &[secret; 32]);
                assert_eq!(used, !matches!(secret, 7 | 8), "{label}");
            }
            assert_eq!(it.sessions(), 2);
            let known = it.of_random(&[1; 32]).unwrap();
            assert_eq!(known.server_traffic, Secret::new(&[4; 32]));
            assert_eq!(known.client_traffic, Secret::new(&[6; 32]));
            assert!(known.master.is_none() && known.client_handshake.is_none());
            assert_eq!(it.of_random(&[2; 32]).unwrap().master.unwrap().bytes(), [5; 32]);
            assert!(it.of_random(&[3; 32]).is_none());
        }
    }

    #[test]
    fn what_cannot_be_a_secret_is_left_out() {
        let mut it = Secrets::new();
        assert!(!it.add("CLIENT_RANDOM", &[1; 31], &[1; 48]));
        assert!(!it.add("CLIENT_RANDOM", &[1; 32], &[1; 49]));
        assert!(!it.add("CLIENT_RANDOM", &[1; 32], &[]));
        assert!(!it.add("RSA", &[1; 7], &[1; 48]));
        assert!(!it.add("RSA Session-ID", &[], &[1; 48]));
        assert!(it.is_empty());
        assert!(it.add("RSA", &[1; 8], &[1; 48]) && it.of_exchange(&[1; 256]).unwrap().premaster.is_some());
        assert!(it.add("RSA Session-ID", &[1; 32], &[1; 48]) && it.of_session_id(&[1; 32]).unwrap().master.is_some());
        assert!(it.add("QUIC_CLIENT_TRAFFIC_SECRET_0", &[1; 32], &[1; 32]) && it.of_random(&[1; 32]).unwrap().client_traffic.is_some());
    }

    /// A reader keeps its copy while more is told; a thousand blocks with a line each make few layers, and none is lost.
    #[test]
    fn copies_stand_while_more_is_told() {
        let mut it = Secrets::new();
        let mut copies = Vec::new();
        for number in 0..1000_u16 {
            let mut random = [0; 32];
            random[..2].copy_from_slice(&number.to_be_bytes());
            it.add("CLIENT_RANDOM", &random, &[1; 48]);
            it.add("CLIENT_RANDOM", &[0xff; 32], &number.to_be_bytes());
            copies.push(it.clone());
        }
        assert!(it.layers.len() <= 12, "{} layers", it.layers.len());
        assert_eq!(it.sessions(), 1001);
        for (number, copy) in (0_u16..).zip(&copies) {
            assert_eq!(copy.sessions(), u64::from(number) + 2);
            assert_eq!(copy.of_random(&[0xff; 32]).unwrap().master.unwrap().bytes(), number.to_be_bytes());
            let mut random = [0; 32];
            random[..2].copy_from_slice(&number.to_be_bytes());
            assert!(copy.of_random(&random).is_some() && it.of_random(&random).is_some());
        }
    }

    #[test]
    fn no_secret_is_printed() {
        let mut it = Secrets::new();
        it.add("CLIENT_RANDOM", &[1; 32], &[0xab; 48]);
        let shown = format!("{it:?} {:?}", it.of_random(&[1; 32]));
        assert!(!shown.contains("ab") && !shown.contains("171"), "{shown}");
    }
}
