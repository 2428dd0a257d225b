//! [`Half`] against the dumbest oracle there is: one cell for each byte of the stream, and the first byte seen stands.
//!
//! Lists of operations are drawn, and made small where one fails; `PROPTEST_CASES=1000000 cargo test -p farshore-wire
//! model` draws more than the build does. It owns the meaning of a stream in any order, not what dissectors make of it.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::{Half, PATIENCE, Receipt};
use crate::limits::Limits;
use crate::stream::{Origin, Piece, Segment};

/// Where the payload begins in each frame.
const PAYLOAD: u64 = 54;

/// What happens next. The sender's place is where its next new bytes go.
#[derive(Clone, Debug)]
enum Op {
    /// New bytes.
    Send { length: usize },
    /// New bytes, the last of which the capture cut off.
    Snapped { length: usize, missing: usize },
    /// New bytes that nobody captured.
    Lose { length: usize },
    /// Two segments, the later one first.
    Swap { first: usize, second: usize },
    /// Bytes far ahead; those before them come later or never.
    Early { ahead: usize, length: usize },
    /// The true bytes once more, cut elsewhere, from before the beginning perhaps.
    Resend { back: usize, length: usize, missing: usize },
    /// Other bytes where some were sent already, or are going to be.
    Lie { back: isize, length: usize },
    /// The other side acknowledged up to there.
    Acknowledge { back: isize },
}

fn op() -> impl Strategy<Value = Op> {
    let (short, cut) = (1..8_usize, 0..6_usize);
    prop_oneof![
        6 => short.clone().prop_map(|length| Op::Send { length }),
        1 => (0..4_usize, 1..6_usize).prop_map(|(length, missing)| Op::Snapped { length, missing }),
        2 => (1..5_usize).prop_map(|length| Op::Lose { length }),
        2 => (short.clone(), short.clone()).prop_map(|(first, second)| Op::Swap { first, second }),
        2 => (1..40_usize, short).prop_map(|(ahead, length)| Op::Early { ahead, length }),
        3 => (0..50_usize, 1..40_usize, cut).prop_map(|(back, length, missing)| Op::Resend { back, length, missing }),
        3 => (-30..30_isize, 1..40_usize).prop_map(|(back, length)| Op::Lie { back, length }),
        1 => (-20..40_isize).prop_map(|back| Op::Acknowledge { back }),
    ]
}

/// How the stream begins, and what may wait.
#[derive(Clone, Debug)]
struct Setting {
    base: u32,
    /// Whether the SYN was captured.
    opened: bool,
    limits: Limits,
}

fn setting() -> impl Strategy<Value = Setting> {
    let base = prop_oneof![
        Just(0_u32),
        Just(1 << 31),
        (0..150_u32).prop_map(|before| 0_u32.wrapping_sub(before)),
        (0..150_u32).prop_map(|before| (1_u32 << 31).wrapping_sub(before)),
        any::<u32>()
    ];
    let ceilings = prop_oneof![
        3 => Just((usize::MAX, usize::MAX)),
        1 => (0..60_usize, Just(usize::MAX)),
        1 => (Just(usize::MAX), 0..12_usize),
        1 => (10..60_usize, 2..12_usize)
    ];
    (base, any::<bool>(), ceilings).prop_map(|(base, opened, (reorder_bytes, reorder_segments))| Setting {
        base,
        opened,
        limits: Limits {
            reorder_bytes,
            reorder_segments,
            ..Limits::default()
        },
    })
}

/// One segment as it is captured: its place, and the bytes that are there and missing.
struct Sent {
    at: i64,
    bytes: Vec<u8>,
    missing: usize,
}

fn truth(at: i64) -> u8 {
    (at.wrapping_mul(37) ^ (at >> 4)) as u8
}

fn segment(at: i64, length: usize, missing: usize) -> Sent {
    Sent {
        at,
        bytes: (at..at + length as i64).map(truth).collect(),
        missing,
    }
}

/// What is told of one byte of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// It was not captured.
    Gap,
    /// This is it, and it stands there in that frame.
    Byte { value: u8, frame: u64, offset: u64 },
}

/// What is known of one byte of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    Unseen,
    /// It was sent and cut off by the capture.
    CutOff,
    Seen {
        value: u8,
        frame: u64,
        offset: u64,
    },
}

/// What ought to come out.
struct Oracle {
    cells: Vec<Cell>,
    /// Everything before it was told.
    front: usize,
    acknowledged: usize,
    limits: Limits,
    told: Vec<Told>,
    hits: Vec<&'static str>,
}

impl Oracle {
    fn cell(&mut self, at: usize) -> &mut Cell {
        if self.cells.len() <= at {
            self.cells.resize(at + 1, Cell::Unseen);
        }
        &mut self.cells[at]
    }

    fn waits(&mut self, at: usize) -> bool {
        at >= self.front && matches!(self.cell(at), Cell::Seen { .. })
    }

