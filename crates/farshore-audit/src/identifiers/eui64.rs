//! Hardware addresses in addresses: an interface that makes its IPv6 address of its EUI-48 tells it to everybody it speaks with,
//! in every network it is in (RFC 7721 section 3).
//!
//! Refused: addresses that stay on their link, where frames carry the hardware address anyway, and interface identifiers that
//! do not say they are universal: what was drawn at random has that bit clear (RFC 8981, ISATAP in RFC 5214), or meets
//! the rest of the form once in a hundred thousand times (RFC 7217).

use std::fmt::Write as _;
use std::net::Ipv6Addr;

/// The hardware address that an interface identifier was made of (RFC 4291 appendix A), as `3c:5a:b4:01:02:03`.
pub fn hardware_address(of: Ipv6Addr) -> Option<String> {
    if of.is_multicast() || of.is_unicast_link_local() || of.is_loopback() {
        return None;
    }
    let [.., a, b, c, 0xff, 0xfe, d, e, f] = of.octets() else {
        return None;
    };
    // The universal bit is turned over; that of groups belongs to no interface.
    if a & 3 != 2 || [a ^ 2, b, c] == [0; 3] {
        return None;
    }
    let mut text = format!("{:02x}", a ^ 2);
    for byte in [b, c, d, e, f] {
        // Writing to a String cannot fail.
        let _ = write!(text, ":{byte:02x}");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_made_of_hardware_addresses_tell_one() {
        let told = |text: &str| hardware_address(text.parse().unwrap());
        // RFC 4291 appendix A turns 34-56-78-9A-BC-DE into 3656:78ff:fe9a:bcde.
        assert_eq!(told("2001:db8::3656:78ff:fe9a:bcde").as_deref(), Some("34:56:78:9a:bc:de"));
        assert_eq!(told("fd00::1:3656:78ff:fe9a:bcde").as_deref(), Some("34:56:78:9a:bc:de"));
        for none in [
            "fe80::3656:78ff:fe9a:bcde",
            "ff02::3656:78ff:fe9a:bcde",
            "2001:db8::3456:78ff:fe9a:bcde",
            "2001:db8::3756:78ff:fe9a:bcde",
            "2001:db8::200:ff:fe00:1",
            "2001:db8::3656:78ff:ff9a:bcde",
            "2001:db8::0:5efe:c000:201",
            "::1",
        ] {
            assert_eq!(told(none), None, "{none}");
        }
    }
}
