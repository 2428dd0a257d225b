//! A file of exchanges (HAR, mitmproxy) through its reader, and what is told of them; or one body in a coding and a form.
//!
//! Layout: options (bit 0: low ceilings, bit 1: a body), then the file; of a body its coding by its place in [`CODINGS`] and its type by
//! its place in [`KINDS`], then its bytes.

use farshore_model::exchange::{Body, Channel, Entry, Excerpt, Message, MessageKind, Request};
use farshore_model::ledger::Anomaly;
use farshore_model::observation::Observed;
use farshore_model::{Direction, Exchange, Flow, FlowId, InputId, Protection, Span, Transport};
use farshore_sources::{AtOnce, Limits as SourceLimits, Opened, open_any};
use farshore_wire::{Limits, Readable, Recorder, Records};

use crate::Script;

/// Content codings, one inside the other among them.
pub const CODINGS: [&str; 6] = ["", "gzip", "deflate", "br", "zstd", "br, gzip"];

/// Media types that are read each in its own way.
pub const KINDS: [&str; 12] = [
    "",
    "application/json",
    "text/xml",
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded",
    "application/x-protobuf",
    "application/grpc",
    "application/msgpack",
    "application/cbor",
    "application/x-plist",
    "application/dns-message",
    "image/png",
];

/// Puts a file into the layout.
pub fn file(low: bool, bytes: &[u8]) -> Vec<u8> {
    [&[u8::from(low)], bytes].concat()
}

/// Puts a body into the layout.
pub fn body(low: bool, coding: usize, kind: usize, bytes: &[u8]) -> Vec<u8> {
    [&[u8::from(low) | 2, coding as u8, kind as u8], bytes].concat()
}

/// Reads it, and checks all that is told.
pub fn run(bytes: &[u8]) {
    let mut script = Script(bytes);
    let options = script.byte();
    let limits = crate::limits(options & 1 == 1);
    if options & 2 == 0 {
        records(script.0, limits, options & 1 == 1);
    } else {
        let (coding, kind) = (usize::from(script.byte()), usize::from(script.byte()));
        carried(CODINGS[coding % CODINGS.len()], KINDS[kind % KINDS.len()], script.0, limits);
    }
}

fn records(bytes: &[u8], limits: Limits, low: bool) {
    let mut of_file = SourceLimits::default();
    if low {
        of_file.record_bytes = 300;
    }
    let Ok(Opened::Records(mut source)) = open_any(InputId(0), bytes, of_file, AtOnce::default()) else {
        return;
    };
    let packed = matches!(bytes, [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..]);
    let mut witness = Witness {
        records: 0,
        // What a file inflates to is not known here.
        bytes: if packed { u64::MAX / 2 } else { bytes.len() as u64 },
    };
    let most = limits.flows;
    let mut records = Records::new(limits);
    let mut unread = 0;
    while source.advance().expect("memory can always be read") {
        witness.records += 1;
        match source.exchange() {
            Some(exchange) => {
                assert_eq!(exchange.number, witness.records, "records are counted from 1");
                records.exchange(&exchange, &mut witness);
            }
            None => {
                unread += 1;
                records.unreadable("none");
            }
        }
    }
    assert!(!source.advance().expect("memory can always be read"), "the end is the end");
    let summary = source.finish().expect("memory can always be read");
    assert_eq!(summary.record.frames, witness.records);
    assert_eq!(
        summary.record.file_bytes,
        bytes.len() as u64,
        "the digest is that of the whole file"
    );
    assert!(summary.record.first <= summary.record.last, "{:?}", summary.record);
    let (flows, coverage) = records.finish();
    assert!(flows.len() <= most, "{} flows of at most {most}", flows.len());
    let frames = coverage.frames;
    assert_eq!((frames.total, frames.decoded + frames.stopped), (witness.records, witness.records));
    assert!(unread <= frames.stopped);
    for flow in &flows {
        assert!(flow.is_recorded() && flow.first <= flow.last, "{flow:?}");
        assert!((1..=witness.records).contains(&flow.first_frame), "{flow:?}");
    }
}

/// The bytes as a body, and as a message besides.
fn carried(coding: &str, kind: &str, bytes: &[u8], limits: Limits) {
    let header = |name: &'static str, value: &str| Entry {
        name: Excerpt::plain(name.as_bytes(), 0),
        value: Excerpt {
            bytes: value.as_bytes().to_vec().into(),
            ..Excerpt::default()
        },
    };
    let exchange = Exchange {
        input: InputId(0),
        number: 1,
        time: None,
        ended: None,
        channel: Channel {
            transport: Transport::Tcp,
            client: None,
            server: None,
            port: 443,
            connection: (&[][..]).into(),
            sealed: None,
        },
        request: Some(Request {
            headers: vec![header("content-type", kind), header("content-encoding", coding)],
            body: Some(Body {
                bytes: Excerpt::plain(bytes, 0),
                ..Body::default()
            }),
            ..Request::default()
        }),
        response: None,
        messages: vec![Message {
            direction: Direction::Down,
            time: None,
            kind: MessageKind::Binary,
            bytes: Excerpt::plain(bytes, 0),
        }],
        sent: true,
        fault: None,
    };
    let mut witness = Witness {
        records: 1,
        // The headers stand at its beginning as well.
        bytes: (bytes.len() as u64).max(64),
    };
    Records::new(limits).exchange(&exchange, &mut witness);
}

/// A recorder that believes nothing.
struct Witness {
    records: u64,
    bytes: u64,
}

impl Witness {
    fn span(&self, at: &Span, of: &str) {
        assert_eq!(
            (at.first_frame, at.frame),
            (self.records, self.records),
            "{of}: {at:?} is said of another record"
        );
        assert!(at.offset + at.length <= self.bytes, "{of}: {at:?} leaves {} bytes", self.bytes);
    }
}

impl Recorder for Witness {
    fn flow(&mut self, _: FlowId, _: Flow) {}

    fn observe(&mut self, it: Observed) {
        self.span(&it.locus.span, "a fact");
        assert_eq!((it.count, it.locus.layers.is_empty()), (1, false));
    }

    fn field(&mut self, it: Readable<'_>) {
        crate::frame::path(it.path);
        self.span(&it.at, it.path);
        assert!(it.decoded_by.len() <= farshore_wire::limits::DEEPEST + 1, "{:?}", it.decoded_by);
        assert_ne!(it.protection, Protection::Empty);
    }

    fn anomaly(&mut self, it: Anomaly) {
        assert_ne!(it.kind, "reader-fault", "a reader panicked: {}", it.because);
        assert!(it.kind.contains('-') && !it.because.is_empty(), "{it:?}");
    }

    fn limit(&mut self, name: &'static str) {
        assert!(Limits::NAMES.contains(&name), "no ceiling is named {name}");
    }

    fn wants_payload(&self) -> bool {
        true
    }
}