    fn receive(&mut self, it: &Sent, frame: u64) -> Receipt {
        let end = it.at + it.bytes.len() as i64;
        let from_front = it.at <= self.front as i64;
        let mut receipt = if from_front && end + it.missing as i64 > self.front as i64 {
            Receipt::New
        } else {
            Receipt::Repeated
        };
        for (index, value) in it.bytes.iter().enumerate() {
            let Some(at) = usize::try_from(it.at + index as i64).ok().filter(|at| *at >= self.front) else {
                continue;
            };
            if !self.waits(at) {
                receipt = Receipt::New;
                *self.cell(at) = Cell::Seen {
                    value: *value,
                    frame,
                    offset: PAYLOAD + index as u64,
                };
            }
        }
        // What was cut off is known to be lost up to the next bytes that wait; alone and early it says nothing.
        if from_front || !it.bytes.is_empty() {
            for at in (end..end + it.missing as i64).filter_map(|at| usize::try_from(at).ok()) {
                if self.waits(at) {
                    break;
                }
                *self.cell(at) = Cell::CutOff;
            }
        }
        self.advance();
        if !from_front {
            while let Some(reason) = self.overdue() {
                if let Some(name) = reason {
                    self.hits.push(name);
                }
                self.give_up();
            }
            self.hits.dedup();
        }
        receipt
    }

    fn advance(&mut self) {
        loop {
            let front = self.front;
            let told = match *self.cell(front) {
                Cell::Unseen => return,
                Cell::CutOff => Told::Gap,
                Cell::Seen { value, frame, offset } => Told::Byte { value, frame, offset },
            };
            self.told.push(told);
            self.front += 1;
        }
    }

    /// Why a hole is not waited for any longer; a ceiling by its name.
    #[expect(clippy::option_option, reason = "no reason, a reason without a name, a ceiling")]
    fn overdue(&self) -> Option<Option<&'static str>> {
        let waiting = &self.cells[self.front..];
        let seen = waiting.iter().filter(|cell| matches!(cell, Cell::Seen { .. })).count();
        // Runs of bytes that came in one frame.
        let owner = |cell: Option<&Cell>| match cell {
            Some(Cell::Seen { frame, .. }) => Some(*frame),
            _ => None,
        };
        let begins = |at: &usize| {
            owner(waiting.get(*at)).is_some() && owner(at.checked_sub(1).and_then(|at| waiting.get(at))) != owner(waiting.get(*at))
        };
        let runs = (0..waiting.len()).filter(begins).count();
        if seen > self.limits.reorder_bytes {
            Some(Some("reorder-bytes"))
        } else if runs > self.limits.reorder_segments {
            Some(Some("reorder-segments"))
        } else {
            (self.acknowledged > self.front && runs >= PATIENCE).then_some(None)
        }
    }

    fn give_up(&mut self) {
        while self.cells[self.front] == Cell::Unseen {
            self.told.push(Told::Gap);
            self.front += 1;
        }
        self.advance();
    }

    fn flush(&mut self) {
        while self.cells[self.front..].iter().any(|cell| matches!(cell, Cell::Seen { .. })) {
            self.give_up();
        }
    }
}

/// The real thing beside the oracle.
struct Pair {
    half: Half,
    oracle: Oracle,
    setting: Setting,
    /// The place of the first byte, once that is settled.
    origin: Option<i64>,
    frame: u64,
    told: Vec<Told>,
    hits: Vec<&'static str>,
}

impl Pair {
    fn new(setting: Setting) -> Self {
        let mut half = Half::default();
        if setting.opened {
            half.open(setting.base.wrapping_sub(1));
        }
        Self {
            half,
            oracle: Oracle {
                cells: vec![Cell::Unseen],
                front: 0,
                acknowledged: 0,
                limits: setting.limits.clone(),
                told: Vec::new(),
                hits: Vec::new(),
            },
            origin: setting.opened.then_some(0),
            setting,
            frame: 0,
            told: Vec::new(),
            hits: Vec::new(),
        }
    }

    fn number(&self, at: i64) -> u32 {
        self.setting.base.wrapping_add(at as u32)
    }

    fn receive(&mut self, it: &Sent) {
        self.frame += 1;
        let origin = *self.origin.get_or_insert(it.at);
        let wanted = self.oracle.receive(
            &Sent {
                at: it.at - origin,
                bytes: it.bytes.clone(),
                missing: it.missing,
            },
            self.frame,
        );
        let number = self.number(it.at);
        let (frame, told, hits) = (self.frame, &mut self.told, &mut self.hits);
        let piece = Piece {
            bytes: &it.bytes,
            missing: it.missing,
            origin: Origin {
                carrier: frame,
                frame,
                offset: PAYLOAD,
                in_frame: true,
            },
        };
        let receipt = self
            .half
            .receive(number, &piece, &self.setting.limits, &mut |name| hits.push(name), &mut |segment| {
                note(&segment, told, |read_at, _| {
                    assert_eq!(read_at, frame, "bytes become readable with this frame")
                });
            });
        hits.dedup();
        assert_eq!(receipt, wanted, "frame {frame}");
        self.compare();
        assert!(self.half.pending_bytes <= self.setting.limits.reorder_bytes, "the ceiling holds");
        assert!(self.half.pending.len() <= self.setting.limits.reorder_segments, "the ceiling holds");
    }

