//! SD-RTN: the handshake with which Agora's SDK opens a path to an edge of its real-time network.
//!
//! # What is extracted, and why it matters
//! The first datagram names the edge in clear text: [`Observation::PeerNamed`] and the field `sd-rtn.sni` tell
//! whoever is on the path which operator carries a call before a word is spoken. The client's first packet
//! number stays visible in every later packet, only counted up: [`Observation::SessionNamed`], which links the
//! packets of one path and is at most a session, never a user. Algorithm names in clear are fields too
//! (`sd-rtn.aead`, `sd-rtn.kexs`).
//!
//! # What is not
//! Nothing after the handshake can be read: the flow is [`Protection::Opaque`], which is no claim that it is
//! encrypted, and never one that it is not. The certificate chain (`CRT\xff`, split over several datagrams when
//! long) and the signature (`PROF`) are stepped over.
//!
//! # Where the format comes from
//! No public text describes it; all below is inference, from the bytes of one public capture (nDPI's
//! `agora-sd-rtn.pcap`: 26 paths to 12 edges in 2022) in which every handshake datagram is consumed to its last
//! byte by these rules.
//!
//! ```text
//! handshake   00 | number: u32 LE | 00 | kind | 00 | peer's number: u32 LE | count | count x tag
//!   kind 21   client's hello; the peer's number is 0, tags SNI\0 PDMD CPTO CCRT
//!   kind 23   server's answer; tags PEID PROF [REXF] CPTO CRT\xff
//!   kind 02   client's acknowledgement: the two numbers alone, 12 bytes in all
//! tag         4 bytes of name, padded with 00 or ff | length: u16 LE | value
//!   CPTO      holds tags itself: NONC (32) AEAD ("AESG") [SCID (32)] PUBS (65: 04 and a point) KEXS ("P256")
//! data        01 | number: low 3 bytes, LE, counted on from the hello's | what looks like cipher text
//! ```
//! Tag names and the compressed chain (entries 01 and 02, the latter with 8-byte hashes) follow gQUIC's crypto
//! handshake; the framing does not.

use farshore_model::{Direction, Observation, Protection, Span, WireText};

use super::{Begins, Dissector, Field, FirstBytes, Match, Opening, Piece, Progress, Protocol, Segment, Sink, Start};
use crate::cursor::{Cursor, Stop};
use crate::limits::Limits;

/// SD-RTN.
pub static SD_RTN: SdRtn = SdRtn;

/// SD-RTN, as a [`Protocol`].
#[derive(Debug)]
pub struct SdRtn;

impl Protocol for SdRtn {
    fn id(&self) -> &'static str {
        "sd-rtn"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        match opening.start {
            Start::Datagrams(list) if list.last().is_some_and(|(_, bytes)| is_key_exchange(bytes)) => Match::Yes,
            Start::Datagrams(_) | Start::Stream { .. } => Match::No,
            Start::Hinted => Match::Yes,
        }
    }

    fn begins(&self) -> Begins {
        Begins::datagram(FirstBytes::of(&[0]))
    }

    fn protection(&self) -> Protection {
        Protection::Opaque
    }

    fn start(&self, _: &Opening<'_>, _: &Limits) -> Box<dyn Dissector> {
        Box::new(Path::default())
    }
}

/// Which handshake datagram it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Hello,
    Answer,
}

/// A handshake datagram up to its tags.
struct Head {
    kind: Kind,
    number: [u8; 4],
    tags: u8,
}

/// Where the client's number stands in a hello.
const NUMBER: std::ops::Range<usize> = 1..5;

fn head(it: &mut Cursor<'_>) -> Result<Head, Stop> {
    let start = *it;
    let [long, a, b, c, d, zero, kind, pad] = it.array::<8>()?;
    let peer = it.u32()?;
    let kind = match (long, zero, kind, pad, peer) {
        (0, 0, 0x21, 0, 0) => Kind::Hello,
        (0, 0, 0x23, 0, 1..) => Kind::Answer,
        _ => return Err(start.forbidden()),
    };
    Ok(Head {
        kind,
        number: [a, b, c, d],
        tags: it.u8()?,
    })
}

/// A tag's name, value, and where the value begins.
struct Tag<'a> {
    name: &'a [u8],
    value: Cursor<'a>,
}

/// A tag; its name is capital letters and digits, padded at the end.
fn tag<'a>(it: &mut Cursor<'a>) -> Result<Tag<'a>, Stop> {
    let start = *it;
    let padded = it.take(4)?;
    let name = padded.strip_suffix(&[0]).or_else(|| padded.strip_suffix(&[0xff])).unwrap_or(padded);
    if !name.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()) {
        return Err(start.forbidden());
    }
    let [low, high] = it.array::<2>()?;
    let value = it.sub(usize::from(u16::from_le_bytes([low, high])))?;
    Ok(Tag { name, value })
}

