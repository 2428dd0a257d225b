//! Somebody on the path who speaks in the name of one side is told, with the forged frame and the genuine one; what networks
//! do by themselves is not.

use farshore_model::ledger::Anomaly;

use crate::build::{ACK, CLIENT, End, PLAIN, SERVER, SYN, SYN_ACK, dns_answer, dns_query, ethernet, tcp, udp};
use crate::run::Tape;

const FROM: End = End(CLIENT, 50_000);
const TO: End = End(SERVER, 80);
const RST: u8 = 4;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
const GENUINE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const FORGED: &[u8] = b"HTTP/1.1 302 Found\r\nLocation: http://b.example/\r\n\r\n";

/// A tape of packets whose TTL is told.
#[derive(Default)]
struct Hops(Tape);

impl Hops {
    fn put(&mut self, ttl: u8, from: End, to: End, protocol: u8, body: &[u8]) -> &mut Self {
        let mut packet = PLAIN.packet(from.ip(), to.ip(), protocol, body);
        packet[8] = ttl;
        let at = self.0.frames.len() as i64;
        self.0.frame(at, ethernet(0x0800, &packet));
        self
    }

    fn up(&mut self, numbers: (u32, u32), flags: u8, payload: &[u8]) -> &mut Self {
        self.put(64, FROM, TO, 6, &tcp(FROM.1, TO.1, numbers.0, numbers.1, flags, payload))
    }

    fn down(&mut self, ttl: u8, numbers: (u32, u32), flags: u8, payload: &[u8]) -> &mut Self {
        self.put(ttl, TO, FROM, 6, &tcp(TO.1, FROM.1, numbers.0, numbers.1, flags, payload))
    }

    /// Frames 1 to 4: a handshake and a request.
    fn asked() -> Self {
        let mut it = Self::default();
        it.up((99, 0), SYN, b"").down(52, (499, 100), SYN_ACK, b"");
        it.up((100, 500), ACK, b"").up((100, 500), ACK, GET);
        it
    }

    /// The anomalies that speak of interference: kind and frames.
    fn told(&self) -> Vec<(&'static str, Vec<u64>, String)> {
        let frames = |it: &Anomaly| it.evidence.iter().map(|locus| locus.span.frame).collect();
        let all = self.0.run().anomalies.into_iter().filter(|it| it.kind.starts_with("interference"));
        all.map(|it| (it.kind, frames(&it), it.because.clone())).collect()
    }
}

const fn after(bytes: &[u8]) -> u32 {
    100 + bytes.len() as u32
}

#[test]
fn an_answer_that_came_before_the_genuine_one_is_told() {
    let mut it = Hops::asked();
    it.down(64, (500, after(GET)), ACK, FORGED).up((after(GET), 500), ACK, b"");
    it.down(52, (500, after(GET)), ACK, GENUINE);
    let told = it.told();
    assert_eq!((told.len(), told[0].0, &told[0].1[..]), (1, "interference-data", &[5, 7][..]));
    assert!(
        told[0].2.contains("frame 5 is the forged one and frame 7 the genuine"),
        "{}",
        told[0].2
    );
    // The other way round, and cut differently.
    let mut it = Hops::asked();
    it.down(52, (500, after(GET)), ACK, &GENUINE[..20])
        .down(52, (520, after(GET)), ACK, &GENUINE[20..]);
    it.down(200, (500, after(GET)), ACK, FORGED);
    let told = it.told();
    assert_eq!((told.len(), &told[0].1[..]), (1, &[6, 7][..]));
    assert!(told[0].2.contains("frame 7 is the forged one"), "{}", told[0].2);
}

