//! Which protocols a first byte leaves in question: a table in front of [`Protocol::matches`], so that few of them are
//! asked about each beginning. It owns sets of bytes and that table; it refuses to recognise anything: what a set lets
//! through is still asked.

use std::sync::LazyLock;

use super::{PROTOCOLS, Protocol, Start};

/// A set of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstBytes {
    /// 0 to 127, one bit each.
    low: u128,
    /// 128 to 255.
    high: u128,
}

impl FirstBytes {
    /// No byte.
    pub const NONE: Self = Self { low: 0, high: 0 };
    /// Every byte.
    pub const ANY: Self = Self {
        low: u128::MAX,
        high: u128::MAX,
    };

    /// These bytes.
    pub const fn of(mut bytes: &[u8]) -> Self {
        let mut it = Self::NONE;
        while let [first, rest @ ..] = bytes {
            it = it.and(*first, *first);
            bytes = rest;
        }
        it
    }

    /// The bytes from `first` to `last`.
    pub const fn range(first: u8, last: u8) -> Self {
        Self::NONE.and(first, last)
    }

    /// Those, and the bytes from `first` to `last`.
    #[must_use]
    pub const fn and(mut self, first: u8, last: u8) -> Self {
        let mut byte = first;
        while byte <= last {
            let bit = 1_u128.wrapping_shl((byte & 0x7f) as u32);
            if byte < 0x80 {
                self.low |= bit;
            } else {
                self.high |= bit;
            }
            let Some(next) = byte.checked_add(1) else { break };
            byte = next;
        }
        self
    }

    /// Those of both sets.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self {
            low: self.low | other.low,
            high: self.high | other.high,
        }
    }

    /// Whether a byte is one of them.
    pub const fn contains(self, byte: u8) -> bool {
        let half = if byte < 0x80 { self.low } else { self.high };
        half.wrapping_shr((byte & 0x7f) as u32) & 1 == 1
    }
}

/// How flows of one protocol may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begins {
    /// Whenever [`Protocol::matches`] says anything but No to a stream, one of its sides begins with one of these.
    pub stream: FirstBytes,
    /// Whenever it says Yes to datagrams, and did not before the latest of them, that one begins with one of these.
    pub datagram: FirstBytes,
}

impl Begins {
    /// Nothing is ruled out.
    pub const ANYHOW: Self = Self {
        stream: FirstBytes::ANY,
        datagram: FirstBytes::ANY,
    };

    /// Streams alone, which begin thus.
    pub const fn stream(stream: FirstBytes) -> Self {
        Self {
            stream,
            datagram: FirstBytes::NONE,
        }
    }

    /// Datagrams alone, which begin thus.
    pub const fn datagram(datagram: FirstBytes) -> Self {
        Self {
            stream: FirstBytes::NONE,
            datagram,
        }
    }
}

/// Protocols by their place in [`PROTOCOLS`], one bit each.
type Places = u128;

/// For each first byte, the protocols it leaves.
struct Table {
    streams: [Places; 256],
    datagrams: [Places; 256],
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let left = |set: fn(&dyn Protocol) -> FirstBytes| {
        let mut places = [0; 256];
        for (byte, left) in (0..=u8::MAX).zip(&mut places) {
            for (place, protocol) in (0_u32..).zip(PROTOCOLS) {
                if set(*protocol).contains(byte) {
                    *left |= 1_u128.wrapping_shl(place);
                }
            }
        }
        places
    };
    Table {
        streams: left(|protocol| protocol.begins().stream),
        datagrams: left(|protocol| protocol.begins().datagram),
    }
});

/// The protocols that may recognise a flow by this beginning, in their order.
pub fn candidates(start: Start<'_>) -> Candidates {
    let pick = |table: &[Places; 256], byte: u8| table.get(usize::from(byte)).copied().unwrap_or(Places::MAX);
    Candidates(match start {
        Start::Stream { up: [], down: [] } | Start::Hinted => Places::MAX,
        Start::Stream { up, down } => {
            let side = |bytes: &[u8]| bytes.first().map_or(0, |byte| pick(&TABLE.streams, *byte));
            side(up) | side(down)
        }
        Start::Datagrams(list) => match list.last() {
            Some((_, [first, ..])) => pick(&TABLE.datagrams, *first),
            _ => Places::MAX,
        },
    })
}

