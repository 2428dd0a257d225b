//! Payload that no protocol reads: sampled, and shown to detectors that look for values byte by byte. What one side of a
//! TCP connection says in one go is shown as one, however it was cut into segments: a value has no seams.
//!
//! It refuses to keep more than a few kilobytes of a flow, and none of it for long: until the other side speaks, a line ends,
//! bytes are missing, or enough is there. Datagrams and messages are shown one by one.

use farshore_model::{Direction, Protection, Span, Transport};

use super::reading::transport_name;
use super::sample::Sample;
use super::scene::Scene;
use crate::engine::Readable;
use crate::stream::{Gathered, Piece};
use crate::transport::sctp;

/// So much is shown in any case.
const ENOUGH: usize = 2048;
/// No word that what follows may go on with is longer.
const LONGEST_WORD: usize = 256;

/// What a flow has of it.
#[derive(Debug, Default)]
pub(super) struct Opaque {
    /// How the bytes of each direction are spread.
    pub(super) of: [Sample; 2],
    /// Bytes of each direction that have gone by, those that are kept included.
    passed: [u64; 2],
    /// What waits to be shown.
    kept: Option<Box<Kept>>,
}

/// What one side has said so far.
#[derive(Debug)]
struct Kept {
    direction: Direction,
    bytes: Gathered,
}

/// Takes the next bytes of one direction.
pub(super) fn show(direction: Direction, piece: &Piece<'_>, opaque: &mut Option<Box<Opaque>>, scene: &mut Scene<'_>) {
    let it = opaque.get_or_insert_default();
    let sample = direction.of_mut(&mut it.of);
    let room = sample.room();
    sample.take(piece.bytes);
    let last = sample.room() == 0;
    let passed = direction.of_mut(&mut it.passed);
    let before = *passed;
    *passed = passed.saturating_add(piece.bytes.len() as u64).saturating_add(piece.missing as u64);
    if it.kept.as_ref().is_some_and(|kept| kept.direction != direction) {
        tell(&mut it.kept, Until::End, scene);
    }
    // Logins and registrations come first: the opening is always shown, the rest when somebody looks for known values.
    let all = scene.recorder.wants_payload();
    if room == 0 && !all {
        tell(&mut it.kept, Until::End, scene);
        return;
    }
    // SCTP keeps messages apart.
    let alone = scene.transport != Transport::Tcp || scene.recorder.wants_segments();
    if alone || it.kept.is_none() && is_over(piece) {
        let shown = if piece.missing == 0 {
            piece.bytes
        } else {
            whole_words(piece.bytes)
        };
        field(direction, shown, piece.origin.span(0..shown.len()), None, scene);
        return;
    }
    let kept = it.kept.get_or_insert_with(|| {
        let mut bytes = Gathered::default();
        bytes.pass(usize::try_from(before).unwrap_or(usize::MAX));
        Box::new(Kept { direction, bytes })
    });
    kept.bytes.push(piece);
    let until = if piece.missing > 0 {
        Until::WholeWord
    } else if is_over(piece) || last && !all {
        Until::End
    } else if kept.bytes.len() >= ENOUGH {
        Until::Break
    } else {
        return;
    };
    tell(&mut it.kept, until, scene);
}

/// Bytes of one direction are missing.
pub(super) fn gap(direction: Direction, length: u64, opaque: &mut Option<Box<Opaque>>, scene: &mut Scene<'_>) {
    let Some(it) = opaque else { return };
    let passed = direction.of_mut(&mut it.passed);
    *passed = passed.saturating_add(length);
    if it.kept.as_ref().is_some_and(|kept| kept.direction == direction) {
        tell(&mut it.kept, Until::WholeWord, scene);
    }
}

/// Nothing follows.
pub(super) fn end(opaque: &mut Option<Box<Opaque>>, scene: &mut Scene<'_>) {
    if let Some(it) = opaque {
        tell(&mut it.kept, Until::End, scene);
    }
}