#[test]
fn who_forged_is_left_open_when_nothing_tells() {
    let mut it = Hops::asked();
    it.down(70, (500, after(GET)), ACK, FORGED)
        .down(60, (500, after(GET)), ACK, GENUINE);
    let told = it.told();
    assert_eq!((told.len(), &told[0].1[..]), (1, &[5, 6][..]));
    assert!(told[0].2.contains("cannot be told"), "{}", told[0].2);
    // From the same distance it is odd, and no proof that anybody else spoke.
    let mut it = Hops::asked();
    it.down(52, (500, after(GET)), ACK, FORGED)
        .down(52, (500, after(GET)), ACK, GENUINE);
    assert_eq!(it.told(), []);
    let kinds: Vec<_> = it.0.run().anomalies.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, ["tcp-overlap-differs"]);
}

#[test]
fn what_is_sent_again_is_no_interference() {
    let mut it = Hops::asked();
    it.down(52, (500, after(GET)), ACK, GENUINE)
        // The route has changed: a copy, a part of it, more than it, and what follows.
        .down(49, (500, after(GET)), ACK, GENUINE)
        .down(49, (510, after(GET)), ACK, &GENUINE[10..20])
        .down(49, (510, after(GET)), ACK, &[&GENUINE[10..], b"more"].concat())
        .down(52, (500, after(GET)), ACK, &GENUINE[..9]);
    // A probe for a silent peer: one byte of garbage in front of what comes next.
    it.up((after(GET) - 1, 500), ACK, b"\0").up((100, 500), ACK, GET);
    assert_eq!(it.told(), []);
}

#[test]
fn a_reset_that_its_sender_knows_nothing_of_is_told() {
    let answer = after(GET);
    let mut it = Hops::asked();
    it.down(70, (500, answer), RST | ACK, b"").down(52, (500, answer), ACK, GENUINE);
    let told = it.told();
    assert_eq!((told.len(), told[0].0, &told[0].1[..]), (1, "interference-reset", &[5, 6][..]));
    // In answer to the SYN already; some forgers acknowledge one byte too few.
    for acknowledged in [99, 100] {
        let mut it = Hops::default();
        it.up((99, 0), SYN, b"")
            .down(46, (0, acknowledged), RST | ACK, b"")
            .down(49, (499, 100), SYN_ACK, b"");
        let told = it.told();
        assert_eq!((told.len(), told[0].0, &told[0].1[..]), (1, "interference-reset", &[2, 3][..]));
    }
}

/// A server that is not up yet refuses, and accepts half a second later; both are seen before a router and behind it.
#[test]
fn a_server_that_is_asked_again_may_accept() {
    let mut it = Hops::default();
    it.up((99, 0), SYN, b"")
        .down(64, (0, 100), RST | ACK, b"")
        .down(63, (0, 100), RST | ACK, b"")
        .up((99, 0), SYN, b"")
        .down(64, (499, 100), SYN_ACK, b"")
        .down(63, (499, 100), SYN_ACK, b"");
    assert_eq!(it.told(), []);
}

/// TTL, sequence number, flags, payload.
type Packet<'a> = (u8, u32, u8, &'a [u8]);

