//! The beginning of a flow that no protocol has recognised yet: what is kept of it, and asking the protocols. It refuses
//! to keep what a protocol can do without: most flows are recognised, or left alone, by their first bytes as they come.

use farshore_model::Direction;

use super::headless::Looks;
use crate::protocols::{Match, Opening, Protocol, Start, candidates};
use crate::stream::{Origin, Piece};

/// Datagrams of a window that are listed without asking for memory.
const LISTED: usize = 17;

/// What the protocols say of a beginning.
pub(super) enum Recognised {
    /// This one claims it.
    Yes(&'static dyn Protocol),
    /// More bytes may tell.
    Maybe,
    /// None claims it.
    No,
}

/// Asks those protocols that its first byte leaves. The first of them, in their order, has it.
pub(super) fn recognise(opening: &Opening<'_>) -> Recognised {
    let mut best = Recognised::No;
    for protocol in candidates(opening.start) {
        match protocol.matches(opening) {
            Match::Yes => return Recognised::Yes(protocol),
            Match::Maybe => best = Recognised::Maybe,
            Match::No => {}
        }
    }
    best
}

/// A segment that is kept, without its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    carrier: u64,
    frame: u64,
    offset: u64,
    missing: u32,
    in_frame: bool,
    direction: Direction,
}

impl Kept {
    fn of(direction: Direction, piece: &Piece<'_>) -> Self {
        let Origin {
            carrier,
            frame,
            offset,
            in_frame,
        } = piece.origin;
        Self {
            carrier,
            frame,
            offset,
            missing: u32::try_from(piece.missing).unwrap_or(u32::MAX),
            in_frame,
            direction,
        }
    }

    /// The segment, with its bytes.
    pub(super) fn with<'a>(&self, bytes: &'a [u8]) -> (Direction, Piece<'a>) {
        let origin = Origin {
            carrier: self.carrier,
            frame: self.frame,
            offset: self.offset,
            in_frame: self.in_frame,
        };
        let missing = usize::try_from(self.missing).unwrap_or(usize::MAX);
        (self.direction, Piece { bytes, missing, origin })
    }
}

/// The beginning of a stream: both sides, and the segments they came in.
#[derive(Debug, Default)]
pub(super) struct Beginning {
    up: Vec<u8>,
    down: Vec<u8>,
    kept: Vec<(Kept, usize)>,
}

impl Beginning {
    /// Adds a segment at the end.
    pub(super) fn push(&mut self, direction: Direction, piece: &Piece<'_>) {
        match direction {
            Direction::Up => self.up.extend_from_slice(piece.bytes),
            Direction::Down => self.down.extend_from_slice(piece.bytes),
        }
        self.kept.push((Kept::of(direction, piece), piece.bytes.len()));
    }

    /// As protocols are shown it.
    pub(super) fn start(&self) -> Start<'_> {
        Start::Stream {
            up: &self.up,
            down: &self.down,
        }
    }

    /// Bytes of both sides.
    pub(super) fn len(&self) -> usize {
        self.up.len().saturating_add(self.down.len())
    }

    /// The segments in their order.
    pub(super) fn segments(&self) -> impl Iterator<Item = (Direction, Piece<'_>)> {
        let (mut up, mut down) = (&self.up[..], &self.down[..]);
        self.kept.iter().map(move |(kept, length)| {
            let side = match kept.direction {
                Direction::Up => &mut up,
                Direction::Down => &mut down,
            };
            let (bytes, rest) = side.split_at_checked(*length).unwrap_or((side, &[]));
            *side = rest;
            kept.with(bytes)
        })
    }
}

/// The latest datagrams.
#[derive(Debug, Default)]
pub(super) struct Window {
    kept: Vec<(Kept, Box<[u8]>)>,
    /// How many there were, those no longer kept included.
    pub(super) seen: u64,
    /// What all of them looked like.
    pub(super) looks: Looks,
}

impl Window {
    /// Adds a datagram at the end.
    pub(super) fn push(&mut self, direction: Direction, piece: &Piece<'_>) {
        // Most flows have one: room for more is asked for with the second.
        if self.kept.is_empty() {
            self.kept.reserve_exact(1);
        }
        self.seen = self.seen.saturating_add(1);
        self.looks.add(piece.bytes);
        self.kept.push((Kept::of(direction, piece), piece.bytes.into()));
    }

