//! Conversations in lines of text: takes both directions of a stream apart into lines (or counted bytes, where a line
//! announced some), and hands on as TLS what follows an upgrade. It knows no protocol: each says by [`Talk`] what its
//! lines mean.

use std::ops::Range;

use farshore_model::{Direction, Span, Transport};

use super::{Dissector, Field, Gathered, Match, Opening, Piece, Progress, Segment, Sink, Start};
use crate::limits::Limits;

/// Who sent a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The client.
    Client,
    /// The server.
    Server,
}

impl Who {
    /// Of two things, the client's first, this one's.
    pub const fn of_mut<T>(self, both: &mut [T; 2]) -> &mut T {
        let [client, server] = both;
        match self {
            Self::Client => client,
            Self::Server => server,
        }
    }
}

/// What follows a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Another line.
    Line,
    /// So many bytes as they are, then a line.
    Bytes(u64),
}

/// What the lines of one protocol mean.
pub trait Talk: Send {
    /// Takes the next line, or the bytes that were asked for.
    fn line(&mut self, who: Who, line: &Line<'_>, out: &mut dyn Sink) -> Then;
    /// Bytes of that side were lost.
    fn lost(&mut self, who: Who);
    /// Whether `$`, a channel and a length may stand before other bytes between lines (RFC 2326, section 10.12).
    fn interleaves(&self) -> bool {
        false
    }
    /// Takes such bytes, with their channel.
    fn interleaved(&mut self, direction: Direction, channel: u8, it: &Line<'_>, out: &mut dyn Sink) {
        let _ = (direction, channel, it, out);
    }
}

/// A line without its end, or announced bytes; ranges count from its first byte.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    gathered: &'a Gathered,
    range: Range<usize>,
}

impl<'a> Line<'a> {
    /// All that is gathered, as one.
    pub fn all(gathered: &'a Gathered) -> Self {
        Self {
            gathered,
            range: 0..gathered.len(),
        }
    }

    /// Its bytes.
    pub fn text(&self) -> &'a [u8] {
        self.gathered.bytes().get(self.range.clone()).unwrap_or_default()
    }

    /// Some of its bytes.
    pub fn get(&self, range: Range<usize>) -> &'a [u8] {
        self.text().get(range).unwrap_or_default()
    }

    /// Where a range of it stands.
    pub fn span(&self, range: Range<usize>) -> Span {
        let place = |at: usize| self.range.start.saturating_add(at).min(self.range.end);
        self.gathered.span(place(range.start)..place(range.end))
    }

    /// The word at or behind `from`: what stands between spaces.
    pub fn word(&self, from: usize) -> Option<Range<usize>> {
        let rest = self.rest(from);
        let length = self.get(rest.clone()).iter().position(|byte| matches!(byte, b' ' | b'\t'));
        let end = length.map_or(rest.end, |it| rest.start.saturating_add(it));
        (rest.start < end).then_some(rest.start..end)
    }

    /// All from `from` on, without white space around it.
    pub fn rest(&self, from: usize) -> Range<usize> {
        let end = self.text().trim_ascii_end().len();
        let tail = self.get(from..end.max(from));
        let start = from.saturating_add(tail.len().saturating_sub(tail.trim_ascii_start().len()));
        start..end.max(start)
    }

    /// Its first word in capitals, and where the word ends.
    pub fn command(&self) -> (Vec<u8>, usize) {
        match self.word(0) {
            Some(word) => (self.get(word.clone()).to_ascii_uppercase(), word.end),
            None => (Vec::new(), 0),
        }
    }

    /// A part of it.
    pub fn part(&self, range: Range<usize>) -> Self {
        let place = |at: usize| self.range.start.saturating_add(at).min(self.range.end);
        Self {
            gathered: self.gathered,
            range: place(range.start)..place(range.end.max(range.start)),
        }
    }

    /// Hands on a part of it, unless that is empty.
    pub fn tell(&self, path: &str, range: Range<usize>, out: &mut dyn Sink) {
        let value = self.get(range.clone());
        if !value.is_empty() {
            let at = self.span(range);
            out.field(Field { path, value, at });
        }
    }

    /// Hands on what a part of it means once decoded.
    pub fn tell_as(&self, path: &str, value: &[u8], range: Range<usize>, out: &mut dyn Sink) {
        if !value.is_empty() {
            let at = self.span(range);
            out.field(Field { path, value, at });
        }
    }

    /// The lines within announced bytes.
    pub fn lines(&self) -> impl Iterator<Item = Line<'a>> + use<'a> {
        let (gathered, mut next) = (self.gathered, self.range.start);
        self.text().split_inclusive(|byte| *byte == b'\n').map(move |whole| {
            let start = next;
            next = start.saturating_add(whole.len());
            Line {
                gathered,
                range: start..start.saturating_add(bare(whole).len()),
            }
        })
    }
}

