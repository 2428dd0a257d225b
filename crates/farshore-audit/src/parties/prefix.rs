//! Owns address prefixes as tables write them: `192.0.2.0/24`. Refuses bits set beyond the length.

use std::{
    fmt,
    net::{AddrParseError, IpAddr, Ipv4Addr, Ipv6Addr},
    num::ParseIntError,
    str::FromStr,
};

use serde::Deserialize;
use thiserror::Error;

use super::special::{same, same6};

/// An address and how many of its first bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Prefix {
    address: IpAddr,
    length: u32,
}

/// Why a prefix cannot be read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PrefixError {
    /// No slash.
    #[error("no length after the address")]
    NoLength,
    /// No address.
    #[error(transparent)]
    Address(#[from] AddrParseError),
    /// No number.
    #[error(transparent)]
    Length(#[from] ParseIntError),
    /// A length past the address's width, or bits set beyond it.
    #[error("the length does not fit the address")]
    Bits,
}

impl Prefix {
    /// Whether the address lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(ip)) => same(own.to_bits(), ip.to_bits(), self.length),
            (IpAddr::V6(own), IpAddr::V6(ip)) => same6(own.to_bits(), ip.to_bits(), self.length),
            _ => false,
        }
    }

    /// The prefix of that length around an address; `None` if the address is not that long.
    pub fn around(address: IpAddr, length: u32) -> Option<Prefix> {
        let address = match address {
            IpAddr::V4(ip) if length <= 32 => {
                let host = u32::MAX.checked_shr(length).unwrap_or(0);
                Ipv4Addr::from_bits(ip.to_bits() & !host).into()
            }
            IpAddr::V6(ip) if length <= 128 => {
                let host = u128::MAX.checked_shr(length).unwrap_or(0);
                Ipv6Addr::from_bits(ip.to_bits() & !host).into()
            }
            _ => return None,
        };
        Some(Prefix { address, length })
    }

    /// Its first address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How many bits count.
    pub fn length(&self) -> u32 {
        self.length
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Prefix, PrefixError> {
        let (address, length) = text.split_once('/').ok_or(PrefixError::NoLength)?;
        let (address, length): (IpAddr, u32) = (address.parse()?, length.parse()?);
        let (width, used) = match address {
            IpAddr::V4(ip) => (32, 32_u32.saturating_sub(ip.to_bits().trailing_zeros())),
            IpAddr::V6(ip) => (128, 128_u32.saturating_sub(ip.to_bits().trailing_zeros())),
        };
        match length <= width && used <= length {
            true => Ok(Prefix { address, length }),
            false => Err(PrefixError::Bits),
        }
    }
}

impl TryFrom<String> for Prefix {
    type Error = PrefixError;

    fn try_from(text: String) -> Result<Prefix, PrefixError> {
        text.parse()
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_reads_back_and_covers_its_own() {
        let prefix: Prefix = "198.51.100.0/24".parse().unwrap();
        assert_eq!(prefix.to_string(), "198.51.100.0/24");
        assert!(prefix.contains("198.51.100.255".parse().unwrap()));
        assert!(!prefix.contains("198.51.101.0".parse().unwrap()));
        assert!(!prefix.contains("::ffff:198.51.100.1".parse().unwrap()));
        assert!("0.0.0.0/0".parse::<Prefix>().unwrap().contains("8.8.8.8".parse().unwrap()));
    }

    #[test]
    fn a_prefix_around_an_address_has_no_stray_bits() {
        for (address, length, wanted) in [
            ("198.51.100.7", 24, Some("198.51.100.0/24")),
            ("198.51.100.7", 32, Some("198.51.100.7/32")),
            ("198.51.100.7", 0, Some("0.0.0.0/0")),
            ("198.51.100.7", 33, None),
            ("2001:db8:ffff::7", 36, Some("2001:db8:f000::/36")),
        ] {
            let around = Prefix::around(address.parse().unwrap(), length);
            assert_eq!(around.map(|it| it.to_string()).as_deref(), wanted);
            assert!(around.is_none_or(|it| it.to_string().parse() == Ok(it)));
        }
    }

    #[test]
    fn stray_bits_are_refused() {
        for text in ["198.51.100.1/24", "198.51.100.0/33", "::1/127", "198.51.100.0", "x/8"] {
            assert!(text.parse::<Prefix>().is_err(), "{text}");
        }
    }
}