    fn acknowledge(&mut self, at: i64) {
        if let Some(place) = self.origin.and_then(|origin| usize::try_from(at - origin).ok()) {
            self.oracle.acknowledged = self.oracle.acknowledged.max(place);
        }
        self.half.acknowledge(self.number(at));
        self.compare();
    }

    fn flush(&mut self) {
        self.oracle.flush();
        let told = &mut self.told;
        self.half.flush(&mut |segment| {
            note(&segment, told, |read_at, carrier| {
                assert_eq!(read_at, carrier, "no frame made it readable")
            });
        });
        self.compare();
        assert!(self.half.pending.is_empty() && self.half.pending_bytes == 0, "nothing is kept back");
    }

    fn compare(&self) {
        assert_eq!(self.told, self.oracle.told, "after frame {}", self.frame);
        assert_eq!(self.hits, self.oracle.hits, "after frame {}", self.frame);
        assert_eq!(self.half.position, self.oracle.front as u64);
    }
}

fn note(segment: &Segment<'_>, told: &mut Vec<Told>, check: impl Fn(u64, u64)) {
    match segment {
        Segment::Gap(size) => told.extend((0..*size).map(|_| Told::Gap)),
        Segment::Bytes(piece) => {
            assert!(!piece.bytes.is_empty() && piece.missing == 0 && piece.origin.in_frame);
            check(piece.origin.frame, piece.origin.carrier);
            told.extend((piece.origin.offset..).zip(piece.bytes).map(|(offset, value)| Told::Byte {
                value: *value,
                frame: piece.origin.carrier,
                offset,
            }));
        }
    }
}

fn play(setting: Setting, ops: &[Op]) -> Pair {
    let mut pair = Pair::new(setting);
    let mut place = 0_i64;
    for op in ops {
        match *op {
            Op::Send { length } => {
                pair.receive(&segment(place, length, 0));
                place += length as i64;
            }
            Op::Snapped { length, missing } => {
                pair.receive(&segment(place, length, missing));
                place += (length + missing) as i64;
            }
            Op::Lose { length } => place += length as i64,
            Op::Swap { first, second } => {
                pair.receive(&segment(place + first as i64, second, 0));
                pair.receive(&segment(place, first, 0));
                place += (first + second) as i64;
            }
            Op::Early { ahead, length } => pair.receive(&segment(place + ahead as i64, length, 0)),
            Op::Resend { back, length, missing } => pair.receive(&segment(place - back as i64, length, missing)),
            Op::Lie { back, length } => {
                let mut it = segment(place - back as i64, length, 0);
                it.bytes.iter_mut().for_each(|value| *value = !*value);
                pair.receive(&it);
            }
            Op::Acknowledge { back } => pair.acknowledge(place - back as i64),
        }
    }
    pair.flush();
    pair
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        // `PROPTEST_CASES` is heard here.
        cases: ProptestConfig::default().cases.max(4_096),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_stream_is_what_the_model_says(setting in setting(), ops in prop::collection::vec(op(), 1..60)) {
        play(setting, &ops);
    }
}

/// The lists above reach what they are there for: a model that never sees a ceiling holds nothing.
#[test]
fn the_lists_reach_every_corner() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut wrapped, mut bytes, mut segments, mut gaps, mut lies) = (0, 0, 0, 0, 0);
    for _ in 0..500 {
        let (setting, ops) = (setting(), prop::collection::vec(op(), 1..60))
            .new_tree(&mut runner)
            .unwrap()
            .current();
        let (base, origin) = (setting.base, i64::from(setting.base));
        let pair = play(setting, &ops);
        wrapped += usize::from(origin + pair.half.position as i64 > i64::from(u32::MAX) && base != 0);
        bytes += usize::from(pair.hits.contains(&"reorder-bytes"));
        segments += usize::from(pair.hits.contains(&"reorder-segments"));
        gaps += usize::from(pair.told.contains(&Told::Gap));
        let first = pair.origin.unwrap_or_default();
        let lied = |(at, it): (i64, &Told)| matches!(it, Told::Byte { value, .. } if *value != truth(at));
        lies += usize::from((first..).zip(&pair.told).any(lied));
    }
    for (corner, times) in [
        ("wrap", wrapped),
        ("bytes", bytes),
        ("segments", segments),
        ("gaps", gaps),
        ("lies", lies),
    ] {
        assert!(times >= 20, "{corner}: {times} of 500");
    }
}
