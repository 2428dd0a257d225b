//! DCE/RPC over TCP: calls of procedures between machines of Windows and their servers (C706, MS-RPCE).
//!
//! # What is extracted, and why it matters
//! Who logs in by NTLM, to which domain, from which machine: `dcerpc.user`, `dcerpc.domain`, `dcerpc.workstation`, in clear also where
//! the calls are encrypted; `dcerpc.server` as it calls itself. What calls carry is shown in part, unless it is encrypted:
//! `dcerpc.sent`, `dcerpc.received`.
//!
//! # What is not
//! What calls mean; logins by Kerberos. Where calls are encrypted, the flow is [`Protection::Opaque`].
//!
//! # How it is told
//! A fragment of version 5 that begins a connection: its kind, how numbers are spelled, and lengths that fit each other (C706, chapter 12).

use farshore_model::{Direction, Protection};

use super::lane::Lane;
use super::lines::Line;
use super::{Begins, Dissector, FirstBytes, Match, Opening, Progress, Protocol, Segment, Sink, ntlm};
use crate::cursor::{Cursor, Stop};
use crate::limits::Limits;

/// DCE/RPC.
pub static DCERPC: DceRpc = DceRpc;

/// DCE/RPC, as a [`Protocol`].
#[derive(Debug)]
pub struct DceRpc;

impl Protocol for DceRpc {
    fn id(&self) -> &'static str {
        "dcerpc"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        opening.by_either_side(told)
    }

    fn begins(&self) -> Begins {
        Begins::stream(FirstBytes::of(&[VERSION]))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, _: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        Box::new(Session {
            lanes: Default::default(),
            shown: [0; 2],
            longest: limits.message_bytes,
        })
    }
}

const VERSION: u8 = 5;
/// Kinds of fragments (C706, section 12.6.4).
const REQUEST: u8 = 0;
const RESPONSE: u8 = 2;
const BIND: u8 = 11;
const BIND_ACK: u8 = 12;
const ALTER: u8 = 14;
const AUTH: u8 = 16;
/// Bytes before what a fragment carries, those before what a call carries, and those before what proves who somebody is.
const HEAD: usize = 16;
const CALL_HEAD: usize = 24;
const PROOF_HEAD: usize = 8;
/// Bytes of calls that are shown each way, as of flows that nobody reads.
const SHOWN: usize = 4096;
/// Calls are encrypted (MS-RPCE, section 2.2.1.1.8).
const PRIVACY: u8 = 6;

/// A fragment's head.
#[derive(Clone, Copy, Debug)]
struct Head {
    kind: u8,
    length: usize,
    /// Of what proves who somebody is, at the end.
    proof: usize,
}

fn head(bytes: &[u8]) -> Result<Head, Stop> {
    let mut it = Cursor::new("dcerpc", bytes);
    let start = it;
    let (version, minor, kind) = (it.u8()?, it.u8()?, it.u8()?);
    it.skip(1)?;
    let [order, floats, 0, 0] = it.array::<4>()? else {
        return Err(start.forbidden());
    };
    let little = order == 0x10;
    if version != VERSION || minor > 1 || kind > 19 || !matches!(order, 0 | 0x10) || floats > 3 {
        return Err(start.forbidden());
    }
    let mut number = || {
        it.array::<2>()
            .map(|it| usize::from(if little { u16::from_le_bytes(it) } else { u16::from_be_bytes(it) }))
    };
    let (length, proof) = (number()?, number()?);
    let taken = if proof == 0 {
        HEAD
    } else {
        HEAD.saturating_add(PROOF_HEAD).saturating_add(proof)
    };
    if length < taken {
        return Err(start.forbidden());
    }
    Ok(Head { kind, length, proof })
}

/// Whether a side begins a connection.
fn told(bytes: &[u8]) -> Match {
    if bytes.is_empty() {
        return Match::No;
    }
    let begins = |it: u8| matches!(it, BIND | BIND_ACK);
    match head(bytes) {
        Ok(it) if begins(it.kind) && it.length >= HEAD + 12 => Match::Yes,
        Ok(_) => Match::No,
        Err(_) => {
            let at = |place: usize, fits: &dyn Fn(u8) -> bool| bytes.get(place).is_none_or(|it| fits(*it));
            let fits = at(0, &|it| it == VERSION) && at(1, &|it| it <= 1) && at(2, &begins) && at(4, &|it| matches!(it, 0 | 0x10));
            let fits = fits && at(5, &|it| it <= 3) && at(6, &|it| it == 0) && at(7, &|it| it == 0);
            if fits && bytes.len() < 12 { Match::Maybe } else { Match::No }
        }
    }
}

/// One flow.
#[derive(Debug)]
struct Session {
    lanes: [Lane; 2],
    /// Bytes of calls that were shown.
    shown: [usize; 2],
    longest: usize,
}

