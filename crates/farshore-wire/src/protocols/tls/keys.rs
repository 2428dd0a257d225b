//! From hellos and a key log to the keys of both directions. It owns which secret belongs where, and why a session stays closed; it
//! refuses to open records itself, and to say more of a session than its records prove.

use std::borrow::Cow;

use farshore_model::Direction;
use farshore_model::flow::{KeyUse, SessionPrint};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384};

use super::opener::{Opener, Stage};
use crate::crypto::hello::{Answer, Offer, encrypted_alpn, new_ticket};
use crate::crypto::{self, Classic, Ends, Hash, Modern, Randoms, Suite, Terms, suites};
use crate::protocols::{Session, Sink};
use crate::resumption::{Token, token};
use crate::secrets::{Known, Purpose, Secret, Secrets};

/// Bytes of handshake kept where a master secret has to be made from them.
const TRANSCRIPT: usize = 1 << 17;

/// What sessions of one connection go by, at most: those that are renegotiated have a few.
const OWN: usize = 64;

/// The keys of one conversation.
pub(super) struct Keys {
    up: Side,
    down: Side,
    client: Direction,
    offer: Option<Offer>,
    answer: Option<Answer>,
    known: Option<Known>,
    /// The keys that the next change of ciphers brings, up to TLS 1.2.
    next: Option<Ends>,
    /// What was said so far, where the master secret has to be made from it.
    transcript: Vec<u8>,
    /// The protocol inside, as the server named it.
    alpn: Option<Vec<u8>>,
    missed: Option<Cow<'static, str>>,
    /// The session whose keys are in use, and the one of which it was told that it was opened.
    session: Option<SessionPrint>,
    told: Option<SessionPrint>,
    /// The sessions of this connection so far, by what they go by.
    own: Vec<(Token, Secret, SessionPrint)>,
    /// The client's hello came, and could not be read: a part of it is missing.
    cut: bool,
    /// A session begins: no other goes on.
    anew: bool,
    /// The ticket that the server gave.
    ticket: Option<Token>,
    /// The session that goes on here.
    goes_on_from: Option<SessionPrint>,
}

#[derive(Default)]
struct Side {
    opener: Option<Opener>,
    /// Protected records went by.
    sealed: bool,
}

impl Keys {
    pub(super) fn new() -> Self {
        Self {
            up: Side::default(),
            down: Side::default(),
            client: Direction::Up,
            offer: None,
            answer: None,
            known: None,
            next: None,
            transcript: Vec::new(),
            alpn: None,
            missed: None,
            session: None,
            told: None,
            own: Vec::new(),
            cut: false,
            anew: false,
            ticket: None,
            goes_on_from: None,
        }
    }