#[test]
fn a_reset_with_another_ttl_proves_nothing_by_itself() {
    let answer = after(GET);
    // Nothing follows; or what was under way; or the same machine's data in another order; or other resets.
    let ends: [&[Packet<'_>]; 5] = [
        &[(255, 500, RST, b"")],
        &[
            (52, 500, ACK, GENUINE),
            (255, 500 + GENUINE.len() as u32, RST, b""),
            (52, 500, ACK, GENUINE),
        ],
        &[(52, 500, RST | ACK, b""), (52, 500, ACK, GENUINE)],
        &[(255, 500, RST, b""), (52, 500, RST, b""), (52, 500, ACK, b"")],
        &[(255, 0x7000_0000, RST, b""), (52, 500, ACK, GENUINE)],
    ];
    for end in ends {
        let mut it = Hops::asked();
        for (ttl, sequence, flags, payload) in end {
            it.down(*ttl, (*sequence, answer), *flags, payload);
        }
        assert_eq!(it.told(), [], "{end:?}");
    }
}

/// A flow's own packets are compared, whatever others do in between.
#[test]
fn flows_do_not_contradict_each_other() {
    let mut it = Hops::asked();
    let other = End(CLIENT, 50_001);
    it.put(64, other, TO, 6, &tcp(other.1, TO.1, 100, 500, ACK, FORGED));
    it.put(70, TO, other, 6, &tcp(TO.1, other.1, 500, 200, RST, b""));
    it.down(52, (500, after(GET)), ACK, GENUINE);
    assert_eq!(it.told(), []);
}

const RESOLVER: End = End(SERVER, 53);
const NAME: &str = "a.example";
const TRUE: [u8; 4] = [192, 0, 2, 1];
const FALSE: [u8; 4] = [203, 0, 113, 9];

/// A query, and answers with their TTL.
fn answered(queries: usize, answers: &[(u8, Vec<u8>)]) -> Hops {
    let mut it = Hops::default();
    for _ in 0..queries {
        it.put(64, FROM, RESOLVER, 17, &udp(FROM.1, 53, &dns_query(7, NAME)));
    }
    for (ttl, answer) in answers {
        it.put(*ttl, RESOLVER, FROM, 17, &udp(53, FROM.1, answer));
    }
    it
}

#[test]
fn two_answers_to_one_query_are_told() {
    let both = [(48, dns_answer(7, NAME, FALSE)), (113, dns_answer(7, NAME, TRUE))];
    let told = answered(1, &both).told();
    assert_eq!((told.len(), told[0].0, &told[0].1[..]), (1, "interference-dns-answer", &[2, 3][..]));
    assert!(
        told[0].2.contains("frames 2 (TTL 48, IP id 0x0007) and 3 (TTL 113"),
        "{}",
        told[0].2
    );
    // Asked again meanwhile: one answer too many, and the headers tell.
    let three = [both[0].clone(), both[0].clone(), both[1].clone()];
    assert_eq!(answered(2, &three).told().len(), 1);
    // A failure, and what the server knows all the same.
    for code in [2, 5] {
        let mut failed = dns_answer(7, NAME, TRUE);
        failed.truncate(12 + NAME.len() + 2 + 4);
        failed[2..12].copy_from_slice(&[0x81, 0x80 | code, 0, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(
            answered(1, &[(200, failed.clone()), (52, dns_answer(7, NAME, TRUE))]).told().len(),
            1
        );
        assert_eq!(answered(1, &[(52, failed), (52, dns_answer(7, NAME, TRUE))]).told(), []);
    }
    // From the same distance: told with its doubt, if asked once.
    let near = [(48, dns_answer(7, NAME, FALSE)), (48, dns_answer(7, NAME, TRUE))];
    let told = answered(1, &near).told();
    assert_eq!((told.len(), told[0].2.contains("the order alone")), (1, true));
    // A name that is said not to exist, and does.
    let mut none = dns_answer(7, NAME, TRUE);
    none.truncate(12 + NAME.len() + 2 + 4);
    none[2..12].copy_from_slice(&[0x81, 0x83, 0, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(answered(1, &[(48, none), (113, dns_answer(7, NAME, TRUE))]).told().len(), 1);
}

#[test]
fn answers_that_vary_from_query_to_query_are_not() {
    let same = dns_answer(7, NAME, TRUE);
    assert_eq!(answered(1, &[(52, same.clone()), (49, same.clone())]).told(), [], "captured twice");
    assert_eq!(
        answered(2, &[(52, same.clone()), (52, dns_answer(7, NAME, FALSE))]).told(),
        [],
        "asked twice"
    );
    assert_eq!(
        answered(2, &[(54, same.clone()), (118, dns_answer(7, NAME, FALSE))]).told(),
        [],
        "asked twice, and answered by two hosts behind one address"
    );
    assert_eq!(
        answered(1, &[(52, same.clone()), (60, dns_answer(8, NAME, FALSE))]).told(),
        [],
        "to another query"
    );
    assert_eq!(
        answered(1, &[(52, same), (60, dns_answer(7, "b.example", FALSE))]).told(),
        [],
        "of another name"
    );
}

#[test]
fn a_reset_behind_a_request_that_nobody_answered_is_told() {
    let resets = |it: &Hops| {
        let all = it.0.run().anomalies.into_iter().filter(|it| it.kind == "reset-after-request");
        let frames = |it: &Anomaly| it.evidence.iter().map(|locus| locus.span.frame).collect::<Vec<_>>();
        all.map(|it| (frames(&it), it.because)).collect::<Vec<_>>()
    };
    // In the name of the server, twice: once is told.
    let mut it = Hops::asked();
    it.down(64, (500, after(GET)), RST | ACK, b"")
        .down(64, (501, after(GET)), RST | ACK, b"");
    let told = resets(&it);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].0, [4, 5]);
    assert!(told[0].1.contains("TTL 52, so this may be another sender"), "{}", told[0].1);
    // Not a refusal before anything was said, not the end of an answer, not the client's own.
    let mut closed = Hops::default();
    closed.up((99, 0), SYN, b"").down(52, (0, 100), RST | ACK, b"");
    let mut answered = Hops::asked();
    answered
        .down(52, (500, after(GET)), ACK, GENUINE)
        .down(52, (500 + GENUINE.len() as u32, after(GET)), RST, b"");
    let mut given_up = Hops::asked();
    given_up.up((after(GET), 500), RST, b"");
    for quiet in [closed, answered, given_up] {
        assert!(resets(&quiet).is_empty());
    }
}

/// Milliseconds at which the client says it, and what the server does besides: time, acknowledgement, flags, payload.
type Said<'a> = (&'a [i64], &'a [(i64, u32, u8, &'a [u8])]);

