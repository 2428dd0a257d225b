//! Where a dissector's words go: it adds what only the engine knows, the flow, the layers, and how things stood on the wire.

use std::sync::Arc;

use farshore_model::flow::{KeyUse, SessionPrint};
use farshore_model::ledger::{Anomaly, Severity};
use farshore_model::observation::Observed;
use farshore_model::{Direction, Few, Locus, Observation, Protection, Span, Transport};

use super::inside::{Inside, Stream};
use super::opening::{Beginning, Recognised, recognise};
use super::reading::{Chain, Talk, conclude, finish, opening};
use super::scene::Scene;
use crate::crypto::srtp::Suite;
use crate::engine::Readable;
use crate::media_keys::{MediaKeys, Place};
use crate::packet::Mark;
use crate::paths::Home;
use crate::protocols::{Dissector, Field, Milestone, Opening, PROTOCOLS, Path, Progress, Protocol, Session, Sink, Start, Tried};
use crate::recording;
use crate::resumption::Token;
use crate::secrets::{Secret, Secrets};
use crate::stream::{Piece, Segment};

/// A dissector's sink.
pub(super) struct FlowSink<'a, 's> {
    layers: &'a Arc<[&'static str]>,
    inside: &'a mut Inside,
    /// How the dissector's own bytes stood on the wire.
    outer: Protection,
    /// How what it tells now stood on the wire.
    protection: Protection,
    /// What was undone to read what it tells now.
    decoded_by: Vec<&'static str>,
    /// Which of the connections in this flow it tells of now.
    connection: u64,
    talk: &'a mut Talk,
    scene: &'a mut Scene<'s>,
}

impl Chain {
    /// The dissector, and where its words go.
    pub(super) fn sink<'c, 's>(&'c mut self, talk: &'c mut Talk, scene: &'c mut Scene<'s>) -> (&'c mut dyn Dissector, FlowSink<'c, 's>) {
        let sink = FlowSink {
            layers: &self.layers,
            inside: &mut self.inner,
            outer: self.protection,
            protection: self.protection,
            decoded_by: Vec::new(),
            connection: 0,
            talk,
            scene,
        };
        (&mut *self.dissector, sink)
    }
}

impl FlowSink<'_, '_> {
    fn locus(&self, span: Span) -> Locus {
        Locus {
            input: self.scene.input,
            span,
            layers: Arc::clone(self.layers),
            decoded_by: self.decoded_by.iter().copied().collect(),
        }
    }

    /// Hands bytes to the dissector of that name.
    fn hand(&mut self, direction: Direction, hint: &'static str, it: Segment<'_>) -> Progress {
        self.call(hint, None, |dissector, sink| dissector.segment(direction, it, sink))
    }

    /// Calls the dissector of that name, started if need be, for one stream if there are several.
    fn call(
        &mut self,
        hint: &'static str,
        number: Option<u64>,
        call: impl FnOnce(&mut dyn Dissector, &mut dyn Sink) -> Progress,
    ) -> Progress {
        if self.inside.chain(hint, number).is_none() {
            let Some(protocol) = named(hint) else { return Progress::Done };
            let dissector = protocol.start(&opening(Start::Hinted, self.layers, self.scene), &self.scene.known.limits);
            let layers = self.scene.told.layers.of(self.layers.iter().copied().chain([hint]));
            self.talk.names(hint);
            self.inside.begin(Chain {
                hint,
                dissector,
                layers,
                number: number.map(|it| (it, [false; 2])),
                protection: self.protection,
                inner: Inside::default(),
            });
        }
        let Some(chain) = self.inside.chain(hint, number) else {
            return Progress::Done;
        };
        chain.protection = self.protection;
        let (dissector, mut sink) = chain.sink(self.talk, self.scene);
        sink.decoded_by.clone_from(&self.decoded_by);
        call(dissector, &mut sink)
    }

    /// Asks the protocols whose a stream inside is that begins so. Over datagrams it may as well be datagrams.
    fn recognise(&self, direction: Direction, latest: &Piece<'_>, begun: &Beginning) -> Recognised {
        let latest = [(direction, latest.bytes)];
        let datagrams = opening(Start::Datagrams(&latest), self.layers, self.scene);
        if datagrams.transport == Transport::Udp
            && let Recognised::Yes(protocol) = recognise(&datagrams)
        {
            return Recognised::Yes(protocol);
        }
        recognise(&Opening {
            transport: Transport::Tcp,
            start: begun.start(),
            ..datagrams
        })
    }

    /// Shows bytes that no protocol reads.
    fn payload(&mut self, direction: Direction, piece: &Piece<'_>) {
        let shown = self.inside.stream().show(direction, piece.bytes.len());
        if shown == 0 && !self.scene.recorder.wants_payload() {
            return;
        }
        self.scene.recorder.field(Readable {
            flow: self.scene.flow,
            input: self.scene.input,
            layers: self.layers,
            path: match self.layers.last() {
                Some(&"tls") => "tls.payload",
                Some(&"dtls") => "dtls.payload",
                Some(&"quic") => "quic.payload",
                _ => "stream.payload",
            },
            value: piece.bytes,
            at: piece.origin.span(0..piece.bytes.len()),
            gathered: None,
            protection: self.protection,
            payload: true,
            direction: Some(direction),
            decoded_by: &self.decoded_by,
        });
    }
}

