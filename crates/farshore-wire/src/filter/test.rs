//! What an expression asks, and the answer of a frame. Where the captured bytes end, the answer is that the frame is refused: so does the
//! machine that libpcap compiles for.

use farshore_model::{Frame, LinkType};

use crate::cursor::Cursor;
use crate::link::{self, IPV4, IPV6, Next};
use crate::packet::Descent;

pub const ARP: u16 = 0x0806;
pub const RARP: u16 = 0x8035;
/// Those that `vlan` asks for.
const TAGS: [u16; 3] = [0x8100, 0x88a8, 0x9100];
/// IPv6's header of fragments, behind which it is looked once.
const FRAGMENT: u8 = 44;

/// What is asked beyond the captured bytes, or is divided by nothing.
#[derive(Clone, Copy, Debug)]
pub struct Refused;

/// Tags and labels that are followed on links without an EtherType.
const DEEPEST: usize = 16;

type Answer<T> = Result<T, Refused>;

/// Tests one after the other; both words bind alike.
#[derive(Clone, Debug)]
pub struct Chain {
    pub first: Box<Test>,
    pub rest: Vec<(Join, Test)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    And,
    Or,
}

#[derive(Clone, Debug)]
pub enum Test {
    Chain(Chain),
    Not(Box<Test>),
    /// Any of these.
    Any(Vec<Test>),
    /// A leaf, and how far `vlan` moved what it looks at.
    Leaf(Leaf, usize),
}

/// Whose end of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Source,
    Destination,
    Either,
    Both,
}

#[derive(Clone, Debug)]
pub enum Leaf {
    /// The EtherType.
    Kind(u16),
    /// The protocol above IPv4 or IPv6.
    Above(u16, u8),
    /// An address in the header of IPv4, or in what ARP or RARP asks.
    V4 {
        kind: u16,
        end: End,
        address: u32,
        mask: u32,
    },
    V6 {
        end: End,
        address: u128,
        mask: u128,
    },
    Mac {
        end: End,
        address: [u8; 6],
    },
    /// The bit of groups in the address of the link.
    Group,
    V4Group,
    V6Group,
    Ports {
        protocol: u8,
        end: End,
        from: u16,
        to: u16,
    },
    Vlan(Option<u16>),
    Compare(Box<Sum>, Relation, Box<Sum>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    GreaterOrEqual,
    Greater,
}

/// Arithmetic in 32 bits, without a sign.
#[derive(Clone, Debug)]
pub enum Sum {
    Number(u32),
    Length,
    /// So many bytes of a layer.
    Bytes {
        of: Layer,
        at: Box<Sum>,
        size: usize,
    },
    Two(Box<Sum>, Operator, Box<Sum>),
    Minus(Box<Sum>),
}

/// What offsets count from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    Link,
    /// The header of that EtherType.
    Network(u16),
    /// What IPv4 carries, in first fragments.
    OverV4(u8),
    /// What stands right behind the header of IPv6.
    OverV6(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    And,
    Or,
    Xor,
    Left,
    Right,
}

impl Chain {
    /// Whether the frame is meant.
    pub fn holds(&self, frame: &Frame<'_>) -> Answer<bool> {
        let mut sum = self.first.holds(frame)?;
        for (join, test) in &self.rest {
            // What cannot change the answer is not looked at.
            if sum == (*join == Join::And) {
                sum = test.holds(frame)?;
            }
        }
        Ok(sum)
    }
}

impl Test {
    fn holds(&self, frame: &Frame<'_>) -> Answer<bool> {
        match self {
            Self::Chain(chain) => chain.holds(frame),
            Self::Not(test) => test.holds(frame).map(|it| !it),
            Self::Any(tests) => {
                for test in tests {
                    if test.holds(frame)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Leaf(leaf, moved) => leaf.holds(&View { frame, moved: *moved }),
        }
    }
}

/// A frame as one test sees it.
struct View<'a> {
    frame: &'a Frame<'a>,
    moved: usize,
}

/// A network header: what it is, and where.
struct Network {
    kind: Option<u16>,
    at: usize,
}

impl View<'_> {
    fn bytes<const N: usize>(&self, at: usize) -> Answer<[u8; N]> {
        let rest = self.frame.bytes.get(at..).ok_or(Refused)?;
        rest.first_chunk::<N>().copied().ok_or(Refused)
    }

