//! Connections of QUIC that go on over other addresses (RFC 9000 section 9): the ids that lead to those whose keys are known, and the
//! flows they went on in. It owns which flow leads to which, and refuses to believe an id: a flow is followed once a packet in it was
//! opened.

use std::collections::{BTreeMap, HashMap, HashSet};

use ahash::RandomState;
use farshore_model::flow::{KeyUse, SessionPrint};
use farshore_model::{Direction, Endpoint, FlowId, Protection};

use crate::flow::reading::Outcome;

/// Bytes of the longest id (RFC 9000 section 17.2).
const LONGEST: usize = 20;

/// Where the packets that name an id belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    /// The flow in which the connection began.
    pub(crate) flow: FlowId,
    /// Which way packets to the id go there.
    pub(crate) direction: Direction,
}

/// A flow in which a connection went on.
#[derive(Clone, Copy, Debug)]
struct Path {
    home: FlowId,
    /// What goes up here goes down there.
    turned: bool,
    /// Whether the client of the connection is the client here.
    client_is_up: bool,
    print: SessionPrint,
}

/// What is known of connections that may move.
#[derive(Default)]
pub(crate) struct Paths {
    /// Looked up, never walked.
    homes: HashMap<Vec<u8>, Home, RandomState>,
    /// Which lengths ids have, a bit for each.
    lengths: u32,
    followed: BTreeMap<FlowId, Path>,
    /// The session whose packet was opened since this was last asked, and which way its client speaks.
    opened: Option<(SessionPrint, Direction)>,
}

impl Paths {
    /// Packets that go this way in that flow, or come from elsewhere, name this id.
    pub(crate) fn issue(&mut self, id: &[u8], home: Home) {
        if !id.is_empty() && id.len() <= LONGEST {
            self.lengths |= 1 << id.len();
            self.homes.insert(id.to_vec(), home);
        }
    }

    /// An id is not in use any more.
    pub(crate) fn retire(&mut self, id: &[u8]) {
        self.homes.remove(id);
    }

    /// A packet of that session was opened; its client speaks in that direction of the flow in which it began.
    pub(crate) const fn open(&mut self, print: SessionPrint, client: Direction) {
        self.opened = Some((print, client));
    }

    /// Where a datagram of another flow belongs: the flow, and its direction there.
    pub(crate) fn home(&self, flow: FlowId, direction: Direction, datagram: &[u8]) -> Option<Home> {
        if self.homes.is_empty() {
            return None;
        }
        if let Some(path) = self.followed.get(&flow) {
            return Some(Home {
                flow: path.home,
                direction: if path.turned { direction.reverse() } else { direction },
            });
        }
        let named = datagram.get(1..)?;
        let lengths = (1..=LONGEST).rev().filter(|length| self.lengths & 1 << length != 0);
        let mut ids = lengths.filter_map(|length| named.get(..length));
        ids.find_map(|id| self.homes.get(id)).copied()
    }

    /// A datagram was read at home: if it opened, its flow is followed from here on.
    pub(crate) fn follow(&mut self, flow: FlowId, direction: Direction, home: Home) {
        if let Some((print, client)) = self.opened.take() {
            let turned = direction != home.direction;
            self.followed.entry(flow).or_insert(Path {
                home: home.flow,
                turned,
                client_is_up: (client == Direction::Up) != turned,
                print,
            });
        }
    }

    /// Nothing that was opened before counts.
    pub(crate) const fn forget(&mut self) {
        self.opened = None;
    }

    /// What the flows that were followed came to; `protocols` tells what was spoken in the flow in which a connection began.
    pub(crate) fn outcomes(&self, protocols: impl Fn(FlowId) -> Vec<&'static str>) -> Vec<(FlowId, Outcome)> {
        let outcome = |path: &Path| Outcome {
            protocols: protocols(path.home),
            protection: Some(Protection::Quic),
            client_confirmed: path.client_is_up,
            server_spoke_first_as_client: !path.client_is_up,
            keys: Some(Box::new(KeyUse {
                opened: vec![path.print],
                missed: None,
            })),
            ..Outcome::default()
        };
        self.followed.iter().map(|(flow, path)| (*flow, outcome(path))).collect()
    }