/// The protocol of that name.
fn named(hint: &str) -> Option<&'static dyn Protocol> {
    PROTOCOLS.iter().find(|protocol| protocol.id() == hint).copied()
}

impl Sink for FlowSink<'_, '_> {
    fn observe(&mut self, it: Observation, at: Span) {
        let locus = self.locus(at);
        self.scene.recorder.observe(Observed {
            flow: self.scene.flow,
            time: self.scene.time,
            locus,
            protection: self.protection,
            what: it,
            again: Few::none(),
            count: 1,
        });
    }

    fn field(&mut self, it: Field<'_>) {
        // Descriptions of media stand in bodies, of whatever protocol.
        if it.path.contains("body") {
            let place = Place {
                reading: self.scene.reading,
                flow: self.scene.flow,
                frame: it.at.frame,
                protection: self.protection,
            };
            self.scene
                .told
                .media_keys
                .note(it.value, &place, self.scene.known.limits.media_keys);
        }
        self.scene.recorder.field(Readable {
            flow: self.scene.flow,
            input: self.scene.input,
            layers: self.layers,
            path: it.path,
            value: it.value,
            at: it.at,
            gathered: None,
            protection: self.protection,
            payload: false,
            direction: None,
            decoded_by: &self.decoded_by,
        });
    }

    fn anomaly(&mut self, kind: &'static str, severity: Severity, because: String, at: Span) {
        let evidence = vec![self.locus(at)];
        self.scene.recorder.anomaly(Anomaly {
            kind,
            severity,
            because,
            flow: Some(self.scene.flow),
            evidence,
        });
    }

    fn interference(&mut self, kind: &'static str, because: String, places: [Span; 2]) {
        let evidence = places.map(|at| self.locus(at)).to_vec();
        self.scene.recorder.anomaly(Anomaly {
            kind,
            severity: Severity::Warning,
            because,
            flow: Some(self.scene.flow),
            evidence,
        });
    }

    fn mark(&self) -> Option<Mark> {
        self.scene.mark
    }

    fn inner(&mut self, direction: Direction, hint: &'static str, it: Segment<'_>) {
        self.hand(direction, hint, it);
    }

    fn stream(&mut self, direction: Direction, hint: Option<&'static str>, it: Segment<'_>) -> Progress {
        let (undecided, hint) = match (std::mem::take(self.inside.stream()), hint) {
            (Stream::Named(hint), _) => {
                *self.inside.stream() = Stream::Named(hint);
                return self.hand(direction, hint, it);
            }
            (unknown @ Stream::Unknown { .. }, _) => {
                *self.inside.stream() = unknown;
                if let Segment::Bytes(piece) = it {
                    self.payload(direction, &piece);
                }
                let enough = self.inside.stream().is_spent() && !self.scene.recorder.wants_payload();
                return if enough { Progress::Done } else { Progress::More };
            }
            (Stream::Undecided(undecided), hint) => (undecided, hint),
            (Stream::Silent, hint) => (Box::default(), hint),
        };
        let mut undecided = undecided;
        if let Segment::Bytes(piece) = &it {
            undecided.push(direction, piece);
        }
        let recognised = match (hint, &it) {
            (Some(hint), _) => Some(hint),
            // What came before a gap no longer leads on.
            (None, Segment::Gap(_)) => None,
            (None, Segment::Bytes(piece)) => match self.recognise(direction, piece, &undecided) {
                Recognised::Yes(protocol) => Some(protocol.id()),
                Recognised::Maybe if undecided.len() <= self.scene.known.limits.opening_bytes => {
                    *self.inside.stream() = Stream::Undecided(undecided);
                    return Progress::More;
                }
                Recognised::Maybe | Recognised::No => None,
            },
        };
        *self.inside.stream() = match (recognised, &it) {
            (Some(hint), _) => Stream::Named(hint),
            (None, Segment::Bytes(_)) => Stream::Unknown { up: 0, down: 0 },
            (None, Segment::Gap(_)) => Stream::Silent,
        };
        let mut progress = Progress::More;
        for (direction, piece) in undecided.segments() {
            match recognised {
                Some(hint) => progress = self.hand(direction, hint, Segment::Bytes(piece)),
                None => self.payload(direction, &piece),
            }
        }
        if let (Some(hint), Segment::Gap(_)) = (recognised, it) {
            progress = self.hand(direction, hint, it);
        }
        progress
    }

