//! Owns name lookups over UDP (RFC 1035): one question, an answer of A records with at most one alias before them,
//! or of an HTTPS record.
//!
//! Refuses record types no world asks for.

use std::net::Ipv4Addr;

use crate::client::{Client, Direction, MS, Nanos, Peer, Transport};
use crate::payload::Payload;

/// Seconds an answer may be kept.
const TTL: u32 = 300;

/// What a name stands for.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The name asked.
    pub name: &'a str,
    /// The name it is an alias of, if it is one.
    pub alias: Option<&'a str>,
    /// The address.
    pub address: Ipv4Addr,
}

/// Asks `resolver` for `record.name` at `at`; gives the time the answer is in hand.
pub fn resolve(client: &mut Client, resolver: &Peer, at: Nanos, record: &Record<'_>) -> Nanos {
    let flow = client.open(Transport::Udp, "dns", resolver, 53);
    let [query, answer] = messages(client.random.word() as u16, record);
    client.udp(flow, at, Direction::Up, &Payload::from(query));
    let answered = at + client.round_trip(flow) + client.random.below(3 * MS);
    client.udp(flow, answered, Direction::Down, &Payload::from(answer));
    answered + MS / 4
}

/// The question under this number, and its answer.
#[must_use]
pub fn messages(id: u16, record: &Record<'_>) -> [Vec<u8>; 2] {
    let mut question = name(record.name);
    question.extend([0, 1, 0, 1]);
    let query = header(id, 0x0100, 0).into_iter().chain(question.clone()).collect::<Vec<_>>();
    let answers = 1 + u16::from(record.alias.is_some());
    let mut answer = header(id, 0x8180, answers);
    answer.extend(&question);
    // Owner names are pointers (section 4.1.4): the question stands at 12, the alias's target in its own record.
    let mut owner = 12_u16;
    if let Some(alias) = record.alias {
        let target = name(alias);
        answer.extend((0xc000 | owner).to_be_bytes());
        answer.extend([0, 5, 0, 1]);
        answer.extend(TTL.to_be_bytes());
        answer.extend((target.len() as u16).to_be_bytes());
        owner = answer.len() as u16;
        answer.extend(target);
    }
    answer.extend((0xc000 | owner).to_be_bytes());
    answer.extend([0, 1, 0, 1]);
    answer.extend(TTL.to_be_bytes());
    answer.extend([0, 4]);
    answer.extend(record.address.octets());
    [query, answer]
}

/// Asks `resolver` how to reach the service of that name at `at` (RFC 9460): the answer carries configurations of encrypted hellos
/// (RFC 9848). Gives the time it is in hand.
pub fn service(client: &mut Client, resolver: &Peer, at: Nanos, asked: &str, configs: &[u8]) -> Nanos {
    let flow = client.open(Transport::Udp, "dns", resolver, 53);
    let id = client.random.word() as u16;
    let mut question = name(asked);
    question.extend([0, 65, 0, 1]);
    let query: Vec<u8> = header(id, 0x0100, 0).into_iter().chain(question.clone()).collect();
    // Priority 1, the owner itself; alpn (1) and ech (5).
    let mut data = vec![0, 1, 0, 0, 1, 0, 3, 2, b'h', b'2', 0, 5];
    data.extend((configs.len() as u16).to_be_bytes());
    data.extend(configs);
    let mut answer = header(id, 0x8180, 1);
    answer.extend(question);
    answer.extend([0xc0, 12, 0, 65, 0, 1]);
    answer.extend(TTL.to_be_bytes());
    answer.extend((data.len() as u16).to_be_bytes());
    answer.extend(data);
    client.udp(flow, at, Direction::Up, &Payload::from(query));
    let answered = at + client.round_trip(flow) + client.random.below(3 * MS);
    client.udp(flow, answered, Direction::Down, &Payload::from(answer));
    answered + MS / 4
}

fn header(id: u16, flags: u16, answers: u16) -> Vec<u8> {
    [id, flags, 1, answers, 0, 0].iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn name(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    for label in text.split('.') {
        out.push(label.len() as u8);
        out.extend(label.as_bytes());
    }
    out.push(0);
    out
}
