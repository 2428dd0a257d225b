//! Owns HTTP/1.1 messages (RFC 9112) and exchanges of them over TCP, plain or within TLS.
//!
//! Refuses pipelining: one request, one response, in turns.

use crate::client::{Client, Direction, FlowId, Nanos};
use crate::payload::Payload;
use crate::random::Random;
use crate::tcp::Connection;
use crate::tls::certificate::Authority;
use crate::tls::{Flights, Session, Suite};
use crate::truth;

/// What a device needs to write its next message: longer than it takes to acknowledge the last.
const PAUSE: Nanos = 90_000;

/// A message: `head` ends with its last header line, `body` follows a Content-Length.
#[must_use]
pub fn message(head: Payload, body: &Payload) -> Payload {
    let length = if body.is_empty() {
        String::new()
    } else {
        format!("Content-Length: {}\r\n", body.len())
    };
    head.put(length).put("\r\n").append(body)
}

/// A connection that speaks HTTP.
#[derive(Debug)]
pub struct Http {
    connection: Connection,
    session: Option<Session>,
}

impl Http {
    /// Connects at `at`, in clear.
    pub fn plain(client: &mut Client, flow: FlowId, at: Nanos) -> Self {
        Self {
            connection: Connection::open(client, flow, at),
            session: None,
        }
    }

    /// Connects at `at` and shakes hands; `random` makes the keys.
    pub fn tls(client: &mut Client, flow: FlowId, at: Nanos, suite: Suite, authority: &Authority, random: &mut Random) -> Self {
        let name = client.flow(flow).peer.name.clone();
        Self::within(client, flow, at, Session::open(&name, suite, authority, random))
    }

    /// Connects at `at` and goes on with the messages of a handshake that somebody else made.
    pub fn within(client: &mut Client, flow: FlowId, at: Nanos, (flights, session): (Flights, Session)) -> Self {
        let connection = Connection::open(client, flow, at);
        let name = client.flow(flow).peer.name.clone();
        let mut it = Self { connection, session: None };
        it.secure(client, &name, (flights, session));
        it
    }

    /// Shakes hands on an open connection.
    pub fn secure(&mut self, client: &mut Client, name: &str, (flights, session): (Flights, Session)) {
        for (direction, bytes) in flights {
            let pause = 150_000 + client.random.below(700_000);
            self.connection.send(client, direction, pause, &Payload::from(bytes));
        }
        client.keylog.extend(session.keylog.iter().cloned());
        client.sessions.push(truth::TlsSession::new(self.connection.flow(), &session, name));
        self.session = Some(session);
    }

    /// A request at `at` or as soon as the connection is free, and its response after `think`.
    pub fn exchange(&mut self, client: &mut Client, at: Nanos, request: &Payload, think: Nanos, response: &Payload) {
        self.connection.wait_until(at);
        self.send(client, Direction::Up, PAUSE, request);
        self.send(client, Direction::Down, think, response);
    }

    /// The time of the last frame.
    #[must_use]
    pub fn now(&self) -> Nanos {
        self.connection.now()
    }

    /// Closes at `at` or as soon as the connection is free.
    pub fn close(mut self, client: &mut Client, at: Nanos) -> Nanos {
        self.connection.wait_until(at);
        if let Some(session) = &mut self.session {
            let alert = Payload::from(session.close_notify(Direction::Up));
            self.connection.send(client, Direction::Up, PAUSE, &alert);
        }
        self.connection.close(client)
    }

    fn send(&mut self, client: &mut Client, direction: Direction, pause: Nanos, payload: &Payload) {
        let Some(session) = &mut self.session else {
            return self.connection.send(client, direction, pause, payload);
        };
        let flow = self.connection.flow();
        let before = session.sent(direction);
        let marks = payload.marks().iter();
        client
            .protected
            .extend(marks.map(|mark| truth::Protected::new(flow, session, direction, &mark.shifted(before))));
        let sealed = Payload::from(session.seal(direction, payload.bytes()));
        self.connection.send(client, direction, pause, &sealed);
    }
}