/// A line without its end.
fn bare(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A path: `prefix` and a name from the wire, lower-cased, cut at 64 bytes, its odd bytes replaced.
pub fn path(prefix: &str, name: &[u8]) -> String {
    let name = name.iter().take(64).map(|byte| match byte {
        b'a'..=b'z' | b'0'..=b'9' | b'-' => char::from(*byte),
        b'A'..=b'Z' => char::from(byte.to_ascii_lowercase()),
        _ => '_',
    });
    let mut path = format!("{prefix}.");
    path.extend(name);
    path
}

/// The first line of `bytes`, if it is whole.
pub fn first(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    bytes.get(..=end).map(bare)
}

/// The whole lines at the front of `bytes`, and whether something is left behind them.
pub fn whole(bytes: &[u8]) -> (Vec<&[u8]>, bool) {
    let mut lines = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n').take(16) {
        if !line.ends_with(b"\n") {
            return (lines, true);
        }
        lines.push(bare(line));
    }
    (lines, false)
}

/// How well what was said so far fits a protocol: by the client, by the server, and at the server's port.
pub type Told = fn(&[u8], &[u8], u16) -> Match;

/// Whether that recognises a TCP conversation, whichever side was taken for the client.
pub fn either_way(opening: &Opening<'_>, told: Told) -> Match {
    match opening.start {
        Start::Hinted => Match::Yes,
        Start::Stream { up, down } if opening.transport == Transport::Tcp => {
            match (told(up, down, opening.server_port), told(down, up, opening.client_port)) {
                (Match::Yes, _) | (_, Match::Yes) => Match::Yes,
                (Match::Maybe, _) | (_, Match::Maybe) => Match::Maybe,
                _ => Match::No,
            }
        }
        Start::Stream { .. } | Start::Datagrams(_) => Match::No,
    }
}

/// Who sends commands: as the flow has it, unless only the other way round makes sense.
pub fn client_of(opening: &Opening<'_>, told: Told) -> Direction {
    match opening.start {
        Start::Stream { up, down }
            if told(up, down, opening.server_port) != Match::Yes && told(down, up, opening.client_port) == Match::Yes =>
        {
            Direction::Down
        }
        _ => Direction::Up,
    }
}