    /// Takes all but the latest `most` out, oldest first.
    pub(super) fn shed(&mut self, most: usize) -> impl Iterator<Item = (Kept, Box<[u8]>)> {
        self.kept.drain(..self.kept.len().saturating_sub(most))
    }

    /// Shows them and one more behind them to `ask`.
    pub(super) fn with<R>(&self, direction: Direction, latest: &[u8], ask: impl FnOnce(Start<'_>) -> R) -> R {
        let all = self.kept.iter().map(|(kept, bytes)| (kept.direction, &bytes[..]));
        let all = all.chain([(direction, latest)]);
        let mut room = [(direction, latest); LISTED];
        match room.get_mut(..=self.kept.len()) {
            Some(list) => {
                list.iter_mut().zip(all).for_each(|(place, datagram)| *place = datagram);
                ask(Start::Datagrams(list))
            }
            None => ask(Start::Datagrams(&all.collect::<Vec<_>>())),
        }
    }

    /// Their bytes.
    pub(super) fn len(&self) -> usize {
        self.kept.iter().fold(0, |sum, (_, bytes)| sum.saturating_add(bytes.len()))
    }

    /// The datagrams in their order.
    pub(super) fn datagrams(&self) -> impl Iterator<Item = (Direction, Piece<'_>)> {
        self.kept.iter().map(|(kept, bytes)| kept.with(bytes))
    }
}

#[cfg(test)]
mod tests {
    use Direction::{Down, Up};

    use super::*;

    fn piece(frame: u64, bytes: &[u8]) -> Piece<'_> {
        Piece {
            bytes,
            missing: usize::try_from(frame % 3).unwrap(),
            origin: Origin {
                carrier: frame,
                frame: frame + 1,
                offset: 42,
                in_frame: frame.is_multiple_of(2),
            },
        }
    }

    fn shown(it: (Direction, Piece<'_>)) -> (Direction, Vec<u8>, usize, Origin) {
        (it.0, it.1.bytes.to_vec(), it.1.missing, it.1.origin)
    }

    #[test]
    fn segments_come_back_as_they_went_in() {
        let sent: [(Direction, &[u8]); 6] = [(Up, b"ab"), (Down, b"cde"), (Down, b""), (Up, b"f"), (Up, b"gh"), (Down, b"i")];
        let expected: Vec<_> = (1..)
            .zip(sent)
            .map(|(frame, (way, bytes))| shown((way, piece(frame, bytes))))
            .collect();
        let (mut stream, mut window) = (Beginning::default(), Window::default());
        for (frame, (way, bytes)) in (1..).zip(sent) {
            stream.push(way, &piece(frame, bytes));
            window.push(way, &piece(frame, bytes));
        }
        assert_eq!(stream.segments().map(shown).collect::<Vec<_>>(), expected);
        assert_eq!(window.datagrams().map(shown).collect::<Vec<_>>(), expected);
        assert!(matches!(
            stream.start(),
            Start::Stream {
                up: b"abfgh",
                down: b"cdei"
            }
        ));
        assert_eq!((stream.len(), window.seen), (9, 6));
    }

    #[test]
    fn a_window_lists_its_datagrams_and_the_latest_however_many_they_are() {
        let mut window = Window::default();
        for count in 0..40_u8 {
            let listed = window.with(Down, &[0xff], |start| match start {
                Start::Datagrams(list) => list.iter().map(|(way, bytes)| (*way, bytes.to_vec())).collect(),
                _ => Vec::new(),
            });
            let expected: Vec<_> = (0..count).map(|it| (Up, vec![it])).chain([(Down, vec![0xff])]).collect();
            assert_eq!(listed, expected);
            window.push(Up, &piece(1, &[count]));
        }
        let shed: Vec<_> = window.shed(2).map(|(_, bytes)| bytes.to_vec()).collect();
        assert_eq!((shed.len(), &shed[0][..], &shed[37][..]), (38, &[0][..], &[37][..]));
        assert_eq!(
            window.datagrams().map(|(_, it)| it.bytes.to_vec()).collect::<Vec<_>>(),
            [[38], [39]]
        );
    }
}