/// How much of what is kept is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// All of it.
    End,
    /// What comes before a word that may have been cut; the rest is lost.
    WholeWord,
    /// What comes before a word that may go on; the rest is kept.
    Break,
}

fn tell(kept: &mut Option<Box<Kept>>, until: Until, scene: &mut Scene<'_>) {
    let Some(mut it) = kept.take() else { return };
    let bytes = it.bytes.bytes();
    let length = match until {
        Until::End => bytes.len(),
        Until::WholeWord => whole_words(bytes).len(),
        Until::Break => before_last_word(bytes),
    };
    field_of(it.direction, length, &it.bytes, scene);
    if until == Until::Break && length < bytes.len() {
        it.bytes.consume(length);
        *kept = Some(it);
    }
}

/// What was gathered.
fn field_of(direction: Direction, length: usize, gathered: &Gathered, scene: &mut Scene<'_>) {
    let Some(shown) = gathered.bytes().get(..length) else { return };
    field(direction, shown, gathered.span(0..length), Some(gathered), scene);
}

fn field(direction: Direction, shown: &[u8], at: Span, gathered: Option<&Gathered>, scene: &mut Scene<'_>) {
    let outer = [transport_name(scene.transport)];
    let tunnels = scene.within.as_ref().map(|it| it.iter().copied().chain(outer).collect::<Vec<_>>());
    scene.recorder.field(Readable {
        flow: scene.flow,
        input: scene.input,
        layers: tunnels.as_deref().unwrap_or(&outer),
        path: match scene.transport {
            Transport::Tcp => "tcp.payload",
            Transport::Udp => "udp.payload",
            Transport::Icmp | Transport::Icmp6 => "icmp.payload",
            Transport::Other(sctp::NUMBER) => "sctp.payload",
            Transport::Other(_) => "ip.payload",
        },
        value: shown,
        at,
        gathered,
        protection: Protection::Plaintext,
        payload: true,
        direction: Some(direction),
        decoded_by: &[],
    });
}

/// Whether a line, a string or a document ends with it: what follows is another.
fn is_over(piece: &Piece<'_>) -> bool {
    piece.missing == 0 && matches!(piece.bytes.last(), Some(b'\n' | b'\0' | b'}' | b'>'))
}

/// Without the word at the end, which the capture may have cut: half an address or a number is another's.
fn whole_words(bytes: &[u8]) -> &[u8] {
    let of_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'@' | b'.' | b'_' | b'-' | b'+' | b':' | b'%');
    let end = bytes.iter().rposition(|byte| !of_word(byte)).map_or(0, |at| at.saturating_add(1));
    bytes.get(..end).unwrap_or_default()
}

/// Where the last word begins, with the name it may stand behind; all of it if no word ends it.
fn before_last_word(bytes: &[u8]) -> usize {
    let last = bytes.get(bytes.len().saturating_sub(LONGEST_WORD)..).unwrap_or(bytes);
    let ends = |byte: &u8| !byte.is_ascii_graphic() || matches!(byte, b'&' | b';' | b',' | b'<' | b'>' | b'{' | b'}' | b'|');
    let after = last.iter().rev().take_while(|byte| !ends(byte)).count();
    bytes.len().saturating_sub(if after < last.len() { after } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_the_capture_may_have_cut_is_left_out() {
        assert_eq!(whole_words(b"tel: 5550199 mail: ann@voice.exa"), b"tel: 5550199 mail: ");
        assert_eq!(whole_words(b"\x01\x02ann@voice.example\0"), b"\x01\x02ann@voice.example\0");
        assert_eq!(whole_words(b"ann"), b"");
    }

    #[test]
    fn a_word_that_may_go_on_waits_with_its_name() {
        assert_eq!(before_last_word(b"a=1&imei=49015"), 4);
        assert_eq!(before_last_word(b"\x01\x07ann@voice.exa"), 2);
        assert_eq!(before_last_word(b"ends \x80"), 6);
        assert_eq!(before_last_word(&[b'a'; 300]), 300);
    }
}