/// Which of some commands a line begins with, in any case.
pub fn command(line: &[u8], commands: &[&'static [u8]]) -> Option<&'static [u8]> {
    let word = line.split(|byte| *byte == b' ').next()?;
    commands.iter().find(|it| it.eq_ignore_ascii_case(word)).copied()
}

/// One direction.
#[derive(Debug, Default)]
struct Lane {
    gathered: Gathered,
    /// Bytes of `gathered` already searched for the end of a line.
    seen: usize,
    /// Announced bytes still to come before the next line.
    announced: Option<u64>,
    /// The line is longer than anybody keeps: nothing is told until it ends.
    skipping: bool,
    /// TLS has begun.
    upgraded: bool,
}

/// A conversation of one flow.
#[derive(Debug)]
pub struct Conversation<T> {
    talk: T,
    client: Direction,
    /// Whether the client was said to be the client.
    told: bool,
    lanes: [Lane; 2],
    longest: usize,
}

impl<T: Talk> Conversation<T> {
    /// Begins one; `client` is who sends commands.
    pub fn new(talk: T, client: Direction, limits: &Limits) -> Self {
        Self {
            talk,
            client,
            told: false,
            lanes: Default::default(),
            longest: limits.message_bytes,
        }
    }
}

impl<T: Talk> Dissector for Conversation<T> {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let lane = direction.of_mut(&mut self.lanes);
        if lane.upgraded {
            out.inner(direction, "tls", it);
            return Progress::More;
        }
        let who = if direction == self.client { Who::Client } else { Who::Server };
        match it {
            Segment::Gap(_) => {
                *lane = Lane::default();
                self.talk.lost(who);
            }
            Segment::Bytes(piece) => {
                if !std::mem::replace(&mut self.told, true) {
                    out.client_speaks(self.client);
                }
                if let Some(rest) = lane.feed(&piece, self.longest, (direction, who), &mut self.talk, out) {
                    lane.upgraded = true;
                    lane.gathered.clear();
                    out.inner(direction, "tls", Segment::Bytes(rest));
                }
            }
        }
        Progress::More
    }
}

impl Lane {
    /// Takes a piece; what is left of it when TLS begins comes back.
    fn feed<'p>(
        &mut self,
        piece: &Piece<'p>,
        longest: usize,
        (direction, who): (Direction, Who),
        talk: &mut dyn Talk,
        out: &mut dyn Sink,
    ) -> Option<Piece<'p>> {
        self.gathered.push(piece);
        loop {
            if let Some(left) = self.announced {
                let have = self.gathered.len() as u64;
                if left > longest as u64 {
                    // More than anybody keeps: counted off.
                    let now = have.min(left);
                    self.gathered.consume(usize::try_from(now).unwrap_or(usize::MAX));
                    if now == left {
                        self.announced = None;
                        continue;
                    }
                    // The rest stays too much, so that it is counted off as well.
                    self.announced = Some(left.saturating_sub(now).max(1));
                    self.skipping |= left.saturating_sub(now) <= longest as u64;
                    return None;
                }
                if self.skipping {
                    let now = have.min(left);
                    self.gathered.consume(usize::try_from(now).unwrap_or(usize::MAX));
                    if now < left {
                        self.announced = Some(left.saturating_sub(now));
                        return None;
                    }
                    (self.announced, self.skipping) = (None, false);
                    continue;
                }
                if have < left {
                    return None;
                }
                self.announced = None;
                let length = usize::try_from(left).unwrap_or(usize::MAX);
                self.unit(length, length, who, talk, out);
                continue;
            }
            let bytes = self.gathered.bytes();
            // No line of text begins with the type of a TLS handshake record (RFC 8446, section 5.1). Whatever stood
            // before it was a whole line, so it lies in the latest piece.
            if bytes.first() == Some(&0x16) && self.seen == 0 {
                return Some(piece.last(bytes.len()));
            }
            if let [b'$', frame @ ..] = bytes
                && talk.interleaves()
                && self.seen == 0
                && !self.skipping
            {
                let &[channel, high, low, ..] = frame else { return None };
                let whole = usize::from(u16::from_be_bytes([high, low])).saturating_add(4);
                if whole > longest {
                    self.announced = Some(whole as u64);
                    self.skipping = true;
                    continue;
                }
                if bytes.len() < whole {
                    return None;
                }
                let it = Line {
                    gathered: &self.gathered,
                    range: 4..whole,
                };
                talk.interleaved(direction, channel, &it, out);
                self.gathered.consume(whole);
                continue;
            }
            let Some(length) = bytes.get(self.seen..).and_then(|it| it.iter().position(|byte| *byte == b'\n')) else {
                self.seen = bytes.len();
                if self.seen > longest {
                    if !self.skipping {
                        out.limit("message-bytes");
                    }
                    self.skipping = true;
                    self.gathered.clear();
                    self.seen = 0;
                }
                return None;
            };
            let end = self.seen.saturating_add(length).saturating_add(1);
            self.seen = 0;
            if std::mem::take(&mut self.skipping) {
                self.gathered.consume(end);
                continue;
            }
            let text = bare(self.gathered.bytes().get(..end).unwrap_or_default()).len();
            self.unit(text, end, who, talk, out);
        }
    }

    fn unit(&mut self, text: usize, end: usize, who: Who, talk: &mut dyn Talk, out: &mut dyn Sink) {
        let line = Line {
            gathered: &self.gathered,
            range: 0..text,
        };
        if let Then::Bytes(length) = talk.line(who, &line, out) {
            self.announced = Some(length);
        }
        self.gathered.consume(end);
    }
}

