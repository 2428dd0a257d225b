//! Sessions of TLS up to 1.2 that go on in other connections, by an id that the server keeps (RFC 5246 section 7.3) or a ticket that the
//! client does (RFC 5077). It owns which master secret an id or a ticket stands for, and refuses to open records.
//!
//! A key log may tell the secret of the first connection alone. The connections are different flows, which may be read side by side:
//! what each tells is put together once all were read, and opened then is what the others kept until there.

use std::collections::BTreeMap;

use farshore_model::FlowId;
use farshore_model::flow::SessionPrint;
use sha2::{Digest, Sha256};

use crate::secrets::Secret;

/// An id or a ticket, digested.
pub type Token = [u8; 16];

/// Steps from one token to another: each connection may renew its ticket.
const STEPS: usize = 64;

/// The master secret, and what the session goes by that it was agreed on in.
type Session = (Secret, SessionPrint);

/// When something was told: the frame that was being read, and the flow.
type When = (u64, FlowId);

/// What flows tell of the sessions they begin and go on with.
#[derive(Clone, Default)]
pub struct Resumptions {
    masters: BTreeMap<Token, (When, Session)>,
    /// Tokens that stand for the same as one of others do.
    renewed: BTreeMap<Token, (When, Vec<Token>)>,
    /// The flows that keep what they cannot open yet, the earliest first.
    keep: Vec<When>,
}

/// The token of an id or a ticket.
pub(crate) fn token(bytes: &[u8]) -> Option<Token> {
    if bytes.is_empty() {
        return None;
    }
    Sha256::digest(bytes).first_chunk().copied()
}

impl Resumptions {
    /// No session goes on anywhere; to be lent out.
    pub fn none() -> &'static Self {
        static NONE: Resumptions = Resumptions {
            masters: BTreeMap::new(),
            renewed: BTreeMap::new(),
            keep: Vec::new(),
        };
        &NONE
    }

    /// Puts together what several shards were told: the same, however many they were. Of the flows that keep something, so many count.
    pub fn pool(told: impl IntoIterator<Item = Self>, most: usize) -> Self {
        let mut pool = Self::default();
        for mut it in told {
            for (token, (when, master)) in it.masters {
                pool.tell(token, when, master);
            }
            for (token, (when, others)) in it.renewed {
                pool.renew(token, when, &others);
            }
            pool.keep.append(&mut it.keep);
        }
        pool.keep.sort_unstable();
        pool.keep.truncate(most);
        pool
    }

    /// A token stands for a session. The first word counts.
    pub(crate) fn tell(&mut self, token: Token, when: When, master: Session) {
        let there = self.masters.entry(token).or_insert((when, master));
        if when < there.0 {
            *there = (when, master);
        }
    }

    /// A token stands for the same as one of those. The first word counts.
    pub(crate) fn renew(&mut self, token: Token, when: When, others: &[Token]) {
        let there = self.renewed.entry(token).or_insert_with(|| (when, others.to_vec()));
        if when < there.0 {
            *there = (when, others.to_vec());
        }
    }

    /// A flow asks whether to keep what it cannot open: so many do.
    pub(crate) fn may_keep(&mut self, when: When, most: usize) -> bool {
        let room = self.keep.len() < most;
        if room {
            self.keep.push(when);
        }
        room
    }

    /// Whether a flow is among those that count.
    pub(crate) fn keeps(&self, flow: FlowId) -> bool {
        self.keep.iter().any(|(_, it)| *it == flow)
    }

    /// The session that one of these stands for.
    pub(crate) fn master(&self, tokens: &[Token]) -> Option<Session> {
        let mut tokens = tokens.to_vec();
        for _ in 0..STEPS {
            if let Some((_, master)) = tokens.iter().find_map(|token| self.masters.get(token)) {
                return Some(*master);
            }
            tokens = tokens.iter().find_map(|token| self.renewed.get(token))?.1.clone();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(frame: u64) -> When {
        (frame, FlowId(frame as u32))
    }

    #[test]
    fn the_first_word_counts_in_whatever_order_it_comes() {
        let [id, ticket, second] = [b"id", &b"ticket"[..], b"second"].map(|it| token(it).unwrap());
        let master = (Secret::new(&[7; 48]).unwrap(), [7; 8]);
        let mut one = Resumptions::default();
        one.tell(id, at(3), master);
        one.renew(second, at(9), &[ticket]);
        let mut other = Resumptions::default();
        other.tell(id, at(4), (Secret::new(&[8; 48]).unwrap(), [8; 8]));
        other.renew(ticket, at(5), &[[0; 16], id]);
        other.renew([1; 16], at(5), &[[2; 16]]);
        other.renew([2; 16], at(5), &[[1; 16]]);
        for shards in [[one.clone(), other.clone()], [other, one]] {
            let pool = Resumptions::pool(shards, 1);
            assert!(pool.master(&[second]) == Some(master) && pool.master(&[[9; 16], id]) == Some(master));
            assert!(pool.master(&[[1; 16]]).is_none() && pool.master(&[]).is_none());
        }
        assert_eq!(token(b""), None);
    }

    #[test]
    fn the_earliest_flows_keep_what_they_cannot_open() {
        let shard = |frames: &[u64]| {
            let mut it = Resumptions::default();
            frames.iter().for_each(|frame| assert!(it.may_keep(at(*frame), 2)));
            it
        };
        let mut full = shard(&[4, 9]);
        assert!(!full.may_keep(at(10), 2));
        let pool = Resumptions::pool([full, shard(&[5])], 2);
        assert!(pool.keeps(FlowId(4)) && pool.keeps(FlowId(5)) && !pool.keeps(FlowId(9)));
    }
}
