//! SSH: remote logins (RFC 4253).
//!
//! # What is extracted, and why it matters
//! The software at both ends, down to the patch its distribution made, stands in clear before any key: `ssh.software`.
//!
//! # What is not
//! The offers of ciphers that follow, and all behind them: the flow is [`Protection::Opaque`] once both ends have spoken.
//! Version 1 is named like version 2.
//!
//! # How it is told
//! A side begins with `SSH-`, a version and a dash. Lines that a server may send before that are not looked through.

use farshore_model::Protection;

use super::greetings::Greetings;
use super::lines::Line;
use super::{Begins, Dissector, FirstBytes, Gathered, Match, Opening, Protocol, Sink};
use crate::limits::Limits;

/// SSH.
pub static SSH: Ssh = Ssh;

/// SSH, as a [`Protocol`].
#[derive(Debug)]
pub struct Ssh;

const BEGINNING: &[u8] = b"SSH-";
/// Bytes of an identification, its end included (RFC 4253, section 4.2).
const LONGEST: usize = 255;

impl Protocol for Ssh {
    fn id(&self) -> &'static str {
        "ssh"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        opening.by_either_side(told)
    }

    fn begins(&self) -> Begins {
        Begins::stream(FirstBytes::of(b"S"))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, _: &Opening<'_>, _: &Limits) -> Box<dyn Dissector> {
        Box::new(Greetings::new(identified, Some(Protection::Opaque)))
    }
}

fn told(bytes: &[u8]) -> Match {
    let common = bytes.len().min(BEGINNING.len());
    if bytes.is_empty() || bytes.get(..common) != BEGINNING.get(..common) {
        return Match::No;
    }
    match software(bytes) {
        Some(_) => Match::Yes,
        None if bytes.len() < 12
            && bytes
                .get(common..)
                .is_some_and(|it| it.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')) =>
        {
            Match::Maybe
        }
        None => Match::No,
    }
}

/// Where the software's name begins: behind `SSH-`, a version and a dash.
fn software(bytes: &[u8]) -> Option<usize> {
    let version = bytes.strip_prefix(BEGINNING)?;
    let dash = version.iter().take(6).position(|byte| *byte == b'-')?;
    let fits = matches!(version.get(..dash)?, [b'1' | b'2', b'.', rest @ ..] if !rest.is_empty() && rest.iter().all(u8::is_ascii_digit));
    fits.then_some(BEGINNING.len().saturating_add(dash).saturating_add(1))
}

/// Tells the software once its line is whole; whether nothing more is awaited.
fn identified(gathered: &Gathered, out: &mut dyn Sink) -> bool {
    let all = Line::all(gathered);
    match all.text().iter().take(LONGEST).position(|byte| *byte == b'\n') {
        Some(end) => {
            if let Some(from) = software(all.text()) {
                let line = all.part(0..end);
                line.tell("ssh.software", line.rest(from), out);
            }
            true
        }
        None => all.text().len() >= LONGEST,
    }
}

#[cfg(test)]
mod tests {
    use farshore_model::Transport;

    use farshore_model::Direction::{Down, Up};
    use farshore_model::Span;

    use super::super::notebook::{damage, read_stream, stream};
    use super::*;

    const CLIENT: &[u8] = b"SSH-2.0-Rooms_9.2 Debian-2\r\n\x00\x00\x05\xdc\x04\x14";
    const SERVER: &[u8] = b"SSH-1.99-RoomsServer_3\n\x00\x00\x05\xdc\x04\x14";

    #[test]
    fn the_software_of_both_ends_is_told_and_the_rest_is_sealed() {
        let out = read_stream(&SSH, (50_000, 22), &[(Down, SERVER), (Up, CLIENT)]);
        let at = |frame, length| Span::in_frame(frame, 42 + 8 + u64::from(frame == 1), length);
        let path = || "ssh.software".to_owned();
        assert_eq!(
            out.fields,
            [
                (path(), b"RoomsServer_3".to_vec(), at(1, 13)),
                (path(), b"Rooms_9.2 Debian-2".to_vec(), at(2, 18)),
            ]
        );
        assert_eq!(out.protection, Some(Protection::Opaque));
        // One end alone has sealed nothing yet.
        assert_eq!(read_stream(&SSH, (50_000, 22), &[(Up, CLIENT)]).protection, None);
    }

    #[test]
    fn any_segmentation_over_tcp_tells_the_same() {
        for size in 1..CLIENT.len() {
            let chunks: Vec<_> = CLIENT
                .chunks(size)
                .map(|it| (Up, it))
                .chain(SERVER.chunks(size).map(|it| (Down, it)))
                .collect();
            let out = read_stream(&SSH, (50_000, 22), &chunks);
            assert_eq!(
                out.values("ssh.software"),
                ["Rooms_9.2 Debian-2", "RoomsServer_3"],
                "chunks of {size}"
            );
            assert_eq!(out.protection, Some(Protection::Opaque));
        }
    }

    #[test]
    fn what_begins_otherwise_is_not_it() {
        let verdict = |up: &[u8]| SSH.matches(&stream(50_000, 22, up, b""));
        assert_eq!(verdict(CLIENT), Match::Yes);
        for cut in 1..8 {
            assert_eq!(verdict(&CLIENT[..cut]), Match::Maybe, "cut at {cut}");
        }
        for wrong in [
            &b"SSH 2.0-x\n"[..],
            b"SSH-2-x\n",
            b"SSH-three.0-x\n",
            b"SSH-2.0x",
            b"HTTP/1.1 200 OK\r\n",
            b"",
        ] {
            assert_eq!(verdict(wrong), Match::No, "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn damage_never_panics() {
        damage(&SSH, (50_000, 22), Transport::Tcp, Up, CLIENT);
    }
}
