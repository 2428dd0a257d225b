//! Owns the relay provider's datagrams: a made-up binary protocol, in clear or sealed.
//!
//! A clear message is its length (u16), type (u16) and sequence (u32), all little-endian, then a body; strings carry a
//! u16 length. A sealed datagram is a nonce of 12 bytes and ChaCha20-Poly1305 of a clear message. Refuses to be the
//! protocol of any real vendor: only the habits are borrowed (ids as text in one message and as a number in the next).

use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::{Aead, KeyInit};

use crate::payload::{Encoding, Identifier, Payload};
use crate::random::Random;

/// A room's two ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomIds {
    /// In letters.
    pub name: Identifier,
    /// As a number.
    pub number: Identifier,
}

/// What client and relay tell each other.
#[allow(missing_docs, reason = "the fields are the nouns of the variant's own line")]
#[derive(Debug, Clone, Copy)]
pub enum Message<'a> {
    /// First packet: which edge is meant, which client speaks, for which user and room.
    Hello {
        edge: &'a Identifier,
        user: &'a Identifier,
        room: &'a RoomIds,
    },
    /// The edge is there.
    HelloAnswer,
    /// Asks for entry with a token.
    Join {
        user: &'a Identifier,
        room: &'a RoomIds,
        token: &'a Payload,
    },
    /// Entry granted; who is there.
    JoinAnswer {
        user: &'a Identifier,
        room: &'a RoomIds,
        members: &'a [Identifier],
        media_port: u16,
    },
    /// Still there.
    KeepAlive { user: &'a Identifier, room: &'a RoomIds },
    /// Still heard.
    KeepAliveAnswer { room: &'a RoomIds },
    /// Somebody else came.
    MemberJoined { member: &'a Identifier, room: &'a RoomIds },
    /// Ties the media port's address to a user.
    MediaBind { user: &'a Identifier },
    /// The media port is tied.
    MediaBindAnswer,
    /// Gone.
    Leave { user: &'a Identifier, room: &'a RoomIds },
    /// How far is this edge, and for which room the question is.
    Ping { room: &'a RoomIds },
    /// This far.
    Pong,
}

impl Message<'_> {
    /// The message in clear.
    #[must_use]
    pub fn plain(&self, sequence: u32) -> Payload {
        let (kind, body) = self.body();
        let length = (body.len() + 8) as u16;
        Payload::new()
            .put(length.to_le_bytes())
            .put((kind as u16).to_le_bytes())
            .put(sequence.to_le_bytes())
            .append(&body)
    }

    /// The message sealed: nothing planted is left to see.
    #[must_use]
    pub fn sealed(&self, sequence: u32, key: &[u8; 32], random: &mut Random) -> Payload {
        let mut nonce = random.bytes::<12>();
        // First bytes from 192 on are not RTP's, DTLS's or STUN's to claim (RFC 7983 section 7).
        nonce[0] |= 0xc0;
        let cipher = ChaCha20Poly1305::new(&(*key).into());
        let sealed = cipher
            .encrypt(&nonce.into(), self.plain(sequence).bytes())
            .expect("a short message");
        Payload::new().put(nonce).put(sealed)
    }

    fn body(&self) -> (u8, Payload) {
        let new = Payload::new;
        match *self {
            Message::Hello { edge, user, room } => (
                1,
                text(
                    text(
                        text(new().put(string(b"2.9.107")), edge, Encoding::Ascii),
                        user,
                        Encoding::AsciiDecimal,
                    ),
                    &room.name,
                    Encoding::Ascii,
                ),
            ),
            Message::HelloAnswer => (2, new().put([0, 0, 0, 0])),
            Message::Join { user, room, token } => (
                3,
                text(
                    new().plant(user, Encoding::U32Be).plant(&room.number, Encoding::U64Le),
                    &room.name,
                    Encoding::Ascii,
                )
                .put((token.len() as u16).to_le_bytes())
                .append(token),
            ),
            Message::JoinAnswer {
                user,
                room,
                members,
                media_port,
            } => {
                let body = new()
                    .plant(&room.number, Encoding::U64Le)
                    .plant(user, Encoding::U32Be)
                    .put(media_port.to_le_bytes())
                    .put((members.len() as u16).to_le_bytes());
                (4, members.iter().fold(body, |body, member| body.plant(member, Encoding::U32Be)))
            }
            Message::KeepAlive { user, room } => (5, new().plant(user, Encoding::U32Be).plant(&room.number, Encoding::U64Le)),
            Message::KeepAliveAnswer { room } => (6, new().plant(&room.number, Encoding::U64Le)),
            Message::MemberJoined { member, room } => (7, new().plant(&room.number, Encoding::U64Le).plant(member, Encoding::U32Be)),
            Message::MediaBind { user } => (8, new().plant(user, Encoding::U32Be).put([0; 4])),
            Message::MediaBindAnswer => (9, new().put([0; 8])),
            Message::Leave { user, room } => (10, text(text(new(), user, Encoding::AsciiDecimal), &room.name, Encoding::Ascii)),
            Message::Ping { room } => (11, text(new().plant(&room.number, Encoding::U64Le), &room.name, Encoding::Ascii)),
            Message::Pong => (12, new().put([0; 4])),
        }
    }
}

fn text(payload: Payload, identifier: &Identifier, encoding: Encoding) -> Payload {
    payload
        .put((identifier.value.len() as u16).to_le_bytes())
        .plant(identifier, encoding)
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_le_bytes()[..], bytes].concat()
}