    fn substream(&mut self, number: u64, direction: Direction, hint: Option<&'static str>, it: Segment<'_>, end: bool) {
        let Some(protocol) = hint.and_then(named) else {
            if matches!(self.inside.stream(), Stream::Silent) {
                *self.inside.stream() = Stream::Unknown { up: 0, down: 0 };
            }
            if let Segment::Bytes(piece) = it {
                self.payload(direction, &piece);
            }
            return;
        };
        // One reader for all streams of a connection, or one for each.
        let for_each = !protocol.is_multiplexed();
        let own = match (for_each, self.connection) {
            (true, _) => Some(number),
            (false, 0) => None,
            (false, connection) => Some(connection),
        };
        self.call(protocol.id(), own, |dissector, sink| {
            dissector.substream(number, direction, it, end, sink)
        });
        if end
            && for_each
            && let Some(mut chain) = self.inside.over(number, direction)
        {
            finish(&mut chain, self.talk, self.scene);
            conclude(&mut chain, self.talk, self.scene);
        }
    }

    fn carries(&mut self, it: &'static str) {
        self.talk.names(it);
    }

    fn protection(&mut self, it: Protection) {
        // What runs inside an opened channel says nothing of the flow's own protection.
        if self.outer == Protection::Plaintext {
            self.talk.protection = Some(it);
        }
    }

    fn milestone(&mut self, it: Milestone) {
        let hello = &mut self.talk.hello;
        match it {
            Milestone::ClientSealed => self.talk.sealed = true,
            Milestone::HelloSent if !hello.answered => {
                hello.void |= hello.sent.is_some();
                hello.sent = self.scene.time;
            }
            Milestone::HelloRepeated if !hello.answered => hello.void = true,
            Milestone::HelloAnswered if !hello.answered => {
                hello.answered = true;
                hello.round_trip = hello.sent.zip(self.scene.time).and_then(|(sent, now)| now.since(sent));
            }
            _ => {}
        }
    }

    fn client_speaks(&mut self, direction: Direction) {
        self.talk.client.get_or_insert(direction);
    }

    fn limit(&mut self, name: &'static str) {
        self.scene.recorder.limit(name);
    }

    fn secrets(&self) -> &Secrets {
        &self.scene.known.secrets
    }

    fn media_key(&mut self, suite: &'static str, master: Vec<u8>, frame: u64) {
        let Some(suite) = Suite::named(suite.as_bytes()) else { return };
        let place = Place {
            reading: self.scene.reading,
            flow: self.scene.flow,
            frame,
            protection: Protection::Dtls,
        };
        self.scene
            .told
            .media_keys
            .agreed(suite, master, &place, self.scene.known.limits.media_keys);
    }

    fn wants_sound(&self) -> bool {
        self.scene.recorder.wants_sound()
    }

    fn sound(&mut self, it: recording::Piece<'_>) {
        self.scene.recorder.sound(self.scene.flow, it);
    }

    fn media_keys(&self) -> &MediaKeys {
        &self.scene.known.media_keys
    }

    fn tried(&self) -> Arc<Tried> {
        Arc::clone(&self.scene.known.tried)
    }

    fn resumable(&mut self, tokens: &[Token], master: Secret, session: SessionPrint) {
        let when = (self.scene.reading, self.scene.flow);
        for token in tokens {
            self.scene.told.resumptions.tell(*token, when, (master, session));
        }
    }

    fn renewed(&mut self, token: Token, others: &[Token]) {
        self.scene
            .told
            .resumptions
            .renew(token, (self.scene.reading, self.scene.flow), others);
    }

    fn may_keep(&mut self) -> bool {
        let when = (self.scene.reading, self.scene.flow);
        self.scene.told.resumptions.may_keep(when, self.scene.known.limits.resumed_sessions)
    }

    fn resumed(&self, tokens: &[Token]) -> (bool, Option<(Secret, SessionPrint)>) {
        let known = &self.scene.known.resumptions;
        (known.keeps(self.scene.flow), known.master(tokens))
    }

    fn path(&mut self, it: Path<'_>) {
        let home = |direction| Home {
            flow: self.scene.home,
            direction,
        };
        match it {
            Path::Issued(id, direction) => self.scene.told.paths.issue(id, home(direction)),
            Path::Retired(id) => self.scene.told.paths.retire(id),
            Path::Opened(print, client) => self.scene.told.paths.open(print, client),
        }
    }

    fn session(&mut self, it: Session) {
        let keys = self.talk.keys.get_or_insert_with(Box::<KeyUse>::default);
        match it {
            Session::Opened(print) if !keys.opened.contains(&print) => keys.opened.push(print),
            Session::Opened(_) => {}
            Session::Missed(reason) => {
                keys.missed.get_or_insert(reason);
            }
        }
    }

    fn under(&mut self, it: Protection) {
        // Inside an opened channel the outer one is what hid it.
        if self.outer == Protection::Plaintext {
            self.protection = it;
        }
    }

    fn connection(&mut self, number: u64) {
        self.connection = number;
    }

    fn decoded(&mut self, by: &[&'static str]) {
        self.decoded_by.clear();
        self.decoded_by.extend_from_slice(by);
    }
}
