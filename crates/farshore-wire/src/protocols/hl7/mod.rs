//! HL7 version 2: what hospitals' machines tell each other, framed as its "minimal lower layer protocol" says, over TCP.
//!
//! # What is extracted, and why it matters
//! Patients, in clear on many a ward: `hl7.patient-id`, `hl7.patient-name`, `hl7.birth-date`, `hl7.address`, `hl7.phone`,
//! `hl7.account`, `hl7.ssn`, next of kin as `hl7.next-of-kin`, insurance as `hl7.insurance-id`, what was found as
//! `hl7.diagnosis` and `hl7.observation`, and which machines talk, `hl7.sender`, `hl7.receiver`.
//!
//! # What is not
//! All other segments. Fields are told whole, with the marks between their parts; of a patient's number the first part, of
//! names the first two.
//!
//! # How it is told
//! The byte that begins a message, and the header with its separators.

use std::ops::Range;

use farshore_model::{Direction, Protection};

use super::lines::Line;
use super::{Begins, Dissector, FirstBytes, Gathered, Match, Opening, Progress, Protocol, Segment, Sink};
use crate::limits::Limits;

/// HL7.
pub static HL7: Hl7 = Hl7;

/// HL7, as a [`Protocol`].
#[derive(Debug)]
pub struct Hl7;

/// A message begins and ends (HL7 version 2, appendix C; the end is followed by a carriage return).
const BEGIN: u8 = 0x0b;
const END: u8 = 0x1c;
const HEADER: &[u8] = b"MSH";

impl Protocol for Hl7 {
    fn id(&self) -> &'static str {
        "hl7"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        opening.by_either_side(told)
    }

    fn begins(&self) -> Begins {
        Begins::stream(FirstBytes::of(&[BEGIN]))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, _: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        Box::new(Messages {
            longest: limits.message_bytes,
            lanes: Default::default(),
        })
    }
}

/// A header: `MSH`, the mark between fields, and the four or five marks within them, none a letter or a digit.
fn told(bytes: &[u8]) -> Match {
    let Some((&BEGIN, rest)) = bytes.split_first() else {
        return Match::No;
    };
    let common = rest.len().min(HEADER.len());
    if rest.get(..common) != HEADER.get(..common) {
        return Match::No;
    }
    let Some([between, marks @ .., again]) = rest.get(HEADER.len()..HEADER.len().saturating_add(6)) else {
        return Match::Maybe;
    };
    let mark = |it: &u8| it.is_ascii_punctuation();
    let fits = mark(between) && marks.iter().all(mark) && !marks.contains(between) && (again == between || mark(again));
    if fits { Match::Yes } else { Match::No }
}

/// One direction.
#[derive(Debug, Default)]
struct Lane {
    gathered: Gathered,
    /// Bytes already searched for the end of a message.
    seen: usize,
}

/// One flow.
#[derive(Debug)]
struct Messages {
    longest: usize,
    lanes: [Lane; 2],
}

impl Dissector for Messages {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let lane = direction.of_mut(&mut self.lanes);
        let Segment::Bytes(piece) = it else {
            *lane = Lane::default();
            return Progress::More;
        };
        lane.gathered.push(&piece);
        loop {
            let bytes = lane.gathered.bytes();
            let Some(length) = bytes.get(lane.seen..).and_then(|it| it.iter().position(|byte| *byte == END)) else {
                lane.seen = bytes.len();
                if lane.seen > self.longest {
                    out.limit("message-bytes");
                    *lane = Lane::default();
                }
                return Progress::More;
            };
            let end = lane.seen.saturating_add(length);
            let all = Line::all(&lane.gathered);
            let begin = all
                .get(0..end)
                .iter()
                .position(|byte| *byte == BEGIN)
                .map_or(0, |it| it.saturating_add(1));
            message(&all.part(begin..end), out);
            lane.gathered.consume(end.saturating_add(1));
            lane.seen = 0;
        }
    }
}

/// Fields that are read, by segment and number. In the header the mark between fields counts as the first.
const FIELDS: &[(&[u8], usize, &str)] = &[
    (b"MSH", 4, "hl7.sender"),
    (b"MSH", 6, "hl7.receiver"),
    (b"PID", 3, "hl7.patient-id"),
    (b"PID", 5, "hl7.patient-name"),
    (b"PID", 7, "hl7.birth-date"),
    (b"PID", 11, "hl7.address"),
    (b"PID", 13, "hl7.phone"),
    (b"PID", 14, "hl7.phone"),
    (b"PID", 18, "hl7.account"),
    (b"PID", 19, "hl7.ssn"),
    (b"NK1", 2, "hl7.next-of-kin"),
    (b"IN1", 36, "hl7.insurance-id"),
    (b"DG1", 3, "hl7.diagnosis"),
    (b"DG1", 4, "hl7.diagnosis"),
    (b"OBX", 5, "hl7.observation"),
];

