//! SSDP: HTTP messages in datagrams, by which devices announce and look for services on the local link (UPnP Device
//! Architecture 2.0, section 1).
//!
//! # What is extracted, and why it matters
//! As for HTTP: an announcement carries a device's unique name (`USN`, a UUID that often holds its hardware address),
//! its make and its address to everybody on the link.
//!
//! # What is not
//! Descriptions fetched later: those are HTTP. A message must begin with a known method or a status and an HTTP/1 version;
//! one in several datagrams is read as far as its first goes.

use farshore_model::{Direction, Protection, Transport};

use super::exchange::Exchange;
use super::head::{self, Look};
use crate::limits::Limits;
use crate::protocols::{Begins, Dissector, FirstBytes, Match, Opening, Progress, Protocol, Segment, Sink, Start};

/// SSDP.
pub static SSDP: Ssdp = Ssdp;

/// SSDP, as a [`Protocol`].
#[derive(Debug)]
pub struct Ssdp;

impl Protocol for Ssdp {
    fn id(&self) -> &'static str {
        "ssdp"
    }

    fn matches(&self, opening: &Opening<'_>) -> Match {
        let message = |bytes: &[u8]| matches!(head::look(bytes), Look::Request | Look::Response);
        match opening.start {
            Start::Hinted => Match::Yes,
            Start::Datagrams(list) if opening.transport == Transport::Udp && list.last().is_some_and(|(_, bytes)| message(bytes)) => {
                Match::Yes
            }
            Start::Datagrams(_) | Start::Stream { .. } => Match::No,
        }
    }

    fn begins(&self) -> Begins {
        Begins::datagram(FirstBytes::range(b'A', b'Z').and(b'\n', b'\n').and(b'\r', b'\r'))
    }

    fn protection(&self) -> Protection {
        Protection::Plaintext
    }

    fn start(&self, _: &Opening<'_>, limits: &Limits) -> Box<dyn Dissector> {
        Box::new(Announcements { limits: limits.clone() })
    }
}

/// A flow of messages, each whole in its datagram.
#[derive(Debug)]
struct Announcements {
    limits: Limits,
}

impl Dissector for Announcements {
    fn segment(&mut self, direction: Direction, it: Segment<'_>, out: &mut dyn Sink) -> Progress {
        let mut message = Exchange::new(&self.limits);
        let _ = message.segment(direction, it, out);
        message.finish(out);
        Progress::More
    }
}

#[cfg(test)]
mod tests {
    use farshore_model::{Observation, Span};

    use super::super::super::notebook::{damage, datagrams, read_datagrams};
    use super::*;

    const SEARCH: &[u8] = b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: ssdp:all\r\n\r\n";
    const ANSWER: &[u8] =
        b"HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\nUSN: uuid:2fac1234-31f8-11b4-a222-08002b34c003::upnp:rootdevice\r\n\r\n";

    #[test]
    fn a_search_is_a_request_and_an_answer_names_the_device() {
        let list = [(Direction::Up, SEARCH), (Direction::Up, SEARCH), (Direction::Down, ANSWER)];
        let out = read_datagrams(&SSDP, (50_000, 1_900), &list);
        assert_eq!(out.observed.len(), 2);
        let (Observation::Request { method, host, path, .. }, at) = &out.observed[1] else {
            panic!()
        };
        assert_eq!((method.as_str(), path.as_str()), ("M-SEARCH", "*"));
        assert_eq!(host.as_ref().unwrap().as_str(), "239.255.255.250:1900");
        assert_eq!(*at, Span::in_frame(2, 42, SEARCH.len() as u64));
        assert_eq!(
            out.values("http.response.header.usn"),
            ["uuid:2fac1234-31f8-11b4-a222-08002b34c003::upnp:rootdevice"]
        );
        assert_eq!((out.client, out.anomalies.len()), (Some(Direction::Up), 0));
    }

    #[test]
    fn only_http_is_taken() {
        let verdict = |bytes: &[u8]| SSDP.matches(&datagrams(1, 1_900, &[(Direction::Up, bytes)]));
        assert_eq!(verdict(b"OPTIONS sip:a@b.example SIP/2.0\r\n\r\n"), Match::No);
        assert_eq!(verdict(b"NOTIFY * HTTP/1.1"), Match::No);
        assert_eq!(verdict(b""), Match::No);
    }

    #[test]
    fn damage_never_panics() {
        damage(&SSDP, (50_000, 1_900), Transport::Udp, Direction::Up, SEARCH);
    }
}