/// What [`candidates`] leaves.
#[derive(Clone, Copy, Debug)]
pub struct Candidates(Places);

impl Iterator for Candidates {
    type Item = &'static dyn Protocol;

    fn next(&mut self) -> Option<Self::Item> {
        let place = self.0.trailing_zeros();
        self.0 &= self.0.wrapping_sub(1);
        PROTOCOLS.get(usize::try_from(place).ok()?).copied()
    }
}

#[cfg(test)]
mod tests {
    use farshore_model::Direction::{Down, Up};
    use farshore_model::Transport;

    use super::super::{Match, Opening};
    use super::*;

    #[test]
    fn sets_hold_what_was_put_in_and_nothing_else() {
        let set = FirstBytes::of(b"\x00Gz").and(0x7f, 0x81).and(0xff, 0xff);
        for byte in 0..=u8::MAX {
            let expected = matches!(byte, 0 | b'G' | b'z' | 0x7f..=0x81 | 0xff);
            assert_eq!(set.contains(byte), expected, "{byte:#x}");
        }
        assert_eq!(FirstBytes::range(0, 255), FirstBytes::ANY);
        assert_eq!(FirstBytes::of(b""), FirstBytes::NONE);
    }

    #[test]
    fn a_place_is_left_for_every_protocol() {
        assert!(PROTOCOLS.len() <= Places::BITS as usize);
        let all: Vec<_> = candidates(Start::Hinted).map(Protocol::id).collect();
        assert_eq!(all, PROTOCOLS.iter().map(|it| it.id()).collect::<Vec<_>>());
    }

    /// Beginnings of every first byte, bare and with the rest of something real behind it, on ports that matter.
    #[test]
    fn a_byte_that_is_ruled_out_is_never_recognised() {
        let rests: [&[u8]; 12] = [
            b"",
            b"\r\n",
            b" LOGIN a b\r\n",
            b"ET / HTTP/1.1\r\n\r\n",
            b"20 mail.example ESMTP\r\n",
            b"HLO mail.example\r\n",
            b"\x03\x01\x00\x05\x01\x00\x00\x01\x00",
            b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01",
            b"\x01\x00\x08\x21\x12\xa4\x42aaaabbbbcccc\x00\x06\x00\x04abcd",
            b"\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00",
            b"\xfd\x01\xff\xfb\x1f\x00\x00\x00\x00\x00",
            &[0; 300],
        ];
        let ports = [
            21, 23, 25, 53, 110, 137, 143, 161, 443, 500, 514, 1194, 1812, 2123, 4500, 5060, 5353, 8130, 50_001,
        ];
        for first in 0..=u8::MAX {
            for rest in rests {
                let bytes = [&[first], rest].concat();
                for server_port in ports {
                    let list = [(Up, &bytes[..])];
                    let starts = [
                        (Transport::Tcp, Start::Stream { up: &bytes, down: &[] }),
                        (Transport::Tcp, Start::Stream { up: &[], down: &bytes }),
                        (Transport::Udp, Start::Datagrams(&list)),
                    ];
                    for (transport, start) in starts {
                        let opening = Opening {
                            transport,
                            client_port: 50_000,
                            server_port,
                            layers: &["test"],
                            start,
                        };
                        for protocol in PROTOCOLS {
                            held(*protocol, &opening);
                        }
                    }
                }
            }
        }
        let list = [(Up, &b"\x00"[..]), (Down, &b""[..])];
        assert_eq!(
            candidates(Start::Datagrams(&list)).count(),
            PROTOCOLS.len(),
            "an empty datagram rules nothing out"
        );
    }

    /// What `matches` accepts, the table must leave.
    fn held(protocol: &dyn Protocol, opening: &Opening<'_>) {
        let verdict = protocol.matches(opening);
        let accepted = match opening.start {
            Start::Datagrams(_) => verdict == Match::Yes,
            _ => verdict != Match::No,
        };
        if accepted {
            assert!(
                candidates(opening.start).any(|it| it.id() == protocol.id()),
                "{}: {:?}",
                protocol.id(),
                opening.start
            );
        }
    }
}
