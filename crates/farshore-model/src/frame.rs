//! What a capture holds: frames on links.

use crate::Timestamp;

/// Which of the inputs of one audit, counted from 0 in the order given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InputId(pub u32);

/// A LINKTYPE value as registered by the tcpdump group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u32);

impl LinkType {
    /// BSD loopback, protocol family in host byte order.
    pub const NULL: Self = Self(0);
    /// Ethernet II and 802.3.
    pub const ETHERNET: Self = Self(1);
    /// Raw IP, version from the first nibble (the registered value).
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback, protocol family in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux "cooked" v1.
    pub const LINUX_SLL: Self = Self(113);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux "cooked" v2.
    pub const LINUX_SLL2: Self = Self(276);
}

/// One captured frame. Borrowed: it lives as long as the reader's window.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The input it was read from.
    pub input: InputId,
    /// Its number in that input, from 1, as Wireshark counts.
    pub number: u64,
    /// When it was captured; `None` where the format does not say.
    pub time: Option<Timestamp>,
    /// The tick of the capturing clock in nanoseconds (1000 for microseconds).
    pub tick: u64,
    /// How its first bytes are to be read.
    pub link: LinkType,
    /// The interface it was captured on, counted from 0 within the input.
    pub interface: u32,
    /// Its length on the wire, which may exceed what was captured.
    pub wire_length: u32,
    /// The captured bytes.
    pub bytes: &'a [u8],
}