fn message(all: &Line<'_>, out: &mut dyn Sink) {
    let text = all.text();
    let Some(between) = text.strip_prefix(HEADER).and_then(|it| it.first()).copied() else {
        return;
    };
    let mut from = 0_usize;
    for segment in text.split(|byte| *byte == b'\r') {
        let start = from;
        from = start.saturating_add(segment.len()).saturating_add(1);
        let name = segment.get(..HEADER.len()).unwrap_or_default();
        let mut at = start;
        for (number, field) in segment.split(|byte| *byte == between).enumerate() {
            let number = number.saturating_add(usize::from(name == HEADER && number > 0));
            let range = at..at.saturating_add(field.len());
            at = range.end.saturating_add(1);
            if let Some((.., path)) = FIELDS.iter().find(|(of, which, _)| *of == name && *which == number) {
                let parts = match *path {
                    "hl7.patient-id" => 1,
                    "hl7.patient-name" | "hl7.next-of-kin" => 2,
                    _ => usize::MAX,
                };
                all.tell(path, first_parts(text, range, parts), out);
            }
        }
    }
}

/// So many of a field's parts, of the first value where there are several. The marks between stand in the header.
fn first_parts(text: &[u8], field: Range<usize>, parts: usize) -> Range<usize> {
    let marks = HEADER.len().saturating_add(1);
    let (between, again) = (text.get(marks), text.get(marks.saturating_add(1)));
    if parts == usize::MAX {
        return field;
    }
    let mut seen = 0_usize;
    let ends = |byte: &u8| {
        seen = seen.saturating_add(usize::from(Some(byte) == between));
        Some(byte) == again || seen == parts
    };
    let length = text.get(field.clone()).and_then(|it| it.iter().position(ends));
    field.start..length.map_or(field.end, |it| field.start.saturating_add(it))
}

#[cfg(test)]
mod tests {
    use farshore_model::Transport;

    use farshore_model::Span;

    use super::super::notebook::{Notebook, damage, read_stream, stream};
    use super::*;
    use Direction::{Down, Up};

    const ADMITTED: &[u8] = b"\x0bMSH|^~\\&|WARD|ROOMS|LAB|ROOMS|20261122100000||ADT^A01|7|P|2.3\rPID|1||402133^^^ROOMS^MR~7||Muster^Alice^M||19810203|F|||1 High St^^Rooms||+4930901820\rDG1|1||J10^Influenza\r\x1c\r";
    const ANSWER: &[u8] = b"\x0bMSH|^~\\&|LAB|ROOMS|WARD|ROOMS|20261122100001||ACK|8|P|2.3\rMSA|AA|7\r\x1c\r";

    fn told_of(out: &Notebook) -> Vec<(&str, &str)> {
        let fields = out.fields.iter();
        fields
            .map(|(path, value, _)| (path.as_str(), str::from_utf8(value).unwrap()))
            .collect()
    }

    const TOLD: [(&str, &str); 8] = [
        ("hl7.sender", "ROOMS"),
        ("hl7.receiver", "ROOMS"),
        ("hl7.patient-id", "402133"),
        ("hl7.patient-name", "Muster^Alice"),
        ("hl7.birth-date", "19810203"),
        ("hl7.address", "1 High St^^Rooms"),
        ("hl7.phone", "+4930901820"),
        ("hl7.diagnosis", "J10^Influenza"),
    ];

    #[test]
    fn a_patient_is_told_in_place() {
        let out = read_stream(&HL7, (50_000, 2575), &[(Up, ADMITTED), (Down, ANSWER)]);
        assert_eq!(told_of(&out)[..8], TOLD);
        let place = ADMITTED.windows(6).position(|it| it == b"402133").unwrap() as u64;
        assert_eq!(out.fields[2].2, Span::in_frame(1, 42 + place, 6));
        assert_eq!(out.fields.len(), 10, "sender and receiver of the answer");
    }

    #[test]
    fn any_segmentation_over_tcp_tells_the_same() {
        let up = ADMITTED.repeat(2);
        for size in 1..up.len() {
            let chunks: Vec<_> = up.chunks(size).map(|it| (Up, it)).collect();
            let out = read_stream(&HL7, (50_000, 2575), &chunks);
            assert_eq!(told_of(&out), [TOLD, TOLD].concat(), "chunks of {size}");
        }
    }

    #[test]
    fn other_beginnings_are_not_it() {
        let verdict = |up: &[u8]| HL7.matches(&stream(50_000, 2575, up, b""));
        for cut in 1..9 {
            assert_eq!(verdict(&ADMITTED[..cut]), Match::Maybe, "cut at {cut}");
        }
        assert_eq!(verdict(ADMITTED), Match::Yes);
        for wrong in [&ADMITTED[1..], b"\x0bMSHaaaaaaa", b"\x0bMSH||||||", b"\x0bPID|1", b""] {
            assert_eq!(verdict(wrong), Match::No, "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn what_never_ends_is_given_up_and_said() {
        let limits = Limits {
            message_bytes: 500,
            ..Limits::default()
        };
        let mut messages = HL7.start(&stream(1, 2, ADMITTED, b""), &limits);
        let mut out = Notebook::default();
        for frame in 1..=6 {
            messages.segment(Up, Segment::Bytes(super::super::notebook::piece(frame, &[b'x'; 100])), &mut out);
        }
        assert_eq!(out.limits, ["message-bytes"]);
    }

    #[test]
    fn damage_never_panics() {
        damage(&HL7, (50_000, 2575), Transport::Tcp, Up, ADMITTED);
    }
}