#[cfg(test)]
mod tests {
    use super::super::notebook::feed;
    use super::*;

    /// Tells each unit, and takes the bytes that `{n}` announces.
    struct Parrot;

    impl Talk for Parrot {
        fn line(&mut self, who: Who, line: &Line<'_>, out: &mut dyn Sink) -> Then {
            let path = if who == Who::Client { "c" } else { "s" };
            line.tell(path, 0..line.text().len(), out);
            let digits = line.text().strip_prefix(b"{").and_then(|it| it.strip_suffix(b"}"));
            match digits.and_then(|it| std::str::from_utf8(it).ok()?.parse().ok()) {
                Some(length) => Then::Bytes(length),
                None => Then::Line,
            }
        }

        fn lost(&mut self, _: Who) {}
    }

    fn parrot(longest: usize) -> Conversation<Parrot> {
        let limits = Limits {
            message_bytes: longest,
            ..Limits::default()
        };
        Conversation::new(Parrot, Direction::Up, &limits)
    }

    #[test]
    fn lines_and_announced_bytes_come_apart_at_any_cut() {
        let text = b"one\r\n{5}\r\na\nb\ncd\n{40}\r\n0123456789012345678901234567890123456789e\r\n\x16\x03\x01";
        for size in 1..=text.len() {
            let chunks: Vec<_> = text.chunks(size).map(|it| (Direction::Up, it)).collect();
            let out = feed(&mut parrot(20), &chunks);
            assert_eq!(out.values("c"), ["one", "{5}", "a\nb\nc", "d", "{40}", "e"], "chunks of {size}");
            let inner: Vec<u8> = out.inner.iter().flat_map(|(_, _, bytes)| bytes.clone()).collect();
            assert_eq!(inner, b"\x16\x03\x01", "chunks of {size}");
        }
    }

    #[test]
    fn a_line_too_long_is_passed_over_and_the_next_is_told() {
        let long = [&[b'x'; 50][..], b"\nshort\n"].concat();
        let chunks: Vec<_> = long.chunks(7).map(|it| (Direction::Down, it)).collect();
        let out = feed(&mut parrot(20), &chunks);
        assert_eq!((out.values("s"), out.limits), (vec!["short".to_owned()], vec!["message-bytes"]));
    }

    /// Each byte is looked at once, however the line was cut: a quadratic search would take minutes here.
    #[test]
    fn a_long_line_byte_by_byte_takes_no_time() {
        let long = [&vec![b'x'; 1 << 16][..], b"\n"].concat();
        let chunks: Vec<_> = long.chunks(1).map(|it| (Direction::Up, it)).collect();
        let out = feed(&mut parrot(1 << 18), &chunks);
        assert_eq!(out.values("c")[0].len(), 1 << 16);
    }

    #[test]
    fn a_gap_begins_a_new_line() {
        let mut it = parrot(100);
        let mut out = super::super::notebook::Notebook::default();
        for (frame, segment) in [(1, Some(&b"PAS"[..])), (2, None), (3, Some(&b"QUIT\r\n"[..]))] {
            let segment = segment.map_or(Segment::Gap(9), |bytes| Segment::Bytes(super::super::notebook::piece(frame, bytes)));
            it.segment(Direction::Up, segment, &mut out);
        }
        assert_eq!(out.values("c"), ["QUIT"]);
        assert_eq!(out.fields[0].2, Span::in_frame(3, 42, 4));
    }
}