/// Whether this is a hello or an answer: `count` tags that end where the datagram ends, one of them holding,
/// to its own last byte, the tags of a key exchange. A random datagram of that head passes at less than 2^-100.
fn is_key_exchange(bytes: &[u8]) -> bool {
    let mut it = Cursor::new("sd-rtn", bytes);
    let Ok(head) = head(&mut it) else { return false };
    let mut exchange = false;
    for _ in 0..head.tags {
        let Ok(mut tag) = tag(&mut it) else { return false };
        if tag.name == b"CPTO" {
            exchange = holds_exchange(&mut tag.value);
        }
    }
    exchange && it.is_empty()
}

fn holds_exchange(it: &mut Cursor<'_>) -> bool {
    let (mut nonce, mut point) = (false, false);
    while !it.is_empty() {
        let Ok(tag) = tag(it) else { return false };
        nonce |= tag.name == b"NONC" && !tag.value.is_empty();
        point |= tag.name == b"PUBS" && !tag.value.is_empty();
    }
    nonce && point
}

/// One path between a client and an edge. A hello is repeated until answered, so each is told once.
#[derive(Default)]
struct Path {
    hello: Option<([u8; 4], Vec<u8>)>,
    answered: bool,
}

impl Dissector for Path {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let Segment::Bytes(piece) = it else { return Progress::More };
        let mut bytes = Cursor::new("sd-rtn", piece.bytes);
        match head(&mut bytes) {
            Ok(head) if head.kind == Kind::Hello => self.hello(direction, &head, bytes, &piece, out),
            Ok(head) if !self.answered => {
                self.answered = true;
                out.client_speaks(direction.reverse());
                readable_tags(head.tags, bytes, &piece, out);
            }
            Ok(_) | Err(_) => {}
        }
        Progress::More
    }
}

impl Path {
    fn hello(&mut self, direction: Direction, head: &Head, tags: Cursor<'_>, piece: &Piece<'_>, out: &mut dyn Sink) {
        let name = server_name(head.tags, tags);
        let said = (head.number, name.map(|it| it.rest().to_vec()).unwrap_or_default());
        if self.hello.as_ref() == Some(&said) {
            return;
        }
        self.hello = Some(said);
        self.answered = false;
        out.client_speaks(direction);
        out.protection(Protection::Opaque);
        if let Some(name) = name {
            let told = Observation::PeerNamed {
                protocol: "sd-rtn",
                name: WireText::from_bytes(name.rest()),
            };
            out.observe(told, place(&name, piece));
        }
        let id = head.number.iter().map(|byte| format!("{byte:02x}")).collect();
        out.observe(Observation::SessionNamed { protocol: "sd-rtn", id }, piece.origin.span(NUMBER));
        readable_tags(head.tags, tags, piece, out);
    }
}

/// The value of the server-name tag. A datagram cut short by the capture is read as far as it goes.
fn server_name(count: u8, mut tags: Cursor<'_>) -> Option<Cursor<'_>> {
    (0..count)
        .map_while(|_| tag(&mut tags).ok())
        .find(|tag| tag.name == b"SNI" && !tag.value.is_empty())
        .map(|tag| tag.value)
}

/// Hands on every tag whose value is text, those of the key exchange too.
fn readable_tags(count: u8, mut tags: Cursor<'_>, piece: &Piece<'_>, out: &mut dyn Sink) {
    for _ in 0..count {
        let Ok(mut outer) = tag(&mut tags) else { return };
        if outer.name != b"CPTO" {
            readable_tag(&outer, piece, out);
            continue;
        }
        while let Ok(inner) = tag(&mut outer.value) {
            readable_tag(&inner, piece, out);
        }
    }
}

fn readable_tag(tag: &Tag<'_>, piece: &Piece<'_>, out: &mut dyn Sink) {
    let value = tag.value.rest();
    if value.is_empty() || !value.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') {
        return;
    }
    let name = String::from_utf8_lossy(tag.name).to_ascii_lowercase();
    out.field(Field {
        path: &format!("sd-rtn.{name}"),
        value,
        at: place(&tag.value, piece),
    });
}

fn place(value: &Cursor<'_>, piece: &Piece<'_>) -> Span {
    piece.origin.span(value.offset()..value.offset().saturating_add(value.left()))
}

#[cfg(test)]
mod tests {
    use farshore_model::Transport;

    use super::super::notebook::{damage, datagrams, feed, read_datagrams};
    use super::*;

    fn put(list: &mut Vec<u8>, name: &[u8; 4], value: &[u8]) {
        list.extend_from_slice(name);
        list.extend_from_slice(&u16::try_from(value.len()).unwrap().to_le_bytes());
        list.extend_from_slice(value);
    }

    fn exchange(server: bool) -> Vec<u8> {
        let mut list = Vec::new();
        put(&mut list, b"NONC", &[0x9a; 32]);
        put(&mut list, b"AEAD", b"AESG");
        if server {
            put(&mut list, b"SCID", &[0xc3; 32]);
        }
        put(&mut list, b"PUBS", &[0x84; 65]);
        put(&mut list, b"KEXS", b"P256");
        list
    }