    const fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        }
    }

    /// What opens the next record of a direction, if anything does.
    pub(super) fn opener(&mut self, direction: Direction) -> Option<&mut Opener> {
        self.side(direction).opener.as_mut()
    }

    /// Whether records of that kind are sealed in a direction, and opened.
    pub(super) fn seals(&self, direction: Direction, kind: u8) -> bool {
        let opener = match direction {
            Direction::Up => &self.up.opener,
            Direction::Down => &self.down.opener,
        };
        opener.as_ref().is_some_and(|it| it.seals(kind))
    }

    /// Whether any record may still be opened.
    pub(super) const fn is_live(&self) -> bool {
        self.up.opener.is_some() || self.down.opener.is_some()
    }

    /// The protocol inside, as the server named it.
    pub(super) fn alpn(&self) -> Option<&[u8]> {
        self.alpn.as_deref()
    }

    /// Takes a whole handshake message, in clear or opened.
    pub(super) fn message(&mut self, direction: Direction, message: &[u8], secrets: &Secrets) {
        let modern = self.is_modern();
        match message.first() {
            Some(1) => self.client_hello(direction, message, secrets),
            Some(2) => self.server_hello(direction, message, secrets),
            Some(8) if modern => self.alpn = encrypted_alpn(message).or(self.alpn.take()),
            Some(16) if !modern => {
                self.note(message);
                self.exchange(message, secrets);
            }
            Some(4) if !modern => {
                self.note(message);
                self.ticket = new_ticket(message);
            }
            // The server shows a certificate, or agrees on a key: a session that goes on does without (RFC 5246 section 7.3).
            Some(11 | 12 | 14) => {
                self.note(message);
                self.anew = true;
            }
            _ => self.note(message),
        }
        if !modern {
            return;
        }
        if let Some(opener) = self.opener(direction) {
            match message.first() {
                Some(5) => opener.turn(Stage::Early),
                Some(20) => opener.turn(Stage::Handshake),
                Some(24) => opener.turn(Stage::Traffic),
                _ => {}
            }
        }
    }

    fn client_hello(&mut self, direction: Direction, message: &[u8], secrets: &Secrets) {
        let again = self.answer.as_ref().is_some_and(Answer::is_retry);
        let Ok(offer) = Offer::read(message) else {
            self.cut = true;
            return;
        };
        self.client = direction;
        self.transcript.clear();
        self.note(message);
        self.answer = None;
        self.next = None;
        self.anew = false;
        self.ticket = None;
        self.goes_on_from = None;
        self.known = secrets.of_random(&offer.random);
        // What is sent early is sealed under a suite that only the session before tells: those offered are tried.
        if let Some(early) = self.known.and_then(|it| it.client_early).filter(|_| offer.early_data && !again) {
            let mut opener = Opener::modern();
            for suite in &offer.suites {
                let suite = Suite::named(&suites::name(*suite)).filter(|_| is_modern_suite(*suite));
                if let Some(keys) = suite.and_then(|suite| Modern::new(suite, early.bytes())) {
                    opener.add(Stage::Early, keys);
                }
            }
            self.side(direction).opener = opener.has(Stage::Early).then_some(opener);
            self.session = Some(print_of(&offer));
        }
        self.offer = Some(offer);
    }

    fn server_hello(&mut self, direction: Direction, message: &[u8], secrets: &Secrets) {
        let Ok(answer) = Answer::read(message) else { return };
        self.client = direction.reverse();
        self.note(message);
        if answer.is_retry() {
            self.answer = Some(answer);
            return;
        }
        self.alpn.clone_from(&answer.alpn);
        if self.known.is_none() && !answer.session_id.is_empty() {
            self.known = secrets.of_session_id(&answer.session_id);
        }
        self.answer = Some(answer);
        if self.is_modern() {
            self.refresh(secrets);
        }
    }

    /// Takes up what has become known of a session since its hellos: a key log may be written line by line. Says whether there are
    /// keys now that were not there before.
    pub(super) fn refresh(&mut self, secrets: &Secrets) -> bool {
        let Some((suite, _)) = self.suite() else { return false };
        if let Some(offer) = &self.offer
            && let Some(known) = secrets.of_random(&offer.random)
        {
            self.known = Some(known);
        }
        if !self.is_modern() {
            return false;
        }
        let Some(known) = self.known else { return false };
        self.session = self.offer.as_ref().map(print_of);
        let mut more = false;
        let client = self.client;
        for (direction, handshake, traffic) in [
            (client, known.client_handshake, known.client_traffic),
            (client.reverse(), known.server_handshake, known.server_traffic),
        ] {
            for (stage, secret) in [(Stage::Handshake, handshake), (Stage::Traffic, traffic)] {
                if let Some(keys) = secret.and_then(|secret| Modern::new(suite, secret.bytes())) {
                    let opener = self.side(direction).opener.get_or_insert_with(Opener::modern);
                    if !opener.has(stage) {
                        opener.add(stage, keys);
                        more = true;
                    }
                }
            }
        }
        more
    }

    /// The client's premaster secret goes by, sealed for the server (RFC 5246 section 7.4.7.1). A key log may know it by that.
    fn exchange(&mut self, message: &[u8], secrets: &Secrets) {
        if self.known.is_some_and(|it| it.master.is_some()) {
            return;
        }
        let Some((suite, answer)) = self.suite() else { return };
        let Some(offer) = &self.offer else { return };
        let by_exchange = || secrets.of_exchange(message.get(6..)?);
        let Some(premaster) = self.known.or_else(by_exchange).and_then(|it| it.premaster) else {
            return;
        };
        let schedule = (answer.version >= 0x0303).then(|| suite.schedule());
        let master = if answer.extended_master {
            let digest = match schedule {
                Some(Hash::Sha384) => Sha384::digest(&self.transcript).to_vec(),
                Some(_) => Sha256::digest(&self.transcript).to_vec(),
                None => [&md5(&self.transcript)[..], &Sha1::digest(&self.transcript)].concat(),
            };
            crypto::extended_master(schedule, premaster.bytes(), &digest)
        } else {
            let randoms = Randoms {
                client: &offer.random,
                server: &answer.random,
            };
            crypto::master(schedule, premaster.bytes(), randoms)
        };
        self.known.get_or_insert_default().master = crate::secrets::Secret::new(&master);
    }

    /// A change of ciphers goes by: up to TLS 1.2 the next record of the direction is sealed.
    pub(super) fn change(&mut self, direction: Direction, secrets: &Secrets) {
        if self.is_modern() || self.answer.is_none() {
            return;
        }
        if self.next.is_none() {
            self.next = self.derive(secrets);
            // Until then the keys of the session before are in use.
            if self.next.is_some() {
                self.session = self.goes_on_from.or(self.offer.as_ref().map(print_of));
            }
        }
        let keys = match &mut self.next {
            Some(ends) => ends.take(direction == self.client),
            None => self.suite().and_then(|(suite, _)| Classic::open_to_all(suite)),
        };
        self.side(direction).opener = keys.map(Opener::classic);
    }

    /// What the session goes by that this one may be, or go on with: an id, a ticket.
    fn tokens(&self) -> Vec<Token> {
        let (Some(offer), Some(answer)) = (&self.offer, &self.answer) else {
            return Vec::new();
        };
        let echoed = Some(&answer.session_id).filter(|id| **id == offer.session_id);
        [offer.ticket, echoed.and_then(|id| token(id))].into_iter().flatten().collect()
    }

    /// Whether another session goes on whose secret is not known here: the ciphers change, and nothing was agreed on.
    pub(super) fn goes_on(&self) -> bool {
        let answered = self
            .answer
            .as_ref()
            .is_some_and(|it| (0x0301..=0x0303).contains(&it.version) && !it.is_retry());
        let closed = self.known.is_none_or(|it| it.master.is_none());
        answered
            && closed
            && !self.anew
            && !self.tokens().is_empty()
            && self.suite().is_some_and(|(suite, _)| Classic::open_to_all(suite).is_none())
    }

    /// The server changes its ciphers: what the session goes by from here on is known.
    pub(super) fn tell(&mut self, out: &mut dyn Sink) {
        let Some(answer) = self.answer.as_ref().filter(|it| it.version < 0x0304) else {
            return;
        };
        if let (Some(master), Some(print)) = (self.known.and_then(|it| it.master), self.session) {
            let tokens: Vec<Token> = [token(&answer.session_id), self.ticket].into_iter().flatten().collect();
            out.resumable(&tokens, master, print);
            for token in tokens {
                if self.own.len() < OWN && !self.own.iter().any(|(known, ..)| *known == token) {
                    self.own.push((token, master, print));
                }
            }
        } else if let Some(ticket) = self.ticket.filter(|_| self.goes_on()) {
            out.renewed(ticket, &self.tokens());
        }
    }

    /// All flows have told theirs: takes up the secret of the session that goes on, for the directions that changed their ciphers. Says
    /// whether what was kept of them counts, and whether it may be opened.
    pub(super) fn resume(&mut self, changed: [bool; 2], out: &dyn Sink) -> (bool, bool) {
        let (counts, master) = out.resumed(&self.tokens());
        let Some((master, print)) = master.filter(|_| counts) else {
            return (counts, false);
        };
        self.known.get_or_insert_default().master = Some(master);
        self.goes_on_from = Some(print);
        for direction in [Direction::Up, Direction::Down].into_iter().filter(|it| *it.of(&changed)) {
            self.change(direction, out.secrets());
        }
        (true, self.is_live())
    }

    /// Takes up the secret of a session of this connection that goes on, if one does.
    fn recall(&mut self) {
        let tokens = self.tokens();
        let before = self.own.iter().find(|(token, ..)| tokens.contains(token));
        if let Some((_, master, print)) = before.filter(|_| !self.anew) {
            self.known.get_or_insert_default().master = Some(*master);
            self.goes_on_from = Some(*print);
        }
    }

    fn derive(&mut self, secrets: &Secrets) -> Option<Ends> {
        if self.known.is_none() {
            let offer = self.offer.as_ref()?;
            self.known = secrets.of_random(&offer.random);
        }
        if self.known.is_none_or(|it| it.master.is_none()) {
            self.recall();
        }
        let (suite, answer) = self.suite()?;
        let (offer, master) = (self.offer.as_ref()?, self.known?.master?);
        if answer.compressed || !(0x0301..=0x0303).contains(&answer.version) {
            return None;
        }
        let terms = Terms {
            suite,
            version: answer.version,
            encrypt_then_mac: answer.encrypt_then_mac,
        };
        let randoms = Randoms {
            client: &offer.random,
            server: &answer.random,
        };
        Ends::derive(terms, master.bytes(), randoms)
    }

    fn suite(&self) -> Option<(Suite, &Answer)> {
        let answer = self.answer.as_ref()?;
        Some((Suite::named(&suites::name(answer.suite))?, answer))
    }

    fn is_modern(&self) -> bool {
        self.answer.as_ref().is_some_and(|it| it.version >= 0x0304)
    }

    fn note(&mut self, message: &[u8]) {
        let master = self.known.is_some_and(|it| it.master.is_some());
        if !master && self.transcript.len().saturating_add(message.len()) <= TRANSCRIPT {
            self.transcript.extend_from_slice(message);
        }
    }

    /// A protected record goes by that nothing opens.
    pub(super) fn passed(&mut self, direction: Direction) {
        self.side(direction).sealed = true;
    }

    /// Records of a direction will not be opened any more.
    pub(super) fn give_up(&mut self, direction: Direction, because: &'static str) {
        let side = self.side(direction);
        side.opener = None;
        side.sealed = true;
        self.missed.get_or_insert(Cow::Borrowed(because));
    }

    /// A record was opened.
    pub(super) fn opened(&mut self, out: &mut dyn Sink) {
        if let Some(print) = self.session.filter(|it| self.told != Some(*it)) {
            self.told = Some(print);
            out.session(Session::Opened(print));
        }
    }

    /// Nothing more will be read: says why something stayed closed, if anything did.
    pub(super) fn close(&mut self, lost: Lost, out: &mut dyn Sink) {
        if out.secrets().is_empty() {
            return;
        }
        if let Some(because) = self.missed.take().or_else(|| self.reason(lost)) {
            out.session(Session::Missed(because));
        }
    }

    fn reason(&self, lost: Lost) -> Option<Cow<'static, str>> {
        // What is not there for a loss is not there for any other reason.
        let or_lost = |because: &'static str| Some(if lost == Lost::Nothing { because } else { LOSS }.into());
        let failed = |side: &Side| side.opener.as_ref()?.reason(lost);
        if let Some(because) = failed(&self.up).or_else(|| failed(&self.down)) {
            return Some(because.into());
        }
        let closed = |side: &Side| side.sealed && side.opener.is_none();
        if !closed(&self.up) && !closed(&self.down) {
            return None;
        }
        if self.offer.is_none() {
            let begun = self.cut || lost == Lost::Beginning;
            return Some(if begun { LOSS } else { "the capture begins after the handshake" }.into());
        }
        let Some(answer) = self.answer.as_ref().filter(|it| !it.is_retry()) else {
            return match self.known {
                Some(_) => or_lost("no answer of the server was captured"),
                None => Some(KeyUse::NO_SUCH_SESSION.into()),
            };
        };
        let Some(known) = self.known else {
            return Some(KeyUse::NO_SUCH_SESSION.into());
        };
        let name = suites::name(answer.suite);
        if answer.version < 0x0301 {
            return Some("unsupported version SSL 3.0".into());
        }
        if Suite::named(&name).is_none() {
            return Some(format!("unsupported suite {name}").into());
        }
        if answer.compressed {
            return Some("compressed before it was encrypted".into());
        }
        let is_missing = |it: Purpose| Cow::Owned(format!("the key log has no {} for the session", it.label()));
        if answer.version < 0x0304 {
            return match known.master {
                None => Some(is_missing(Purpose::Master)),
                Some(_) => or_lost("the change of ciphers was not captured"),
            };
        }
        let client_closed = closed(if self.client == Direction::Up { &self.up } else { &self.down });
        let purposes = if client_closed {
            [
                (Purpose::ClientTraffic, known.client_traffic),
                (Purpose::ClientHandshake, known.client_handshake),
            ]
        } else {
            [
                (Purpose::ServerTraffic, known.server_traffic),
                (Purpose::ServerHandshake, known.server_handshake),
            ]
        };
        purposes.iter().find(|(_, secret)| secret.is_none()).map(|(it, _)| is_missing(*it))
    }
}

/// Bytes of the session were never captured.
pub(super) const LOSS: &str = "packet loss";

/// What is missing of a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Lost {
    #[default]
    Nothing,
    /// Some of it, though it was captured from its beginning or from any other place on.
    Bytes,
    /// The first bytes of a side: the connection was seen to begin, and they were not.
    Beginning,
}

/// What a session goes by: the beginning of its client's random.
fn print_of(offer: &Offer) -> SessionPrint {
    let [a, b, c, d, e, f, g, h, ..] = offer.random;
    [a, b, c, d, e, f, g, h]
}

/// Suites of TLS 1.3 (RFC 8446 appendix B.4).
fn is_modern_suite(suite: u16) -> bool {
    matches!(suite, 0x1301..=0x1305)
}

fn md5(bytes: &[u8]) -> [u8; 16] {
    use md5::Digest;
    md5::Md5::digest(bytes).into()
}
