//! Owns made-up protocols: how messages are laid out, in which fields, written how.

use base64::Engine as _;

use crate::random::Random;

/// How the fields of a message stand together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One behind the other; text behind one byte of its length.
    Fixed,
    /// Tag, length, value: bytes of the tag, of the length, little-endian.
    Tagged(usize, usize, bool),
    /// Length, value.
    Lengths(usize, bool),
    /// Protocol Buffers.
    Protobuf,
    /// `KIND key=value&key=value`.
    Query,
    /// A JSON object.
    Json,
    /// HTTP/1.1: queries, and JSON in answers.
    Http,
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// A number of so many bytes, little-endian.
    Int(usize, bool),
    /// Seven bits a byte.
    Varint,
    /// Decimal digits.
    Decimal,
    /// Hexadecimal digits.
    Hex,
    /// A UUID as text.
    Uuid,
    /// A UUID as sixteen bytes.
    RawUuid,
    /// Base64 of twelve bytes.
    Base64,
}

/// What stands in a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// An identifier, by its role.
    Id(&'static str),
    /// Looks like one and is none: the same for a build, a relay, a region.
    Of(&'static str),
    /// The kind of the message.
    Kind,
    /// Counts messages.
    Counter,
    /// Seconds since 1970.
    Clock,
    /// Random in each message.
    Nonce,
    /// Random in each conversation and direction: a stream number.
    Stream,
    /// Random in each conversation, sent once: a token, a key.
    Token,
    /// The same everywhere.
    Constant,
    /// Bytes of any content and length.
    Noise,
}

/// A field.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// What.
    pub what: What,
    /// How.
    pub code: Code,
    /// Tag, key number.
    pub tag: u8,
}

/// One kind of message.
#[derive(Debug, Clone)]
pub struct Kind {
    /// From the client.
    pub up: bool,
    /// Its fields, in order.
    pub fields: Vec<Field>,
    /// How often it is sent in a conversation.
    pub times: u64,
}

/// A protocol.
#[derive(Debug, Clone)]
pub struct Grammar {
    /// Form.
    pub form: Form,
    /// Over TCP; otherwise UDP.
    pub tcp: bool,
    /// The server's port.
    pub port: u16,
    /// First bytes of each message.
    pub magic: Vec<u8>,
    /// Laid over every byte.
    pub mask: u8,
    /// The kinds of messages; the first opens a conversation.
    pub kinds: Vec<Kind>,
    /// Salts of the ids: the same user has another id in another world.
    pub salt: u64,
    /// Ids count up, rather than being drawn.
    pub counting: bool,
    /// Of a hundred datagrams, so many are lost; as many change places.
    pub loss: u64,
}