    fn hello(number: u32, name: &str) -> Vec<u8> {
        let mut it = vec![0];
        it.extend_from_slice(&number.to_le_bytes());
        it.extend_from_slice(&[0, 0x21, 0, 0, 0, 0, 0, 4]);
        put(&mut it, b"SNI\0", name.as_bytes());
        put(&mut it, b"PDMD", b"");
        put(&mut it, b"CPTO", &exchange(false));
        put(&mut it, b"CCRT", &[0xee; 40]);
        it
    }

    fn answer(number: u32, to: u32) -> Vec<u8> {
        let mut it = vec![0];
        it.extend_from_slice(&number.to_le_bytes());
        it.extend_from_slice(&[0, 0x23, 0]);
        it.extend_from_slice(&to.to_le_bytes());
        it.push(5);
        put(&mut it, b"PEID", &[1, 0, 0x1c, 0]);
        put(&mut it, b"PROF", &[0xf0; 256]);
        put(&mut it, b"REXF", b"");
        put(&mut it, b"CPTO", &exchange(true));
        put(&mut it, b"CRT\xff", &[2; 28]);
        it
    }

    const NAME: &str = "192-0-2-7.edge.example.net";

    #[test]
    fn a_hello_names_the_edge_and_the_session_once() {
        let (first, second) = (hello(0x1d_7899, NAME), answer(0x00c9_a142, 0x1d_7899));
        let list = [
            (Direction::Up, &first[..]),
            (Direction::Up, &first[..]),
            (Direction::Down, &second[..]),
            (Direction::Up, &[0, 0x99, 0x78, 0x1d, 0, 0, 2, 0, 0x42, 0xa1, 0xc9, 0][..]),
            (Direction::Up, &[1, 0x9a, 0x78, 0x1d, 0x19, 0x0a, 0xfd][..]),
        ];
        let out = read_datagrams(&SD_RTN, (40_000, 4_001), &list);
        assert_eq!(
            out.observed,
            vec![
                (
                    Observation::PeerNamed {
                        protocol: "sd-rtn",
                        name: NAME.into()
                    },
                    Span::in_frame(1, 42 + 19, 26)
                ),
                (
                    Observation::SessionNamed {
                        protocol: "sd-rtn",
                        id: "99781d00".to_owned()
                    },
                    Span::in_frame(1, 43, 4)
                ),
            ]
        );
        assert_eq!(out.values("sd-rtn.sni"), [NAME]);
        assert_eq!(out.values("sd-rtn.aead"), ["AESG", "AESG"]);
        assert_eq!(out.values("sd-rtn.kexs"), ["P256", "P256"]);
        assert_eq!(out.fields.len(), 5, "binary tags are no text");
        assert_eq!((out.client, out.protection), (Some(Direction::Up), Some(Protection::Opaque)));
    }

    #[test]
    fn the_answer_alone_tells_who_is_the_client() {
        let it = answer(7, 9);
        let out = read_datagrams(&SD_RTN, (8_130, 8_130), &[(Direction::Up, &it)]);
        assert_eq!((out.client, out.observed.len()), (Some(Direction::Down), 0));
    }

    #[test]
    fn a_second_hello_with_another_number_is_another_session() {
        let (one, two) = (hello(5, NAME), hello(6, NAME));
        let out = read_datagrams(&SD_RTN, (1, 2), &[(Direction::Up, &one), (Direction::Up, &two)]);
        assert_eq!(out.observed.len(), 4);
    }

    #[test]
    fn a_hello_cut_by_the_capture_still_tells_its_name_once_the_path_is_known() {
        let whole = hello(5, NAME);
        let mut path = SD_RTN.start(&datagrams(1, 2, &[]), &Limits::default());
        let out = feed(path.as_mut(), &[(Direction::Up, &whole[..60])]);
        assert_eq!(out.values("sd-rtn.sni"), [NAME]);
    }

    #[test]
    fn lengths_that_do_not_add_up_are_not_it() {
        let whole = hello(5, NAME);
        let verdict = |bytes: &[u8]| SD_RTN.matches(&datagrams(1, 8_130, &[(Direction::Up, bytes)]));
        assert_eq!(verdict(&whole), Match::Yes);
        assert_eq!(verdict(&whole[..whole.len() - 1]), Match::No);
        assert_eq!(verdict(&[&whole[..], &[0]].concat()), Match::No);
        for at in [0, 5, 6, 7, 8, 12, 13, 17, 18] {
            let mut wrong = whole.clone();
            wrong[at] ^= 0x91;
            assert_eq!(verdict(&wrong), Match::No, "byte {at}");
        }
        assert_eq!(verdict(&[0; 1200]), Match::No);
        // The acknowledgement and the data packets carry too little to be told by.
        assert_eq!(verdict(&[0, 1, 2, 3, 4, 0, 2, 0, 5, 6, 7, 8]), Match::No);
    }

    #[test]
    fn damage_never_panics() {
        for message in [hello(5, NAME), answer(7, 9)] {
            damage(&SD_RTN, (1, 8_130), Transport::Udp, Direction::Up, &message);
        }
    }
}