    fn byte(&self, at: usize) -> Answer<u8> {
        self.bytes::<1>(at).map(|[it]| it)
    }

    fn u16(&self, at: usize) -> Answer<u16> {
        self.bytes(at).map(u16::from_be_bytes)
    }

    fn is_ethernet(&self) -> bool {
        self.frame.link == LinkType::ETHERNET
    }

    fn network(&self) -> Answer<Network> {
        // Where the EtherType stands, and where what it names.
        let (kind, at) = match self.frame.link {
            LinkType::ETHERNET => (12, 14),
            LinkType::LINUX_SLL => (14, 16),
            LinkType::LINUX_SLL2 if self.moved == 0 => (0, 20),
            _ => return self.elsewhere(),
        };
        let kind = self.u16(self.moved.saturating_add(kind))?;
        Ok(Network {
            // Below that it is a length (IEEE 802.3).
            kind: Some(kind).filter(|it| *it > 1500),
            at: self.moved.saturating_add(at),
        })
    }

    /// On links without an EtherType: IP, wherever it begins.
    fn elsewhere(&self) -> Answer<Network> {
        let mut cursor = Cursor::new("link", self.frame.bytes);
        let next = match link::read(self.frame.link, &mut cursor, &mut Descent::with(DEEPEST)) {
            Ok(next) if self.moved == 0 => next,
            _ => return Ok(Network { kind: None, at: 0 }),
        };
        let at = cursor.offset();
        let kind = match next {
            Next::V4 => Some(IPV4),
            Next::V6 => Some(IPV6),
            Next::Either => match self.byte(at)? >> 4 {
                4 => Some(IPV4),
                6 => Some(IPV6),
                _ => None,
            },
        };
        Ok(Network { kind, at })
    }

    /// Where the header of that EtherType begins, if the frame has one.
    fn header(&self, kind: u16) -> Answer<Option<usize>> {
        let network = self.network()?;
        Ok((network.kind == Some(kind)).then_some(network.at))
    }

    /// Whether the protocol stands above IPv4 or IPv6.
    fn is_above(&self, kind: u16, protocol: u8) -> Answer<bool> {
        let Some(at) = self.header(kind)? else { return Ok(false) };
        if kind == IPV4 {
            return Ok(self.byte(at.saturating_add(9))? == protocol);
        }
        let next = self.byte(at.saturating_add(6))?;
        Ok(next == protocol || (next == FRAGMENT && self.byte(at.saturating_add(40))? == protocol))
    }

    /// Where what a layer holds begins, if the frame has it.
    fn layer(&self, it: Layer) -> Answer<Option<usize>> {
        match it {
            Layer::Link => Ok(Some(0)),
            Layer::Network(kind) => self.header(kind),
            Layer::OverV4(protocol) => {
                let Some(at) = self.header(IPV4)? else { return Ok(None) };
                if self.byte(at.saturating_add(9))? != protocol || !self.is_first(at)? {
                    return Ok(None);
                }
                self.behind(at).map(Some)
            }
            Layer::OverV6(protocol) => {
                let Some(at) = self.header(IPV6)? else { return Ok(None) };
                Ok((self.byte(at.saturating_add(6))? == protocol).then(|| at.saturating_add(40)))
            }
        }
    }

    /// Whether it is the first fragment of an IPv4 packet, or the whole of one.
    fn is_first(&self, at: usize) -> Answer<bool> {
        Ok(self.u16(at.saturating_add(6))? & 0x1fff == 0)
    }

