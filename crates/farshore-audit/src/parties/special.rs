//! Owns the addresses that were set aside (IANA special-purpose registries, RFC 6890 and RFC 8190): they are nobody's
//! place. Refuses to guess what a local network uses them for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is set aside for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Special {
    /// Purpose and document, such as `private use (RFC 1918)`.
    pub note: &'static str,
    /// It stays on the device or its network: outside every place clause. Else it has no place at all.
    pub local: bool,
}

/// The entry an address falls under, the narrowest first.
pub fn special(address: IpAddr) -> Option<Special> {
    let found = match address {
        IpAddr::V4(ip) => V4
            .iter()
            .find(|row| same(ip.to_bits(), row.0.to_bits(), row.1))
            .map(|row| (row.2, row.3)),
        IpAddr::V6(ip) => V6
            .iter()
            .find(|row| same6(ip.to_bits(), row.0.to_bits(), row.1))
            .map(|row| (row.2, row.3)),
    };
    found.map(|(note, local)| Special { note, local })
}

/// Which entry that is, counted over both tables.
pub fn index(address: IpAddr) -> Option<usize> {
    match address {
        IpAddr::V4(ip) => V4.iter().position(|row| same(ip.to_bits(), row.0.to_bits(), row.1)),
        IpAddr::V6(ip) => {
            let found = V6.iter().position(|row| same6(ip.to_bits(), row.0.to_bits(), row.1))?;
            Some(found.saturating_add(V4.len()))
        }
    }
}

/// First addresses and lengths of all entries of IPv4.
pub fn v4_rows() -> impl Iterator<Item = (Ipv4Addr, u32)> {
    V4.iter().map(|row| (row.0, row.1))
}

/// The same for IPv6, with the prefixes that carry IPv4.
pub fn v6_rows() -> impl Iterator<Item = (Ipv6Addr, u32)> {
    let carriers = [(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped(), 96), (NAT64, 96)];
    V6.iter().map(|row| (row.0, row.1)).chain(carriers)
}

/// The address that is meant: IPv4 inside IPv6 (RFC 4291, 2.5.5.2; RFC 6052, 2.1) is IPv4.
pub fn canonical(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) if same6(ip.to_bits(), NAT64.to_bits(), 96) => {
            let [.., a, b, c, d] = ip.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        address => address,
    }
}

/// Documentation addresses (RFC 5737, RFC 3849, RFC 9637): the only ones a simulated world may use.
pub fn is_documentation(address: IpAddr) -> bool {
    special(address).is_some_and(|special| special.note.starts_with("documentation"))
}

/// The well-known prefix of NAT64 (RFC 6052).
const NAT64: Ipv6Addr = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);

const LOCAL: bool = true;
const NO_PLACE: bool = false;

/// Prefix, length, purpose, local. Globally reachable entries of the registries are left out: they are ordinary.
const V4: &[(Ipv4Addr, u32, &str, bool)] = &[
    (Ipv4Addr::new(255, 255, 255, 255), 32, "limited broadcast (RFC 919)", LOCAL),
    (Ipv4Addr::new(0, 0, 0, 0), 8, "this network (RFC 791)", LOCAL),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private use (RFC 1918)", LOCAL),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "shared by carriers (RFC 6598)", LOCAL),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback (RFC 1122)", LOCAL),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local (RFC 3927)", LOCAL),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private use (RFC 1918)", LOCAL),
    (Ipv4Addr::new(192, 0, 0, 0), 29, "IPv4 service continuity (RFC 7335)", LOCAL),
    (Ipv4Addr::new(192, 0, 0, 170), 31, "NAT64 discovery (RFC 7050)", LOCAL),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation (RFC 5737)", NO_PLACE),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "6to4 relay, deprecated (RFC 7526)", NO_PLACE),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private use (RFC 1918)", LOCAL),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarking (RFC 2544)", NO_PLACE),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation (RFC 5737)", NO_PLACE),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation (RFC 5737)", NO_PLACE),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast (RFC 5771)", LOCAL),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved (RFC 1112)", NO_PLACE),
];

/// The same for IPv6.
const V6: &[(Ipv6Addr, u32, &str, bool)] = &[
    (Ipv6Addr::UNSPECIFIED, 128, "unspecified (RFC 4291)", LOCAL),
    (Ipv6Addr::LOCALHOST, 128, "loopback (RFC 4291)", LOCAL),
    (
        Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0),
        48,
        "local-use translation (RFC 8215)",
        LOCAL,
    ),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64, "discard-only (RFC 6666)", NO_PLACE),
    (Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 0), 48, "benchmarking (RFC 5180)", NO_PLACE),
    (
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0),
        32,
        "documentation (RFC 3849)",
        NO_PLACE,
    ),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "documentation (RFC 9637)", NO_PLACE),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, "unique local (RFC 4193)", LOCAL),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "link-local (RFC 4291)", LOCAL),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "multicast (RFC 4291)", LOCAL),
];

/// Whether two IPv4 addresses share their first `length` bits.
pub fn same(one: u32, other: u32, length: u32) -> bool {
    (one ^ other).leading_zeros() >= length
}

/// The same for IPv6.
pub fn same6(one: u128, other: u128, length: u32) -> bool {
    (one ^ other).leading_zeros() >= length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_are_told() {
        for (address, note, local) in [
            ("192.168.1.7", "private use (RFC 1918)", true),
            ("100.127.255.255", "shared by carriers (RFC 6598)", true),
            ("239.255.255.250", "multicast (RFC 5771)", true),
            ("fe80::1", "link-local (RFC 4291)", true),
            ("fd12::1", "unique local (RFC 4193)", true),
            ("203.0.113.9", "documentation (RFC 5737)", false),
            ("198.19.255.1", "benchmarking (RFC 2544)", false),
            ("2001:db8::1", "documentation (RFC 3849)", false),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(special(address), Some(Special { note, local }), "{address}");
        }
    }

    #[test]
    fn neighbours_of_special_ranges_are_ordinary() {
        for address in [
            "9.255.255.255",
            "11.0.0.0",
            "172.32.0.0",
            "100.128.0.0",
            "192.0.3.0",
            "2001:db9::",
            "192.0.0.9",
        ] {
            assert_eq!(special(address.parse().unwrap()), None, "{address}");
        }
    }

    #[test]
    fn translated_addresses_are_the_ipv4_they_carry() {
        for wrapped in ["::ffff:8.8.8.8", "64:ff9b::808:808"] {
            assert_eq!(canonical(wrapped.parse().unwrap()), IpAddr::from([8, 8, 8, 8]), "{wrapped}");
        }
    }
}