/// What is told of silence, by the frame at which patience ended.
fn silences((times, others): Said<'_>) -> Vec<u64> {
    let said = times.iter().map(|at| (*at, None));
    let mut all: Vec<_> = said.chain(others.iter().map(|it| (it.0, Some((it.1, it.2, it.3))))).collect();
    all.sort_by_key(|(at, _)| *at);
    let mut tape = Tape::default();
    tape.tcp(0, FROM, TO, (99, 0), SYN, b"").tcp(20, TO, FROM, (499, 100), SYN_ACK, b"");
    for (at, it) in all {
        match it {
            None => tape.tcp(at, FROM, TO, (100, 500), ACK, GET),
            Some((acknowledged, flags, bytes)) => tape.tcp(at, TO, FROM, (500, acknowledged), flags, bytes),
        };
    }
    let told = tape.run().anomalies;
    let told = told.iter().filter(|it| it.kind == "silence-after-request");
    told.map(|it| it.evidence[0].span.frame).collect()
}

#[test]
fn a_server_that_accepts_and_never_answers_is_told() {
    let patient: &[i64] = &[30, 230, 630, 1_430, 3_030];
    assert_eq!(silences((patient, &[])), [6]);
    // The server asks for its own again, for it hears nothing either.
    assert_eq!(silences((patient, &[(1_020, 100, SYN_ACK, b"")])), [7]);
    // At last it does answer, or takes what was said, or refuses.
    assert_eq!(silences((patient, &[(3_100, after(GET), ACK, GENUINE)])), []);
    assert_eq!(silences((patient, &[(3_100, after(GET), ACK, b"")])), []);
    assert_eq!(silences((patient, &[(3_100, after(GET), RST | ACK, b"")])), []);
    // Sent again a few times, or in no time; a packet that was captured twice was sent once.
    assert_eq!(silences((&[30, 230, 630], &[])), []);
    assert_eq!(silences((&[30, 230, 430, 630, 830], &[])), []);
    assert_eq!(silences((&[30, 31, 1_030, 1_031, 2_030, 2_031], &[])), []);
    assert_eq!(silences((&[30, 230, 430, 630, 830, 1_030], &[])), [8]);
}