    /// Where the payload of an IPv4 packet begins.
    fn behind(&self, at: usize) -> Answer<usize> {
        let words = usize::from(self.byte(at)? & 0xf);
        Ok(at.saturating_add(words.saturating_mul(4)))
    }
}

impl End {
    /// Whether the ends that are meant fit.
    fn fits(self, source: impl FnOnce() -> Answer<bool>, destination: impl FnOnce() -> Answer<bool>) -> Answer<bool> {
        match self {
            Self::Source => source(),
            Self::Destination => destination(),
            Self::Either => Ok(source()? || destination()?),
            Self::Both => Ok(source()? && destination()?),
        }
    }
}

impl Leaf {
    fn holds(&self, view: &View<'_>) -> Answer<bool> {
        match *self {
            Self::Kind(kind) => Ok(view.network()?.kind == Some(kind)),
            Self::Above(kind, protocol) => view.is_above(kind, protocol),
            Self::V4 { kind, end, address, mask } => {
                let Some(at) = view.header(kind)? else { return Ok(false) };
                let (source, destination) = if kind == IPV4 { (12, 16) } else { (14, 24) };
                // What is not asked for need not be there.
                let fits = |offset: usize| Ok(mask == 0 || u32::from_be_bytes(view.bytes(at.saturating_add(offset))?) & mask == address);
                end.fits(|| fits(source), || fits(destination))
            }
            Self::V6 { end, address, mask } => {
                let Some(at) = view.header(IPV6)? else { return Ok(false) };
                let fits = |offset: usize| Ok(mask == 0 || u128::from_be_bytes(view.bytes(at.saturating_add(offset))?) & mask == address);
                end.fits(|| fits(8), || fits(24))
            }
            Self::Mac { end, address } => {
                let fits = |offset: usize| Ok(view.bytes::<6>(offset)? == address);
                if view.is_ethernet() {
                    end.fits(|| fits(6), || fits(0))
                } else {
                    Ok(false)
                }
            }
            Self::Group => Ok(view.is_ethernet() && view.byte(0)? & 1 == 1),
            Self::V4Group => match view.header(IPV4)? {
                Some(at) => Ok(view.byte(at.saturating_add(16))? >= 224),
                None => Ok(false),
            },
            Self::V6Group => match view.header(IPV6)? {
                Some(at) => Ok(view.byte(at.saturating_add(24))? == 255),
                None => Ok(false),
            },
            Self::Ports { protocol, end, from, to } => {
                let over = match view.layer(Layer::OverV4(protocol))? {
                    Some(at) => Some(at),
                    None => view.layer(Layer::OverV6(protocol))?,
                };
                let Some(at) = over else { return Ok(false) };
                let fits = |offset: usize| Ok((from..=to).contains(&view.u16(at.saturating_add(offset))?));
                end.fits(|| fits(0), || fits(2))
            }
            Self::Vlan(number) => {
                let Network { kind, at } = view.network()?;
                if !kind.is_some_and(|it| TAGS.contains(&it)) {
                    return Ok(false);
                }
                match number {
                    Some(number) => Ok(view.u16(at)? & 0x0fff == number),
                    None => Ok(true),
                }
            }
            Self::Compare(ref left, relation, ref right) => {
                let (Some(left), Some(right)) = (left.value(view)?, right.value(view)?) else {
                    return Ok(false);
                };
                Ok(match relation {
                    Relation::Less => left < right,
                    Relation::LessOrEqual => left <= right,
                    Relation::Equal => left == right,
                    Relation::NotEqual => left != right,
                    Relation::GreaterOrEqual => left >= right,
                    Relation::Greater => left > right,
                })
            }
        }
    }
}

impl Sum {
    /// Its value; none of a layer that the frame does not have.
    fn value(&self, view: &View<'_>) -> Answer<Option<u32>> {
        Ok(match self {
            Self::Number(number) => Some(*number),
            Self::Length => Some(view.frame.wire_length),
            Self::Minus(sum) => sum.value(view)?.map(u32::wrapping_neg),
            Self::Bytes { of, at, size } => {
                let (Some(layer), Some(at)) = (view.layer(*of)?, at.value(view)?) else {
                    return Ok(None);
                };
                let at = layer.saturating_add(usize::try_from(at).map_err(|_| Refused)?);
                Some(match size {
                    1 => view.byte(at)?.into(),
                    2 => view.u16(at)?.into(),
                    _ => u32::from_be_bytes(view.bytes(at)?),
                })
            }
            Self::Two(left, operator, right) => {
                let (Some(left), Some(right)) = (left.value(view)?, right.value(view)?) else {
                    return Ok(None);
                };
                Some(match operator {
                    Operator::Add => left.wrapping_add(right),
                    Operator::Subtract => left.wrapping_sub(right),
                    Operator::Multiply => left.wrapping_mul(right),
                    Operator::Divide => left.checked_div(right).ok_or(Refused)?,
                    Operator::Modulo => left.checked_rem(right).ok_or(Refused)?,
                    Operator::And => left & right,
                    Operator::Or => left | right,
                    Operator::Xor => left ^ right,
                    Operator::Left => left.checked_shl(right).unwrap_or(0),
                    Operator::Right => left.checked_shr(right).unwrap_or(0),
                })
            }
        })
    }
}