impl Grammar {
    /// Draws a protocol for so many captures.
    pub fn draw(random: &mut Random, captures: u64) -> Self {
        let little = random.below(2) == 0;
        let form = match random.below(11) {
            0..=3 => Form::Fixed,
            4 => Form::Tagged(1, 1, false),
            5 => Form::Tagged(2, 2, little),
            6 => Form::Lengths(1 + random.below(2) as usize, little),
            7 => Form::Protobuf,
            8 => Form::Query,
            9 => Form::Json,
            _ => Form::Http,
        };
        let textual = matches!(form, Form::Query | Form::Json | Form::Http);
        let id = |random: &mut Random| -> Code {
            if textual {
                return [Code::Decimal, Code::Hex, Code::Uuid, Code::Base64][random.below(4) as usize];
            }
            match random.below(12) {
                0 => Code::Decimal,
                1 => Code::Hex,
                2 => Code::Uuid,
                3 => Code::RawUuid,
                4 => Code::Base64,
                5 if form == Form::Protobuf => Code::Varint,
                6 if captures < 100 => Code::Int(2, little),
                7 | 8 => Code::Int(8, little),
                _ => Code::Int(4, little),
            }
        };
        let number = |random: &mut Random| -> Code {
            match (textual, form) {
                (true, _) => Code::Decimal,
                (_, Form::Protobuf) => Code::Varint,
                _ => Code::Int([2, 4, 4, 8][random.below(4) as usize], little),
            }
        };
        let of = [
            ("user", id(random)),
            ("room", id(random)),
            ("device", id(random)),
            ("session", id(random)),
        ];
        let code = |role: &str| of.iter().find(|it| it.0 == role).map_or(Code::Decimal, |it| it.1);
        let wide = if textual { Code::Hex } else { Code::Int(4, little) };
        let mut kinds = Vec::new();
        let plan: [(bool, &[&'static str], u64); 4] = [
            (true, &["user", "room", "device", "session"], 1),
            (true, &["session", "user"], 3 + random.below(4)),
            (false, &["session", "room"], 2 + random.below(3)),
            (true, &["session"], 1 + random.below(3)),
        ];
        for (up, roles, times) in plan {
            let mut fields: Vec<Field> = Vec::new();
            let mut add = |what, code| fields.push(Field { what, code, tag: 0 });
            for role in roles {
                // Not every protocol names every role everywhere.
                if times > 1 && *role != "session" && random.below(3) == 0 {
                    continue;
                }
                add(What::Id(role), code(role));
            }
            add(What::Counter, number(random));
            if random.below(2) == 0 {
                add(
                    What::Clock,
                    if textual || form == Form::Protobuf {
                        number(random)
                    } else {
                        Code::Int(4 + 4 * random.below(2) as usize, little)
                    },
                );
            }
            for (what, odds) in [
                (What::Nonce, 2),
                (What::Stream, 2),
                (What::Constant, 2),
                (What::Of("build"), 2),
                (What::Of("relay"), 3),
                (What::Of("region"), 3),
            ] {
                if random.below(odds) == 0 {
                    add(what, wide);
                }
            }
            if times == 1 {
                add(What::Token, if textual { Code::Base64 } else { Code::RawUuid });
            }
            // In any order, but what has any length last.
            for at in (1..fields.len()).rev() {
                fields.swap(at, random.below(at as u64 + 1) as usize);
            }
            if !textual && random.below(2) == 0 {
                fields.push(Field {
                    what: What::Noise,
                    code: Code::RawUuid,
                    tag: 0,
                });
            }
            kinds.push(Kind { up, fields, times });
        }
        // A name keeps its tag in all kinds of messages.
        let mut names: Vec<What> = Vec::new();
        let step = 1 + random.below(3) as u8;
        for field in kinds.iter_mut().flat_map(|it| &mut it.fields) {
            let at = names.iter().position(|it| *it == field.what).unwrap_or_else(|| {
                names.push(field.what);
                names.len() - 1
            });
            field.tag = 1 + at as u8 * step;
        }
        Self {
            form,
            tcp: random.below(5) == 0 || form == Form::Http,
            port: if form == Form::Http {
                80
            } else {
                20_000 + random.below(20_000) as u16
            },
            magic: if textual {
                Vec::new()
            } else {
                random.bytes::<8>()[..random.below(5) as usize].to_vec()
            },
            mask: if random.below(5) == 0 && form != Form::Http {
                1 + random.below(255) as u8
            } else {
                0
            },
            kinds,
            salt: random.word(),
            counting: random.below(3) == 0,
            loss: random.below(6),
        }
    }

    /// The number of the `index`-th of a role.
    #[must_use]
    pub fn number(&self, role: &str, index: u64, code: Code) -> u64 {
        let base = Random::named(&format!("{role} {}", self.salt)).word();
        let drawn = Random::named(&format!("{role} {index} {}", self.salt)).word();
        let bound = match code {
            Code::Int(2, _) => 1 << 16,
            Code::Int(4, _) | Code::Varint => 1 << 32,
            Code::Decimal => 10_000_000_000,
            _ => u64::MAX,
        };
        if self.counting {
            // Accounts are numbered as they are opened; those of one crowd are not neighbours.
            (base % (bound / 2) + index * 137 + drawn % 64) % bound
        } else if matches!(code, Code::Int(2, _)) {
            // Sixteen bits are few: no two may be alike.
            (base.wrapping_add(index * 977)) % bound
        } else {
            drawn % bound
        }
    }

    /// A value as it is written.
    #[must_use]
    pub fn write(code: Code, number: u64) -> Vec<u8> {
        let wide = Random::named(&format!("wide {number}")).bytes::<16>();
        match code {
            Code::Int(width, true) => number.to_le_bytes()[..width].to_vec(),
            Code::Int(width, false) => number.to_be_bytes()[8 - width..].to_vec(),
            Code::Varint => varint(number),
            Code::Decimal => number.to_string().into_bytes(),
            Code::Hex => format!("{number:016x}").into_bytes(),
            Code::RawUuid => uuid(wide).to_vec(),
            Code::Uuid => {
                let hex: String = uuid(wide).iter().map(|it| format!("{it:02x}")).collect();
                format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]).into_bytes()
            }
            Code::Base64 => base64::engine::general_purpose::STANDARD.encode(&wide[..10]).into_bytes(),
        }
    }
}

/// Version and variant of a random UUID (RFC 9562 section 5.4).
fn uuid(mut it: [u8; 16]) -> [u8; 16] {
    it[6] = it[6] & 0x0f | 0x40;
    it[8] = it[8] & 0x3f | 0x80;
    it
}

/// Seven bits a byte, least significant first.
#[must_use]
pub fn varint(mut number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
    out
}