impl Dissector for Session {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let lane = direction.of_mut(&mut self.lanes);
        let shown = direction.of_mut(&mut self.shown);
        if !lane.take(&it, |bytes| head(bytes).is_ok()) {
            return Progress::More;
        }
        let gathered = &mut lane.gathered;
        loop {
            let bytes = gathered.bytes();
            let head = match head(bytes) {
                Ok(it) => it,
                Err(_) if bytes.len() < 12 => return Progress::More,
                Err(_) => return Progress::Lost,
            };
            let calls = matches!(head.kind, REQUEST | RESPONSE);
            let proves = head.proof > 0 && matches!(head.kind, BIND | BIND_ACK | ALTER..=AUTH);
            let wanted = proves || calls && (head.proof > 0 || *shown < SHOWN);
            if wanted && head.length <= self.longest {
                if bytes.len() < head.length {
                    return Progress::More;
                }
                let all = Line::all(gathered);
                let end = head.length.saturating_sub(head.proof);
                if proves {
                    ntlm::tell(all.get(end..head.length), "dcerpc", &[], |it| all.span(moved(it, end)), out);
                } else if head.proof > 0 && all.get(end.saturating_sub(PROOF_HEAD)..end).get(1) == Some(&PRIVACY) {
                    out.protection(Protection::Opaque);
                } else {
                    let path = if head.kind == REQUEST { "dcerpc.sent" } else { "dcerpc.received" };
                    let end = if head.proof > 0 { end.saturating_sub(PROOF_HEAD) } else { end };
                    all.tell(path, CALL_HEAD.min(end)..end, out);
                    *shown = shown.saturating_add(end);
                }
            }
            match head.kind {
                REQUEST | BIND | ALTER | AUTH => out.client_speaks(direction),
                RESPONSE | BIND_ACK => out.client_speaks(direction.reverse()),
                _ => {}
            }
            gathered.skip(head.length);
        }
    }
}

/// A range so many bytes further on.
fn moved(it: std::ops::Range<usize>, by: usize) -> std::ops::Range<usize> {
    it.start.saturating_add(by)..it.end.saturating_add(by)
}

#[cfg(test)]
mod tests {
    use farshore_model::{Span, Transport};

    use super::super::notebook::{Notebook, damage, in_chunks, read_stream, stream};
    use super::*;
    use Direction::{Down, Up};

    /// A fragment, with what proves who somebody is behind it, at this level.
    fn fragment(kind: u8, body: &[u8], level: u8, proof: &[u8]) -> Vec<u8> {
        let trailer: &[u8] = if proof.is_empty() { b"" } else { &[10, level, 0, 0, 1, 0, 0, 0] };
        let length = (HEAD + body.len() + trailer.len() + proof.len()) as u16;
        let head = [5, 0, kind, 3, 0x10, 0, 0, 0];
        [
            &head[..],
            &length.to_le_bytes(),
            &(proof.len() as u16).to_le_bytes(),
            &[1, 0, 0, 0],
            body,
            trailer,
            proof,
        ]
        .concat()
    }

    /// Sizes, a context, an interface and how it is spelled.
    const CONTEXT: [u8; 56] = [7; 56];

    fn conversation(level: u8) -> Vec<(Direction, Vec<u8>)> {
        let call = [&[0; 8][..], b"bob@rooms.example"].concat();
        vec![
            (Up, fragment(BIND, &CONTEXT, level, b"NTLMSSP\0\x01\0\0\0\0\0\0\0")),
            (Down, fragment(BIND_ACK, &CONTEXT, level, b"NTLMSSP\0\x02\0\0\0")),
            (
                Up,
                [
                    fragment(AUTH, &[0; 4], level, &ntlm::tests::answer()),
                    fragment(REQUEST, &call, level, &[9; 16]),
                ]
                .concat(),
            ),
            (Down, fragment(RESPONSE, &call, level, &[9; 16])),
        ]
    }

    fn read(list: &[(Direction, Vec<u8>)]) -> Notebook {
        read_cut(list, usize::MAX)
    }

    /// In chunks of so many bytes.
    fn read_cut(list: &[(Direction, Vec<u8>)], size: usize) -> Notebook {
        read_stream(&DCERPC, (50_000, 135), &in_chunks(list, size))
    }

    #[test]
    fn any_segmentation_over_tcp_tells_the_same() {
        for (level, calls, protection) in [(5, 1, None), (PRIVACY, 0, Some(Protection::Opaque))] {
            for size in 1..120 {
                let out = read_cut(&conversation(level), size);
                let told = ["domain", "user", "workstation"].map(|of| out.values(&format!("dcerpc.{of}")).concat());
                assert_eq!(told, ["ROOMS", "grace.h", "GRACE-PC"], "chunks of {size}");
                assert_eq!(
                    (out.values("dcerpc.sent").len(), out.values("dcerpc.received").len()),
                    (calls, calls)
                );
                assert_eq!((out.client, out.protection), (Some(Up), protection));
            }
        }
        let out = read(&conversation(5));
        assert_eq!(out.values("dcerpc.received"), ["bob@rooms.example"]);
        assert_eq!(out.fields[4].2, Span::in_frame(4, 42 + 24, 17));
    }

    #[test]
    fn other_beginnings_are_not_it() {
        let verdict = |up: &[u8]| DCERPC.matches(&stream(50_000, 135, up, b""));
        let whole = fragment(BIND, &CONTEXT, 0, b"");
        for cut in 1..whole.len() {
            assert_eq!(
                verdict(&whole[..cut]),
                if cut < 12 { Match::Maybe } else { Match::Yes },
                "cut at {cut}"
            );
        }
        for wrong in [
            &b"\x05\x01\0"[..],
            b"\x05\x02\0\x02",
            b"\x05\0\x0b\x03\x20",
            b"\x05\0\0\x03\x10\0\0\0\x40\0\0\0",
            b"\x05\0\x0b\x03\x10\0\0\0\x10\0\0\0",
            b"",
        ] {
            assert_eq!(verdict(wrong), Match::No, "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn damage_never_panics() {
        for way in [Up, Down] {
            let side: Vec<u8> = conversation(5)
                .into_iter()
                .filter(|(it, _)| *it == way)
                .flat_map(|(_, it)| it)
                .collect();
            damage(&DCERPC, (50_000, 135), Transport::Tcp, way, &side);
        }
    }
}