    /// The flows in which followed connections began.
    pub(crate) fn is_home(&self, flow: FlowId) -> bool {
        self.followed.values().any(|path| path.home == flow)
    }
}

/// Bytes of a client's first datagram at least (RFC 9000 section 14.1), and of a packet behind the handshake (section 10.3).
const FIRST: usize = 1200;
const SHORTEST: usize = 21;

/// Where connections of QUIC ended so far. It tells flows in which one may go on from all the others, by their first datagram.
#[derive(Default)]
pub(crate) struct Ends {
    /// Looked up, never walked.
    known: HashSet<Endpoint, RandomState>,
}

impl Ends {
    /// A flow begins, between these two, with this datagram. Says whether a connection may go on in it that began in another.
    pub(crate) fn begin(&mut self, ends: [Endpoint; 2], datagram: &[u8], missing: usize) -> bool {
        let length = datagram.len().saturating_add(missing);
        match datagram.first() {
            Some(0x80..) if length >= FIRST => {
                self.known.extend(ends);
                false
            }
            // Either end may move, and one of them stays: the client's by itself, the server's where it said so before.
            Some(..0x80) if length >= SHORTEST => ends.iter().any(|end| self.known.contains(end)),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: Home = Home {
        flow: FlowId(3),
        direction: Direction::Up,
    };

    #[test]
    fn a_flow_between_strangers_is_no_continuation() {
        let end = |last: u8, port| Endpoint {
            ip: [192, 0, 2, last].into(),
            port,
        };
        let mut ends = Ends::default();
        assert!(!ends.begin([end(1, 50_000), end(9, 443)], &[0x40; 30], 0));
        assert!(!ends.begin([end(1, 50_000), end(9, 443)], &[0xc0; 1200], 0));
        assert!(!ends.begin([end(1, 50_001), end(8, 443)], &[0x40; 30], 0));
        assert!(ends.begin([end(2, 50_001), end(9, 443)], &[0x40; 30], 0), "the client moved");
        assert!(ends.begin([end(1, 50_000), end(8, 444)], &[0x01; 20], 10), "the server did");
        assert!(!ends.begin([end(2, 50_001), end(9, 443)], &[0x40; 20], 0));
        assert!(!ends.begin([end(2, 50_001), end(9, 443)], &[], 0));
    }

    #[test]
    fn an_id_leads_home_and_is_believed_once_a_packet_opened() {
        let mut paths = Paths::default();
        paths.issue(b"12345678", HOME);
        paths.issue(b"", HOME);
        let (elsewhere, packet) = (FlowId(9), b"\x4012345678 and the rest");
        assert_eq!(paths.home(elsewhere, Direction::Down, packet), Some(HOME));
        assert_eq!(paths.home(elsewhere, Direction::Up, b"\x40123456"), None);
        assert_eq!(paths.home(elsewhere, Direction::Up, b""), None);
        // It did not open: packets without an id lead nowhere.
        paths.follow(elsewhere, Direction::Down, HOME);
        assert_eq!(paths.home(elsewhere, Direction::Up, b"\x40nobody's id at all"), None);
        paths.open([7; 8], Direction::Up);
        paths.follow(elsewhere, Direction::Down, HOME);
        let answer = Home {
            direction: Direction::Down,
            ..HOME
        };
        assert_eq!(paths.home(elsewhere, Direction::Up, b"\x40nobody's id at all"), Some(answer));
        paths.retire(b"12345678");
        assert_eq!(paths.home(FlowId(10), Direction::Up, packet), None);
        let [(flow, outcome)] = &paths.outcomes(|_| vec!["quic"])[..] else {
            panic!("one flow")
        };
        assert_eq!((*flow, outcome.server_spoke_first_as_client), (elsewhere, true));
        assert!(paths.is_home(FlowId(3)) && !paths.is_home(elsewhere));
    }
}
