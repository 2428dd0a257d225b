//! Types of records by name (IANA "DNS Parameters"), and their data in presentation form (RFC 1035, section 5.1).

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use farshore_model::WireText;
use farshore_model::observation::BoundValue;

use super::name::Name;
use super::service;
use crate::cursor::{Cursor, Stop};
use crate::protocols::hexadecimal::spelled;

const TYPES: &[(u16, &str)] = &[
    (1, "A"),
    (2, "NS"),
    (5, "CNAME"),
    (6, "SOA"),
    (10, "NULL"),
    (11, "WKS"),
    (12, "PTR"),
    (13, "HINFO"),
    (15, "MX"),
    (16, "TXT"),
    (17, "RP"),
    (18, "AFSDB"),
    (24, "SIG"),
    (25, "KEY"),
    (28, "AAAA"),
    (29, "LOC"),
    (33, "SRV"),
    (35, "NAPTR"),
    (36, "KX"),
    (37, "CERT"),
    (38, "A6"),
    (39, "DNAME"),
    (41, "OPT"),
    (42, "APL"),
    (43, "DS"),
    (44, "SSHFP"),
    (45, "IPSECKEY"),
    (46, "RRSIG"),
    (47, "NSEC"),
    (48, "DNSKEY"),
    (49, "DHCID"),
    (50, "NSEC3"),
    (51, "NSEC3PARAM"),
    (52, "TLSA"),
    (53, "SMIMEA"),
    (55, "HIP"),
    (59, "CDS"),
    (60, "CDNSKEY"),
    (61, "OPENPGPKEY"),
    (62, "CSYNC"),
    (63, "ZONEMD"),
    (64, "SVCB"),
    (65, "HTTPS"),
    (99, "SPF"),
    (108, "EUI48"),
    (109, "EUI64"),
    (249, "TKEY"),
    (250, "TSIG"),
    (251, "IXFR"),
    (252, "AXFR"),
    (255, "ANY"),
    (256, "URI"),
    (257, "CAA"),
];

/// Addresses (RFC 1035, RFC 3596).
pub const A: u16 = 1;
pub const AAAA: u16 = 28;
/// EDNS's pseudo-record (RFC 6891).
pub const OPT: u16 = 41;
/// Service bindings, of any service and of the web (RFC 9460).
const SVCB: u16 = 64;
const HTTPS: u16 = 65;

/// The name of a type, `TYPE123` for others (RFC 3597, section 5).
pub fn type_name(kind: u16) -> String {
    match TYPES
        .binary_search_by_key(&kind, |(number, _)| *number)
        .ok()
        .and_then(|at| TYPES.get(at))
    {
        Some((_, name)) => (*name).to_owned(),
        None => format!("TYPE{kind}"),
    }
}

/// Whether the type has a name here.
pub fn is_known(kind: u16) -> bool {
    TYPES.binary_search_by_key(&kind, |(number, _)| *number).is_ok()
}

/// A record's value; `None` when its data does not fit its type.
pub fn value(message: &[u8], kind: u16, data: &Range<usize>) -> Option<BoundValue> {
    let bytes = message.get(data.clone())?;
    let address = match (kind, bytes.len()) {
        (1, 4) => <[u8; 4]>::try_from(bytes).ok().map(|it| Ipv4Addr::from(it).into()),
        (28, 16) => <[u8; 16]>::try_from(bytes).ok().map(|it| Ipv6Addr::from(it).into()),
        (1 | 28, _) => return None,
        _ => None,
    };
    if let Some(address) = address {
        return Some(BoundValue::Address(address));
    }
    if matches!(kind, SVCB | HTTPS) {
        let service = service::read(message, data).ok().flatten()?;
        return Some(BoundValue::Service(Box::new(service)));
    }
    let text = text(message, kind, data, bytes).ok()??;
    Some(BoundValue::Text(text))
}

fn text(message: &[u8], kind: u16, data: &Range<usize>, bytes: &[u8]) -> Result<Option<WireText>, Stop> {
    let mut it = Cursor::new("dns", bytes);
    let name = |at: usize| {
        let name = Name::read(message, data.start.saturating_add(at));
        (name.flaw.is_none() && name.place.end <= data.end).then(|| (name.text(), name.place.end.saturating_sub(data.start)))
    };
    Ok(match kind {
        // NS CNAME PTR DNAME
        2 | 5 | 12 | 39 => name(0).map(|(target, _)| target),
        // SOA: the numbers but the serial say nothing to an auditor.
        6 => name(0).and_then(|(primary, end)| {
            let (mailbox, end) = name(end)?;
            let mut it = Cursor::new("dns", bytes.get(end..)?);
            Some(format!("{primary} {mailbox} {}", it.u32().ok()?).into())
        }),
        // MX, AFSDB (RFC 1183), KX (RFC 2230)
        15 | 18 | 36 => {
            let preference = it.u16()?;
            name(2).map(|(host, _)| format!("{preference} {host}").into())
        }
        // SRV (RFC 2782)
        33 => {
            let (priority, weight, port) = (it.u16()?, it.u16()?, it.u16()?);
            name(6).map(|(host, _)| format!("{priority} {weight} {port} {host}").into())
        }
        // RP (RFC 1183): a mailbox, and where more is said of it
        17 => name(0).and_then(|(mailbox, end)| Some(format!("{mailbox} {}", name(end)?.0).into())),
        // NAPTR (RFC 3403)
        35 => {
            let (order, preference) = (it.u16()?, it.u16()?);
            let [mut flags, mut service, mut rule] = [const { Vec::new() }; 3];
            for shown in [&mut flags, &mut service, &mut rule] {
                quote(string(&mut it)?, shown);
            }
            let words = [format!("{order} {preference}").into_bytes(), flags, service, rule].join(&b' ');
            name(it.offset()).map(|(target, _)| format!("{} {target}", WireText::from_bytes(&words)).into())
        }
        // DS, CDS (RFC 4034, RFC 7344)
        43 | 59 => Some(format!("{} {} {} {}", it.u16()?, it.u8()?, it.u8()?, spelled(it.rest())).into()),
        // SSHFP (RFC 4255)
        44 => Some(format!("{} {} {}", it.u8()?, it.u8()?, spelled(it.rest())).into()),
        // DNSKEY, CDNSKEY
        48 | 60 => Some(format!("{} {} {} {}", it.u16()?, it.u8()?, it.u8()?, STANDARD.encode(it.rest())).into()),
        // TLSA, SMIMEA (RFC 6698, RFC 8162)
        52 | 53 => Some(format!("{} {} {} {}", it.u8()?, it.u8()?, it.u8()?, spelled(it.rest())).into()),
        // URI (RFC 7553)
        256 => {
            let mut shown = format!("{} {} ", it.u16()?, it.u16()?).into_bytes();
            quote(it.rest(), &mut shown);
            Some(WireText::from_bytes(&shown))
        }
        // CAA (RFC 8659)
        257 => {
            let flags = it.u8()?;
            let mut shown = [format!("{flags} ").as_bytes(), string(&mut it)?, b" "].concat();
            quote(it.rest(), &mut shown);
            Some(WireText::from_bytes(&shown))
        }
        // HINFO, TXT, SPF
        13 | 16 | 99 => Some(WireText::from_bytes(&quoted_strings(&mut it)?)),
        // Any other type (RFC 3597, section 5).
        _ => Some(format!("\\# {} {}", bytes.len(), spelled(bytes)).into()),
    })
}

/// Character strings, each in quotes.
fn quoted_strings(it: &mut Cursor<'_>) -> Result<Vec<u8>, Stop> {
    let mut shown = Vec::new();
    while !it.is_empty() {
        if !shown.is_empty() {
            shown.push(b' ');
        }
        quote(string(it)?, &mut shown);
    }
    Ok(shown)
}

fn quote(text: &[u8], shown: &mut Vec<u8>) {
    shown.push(b'"');
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            shown.push(b'\\');
        }
        shown.push(*byte);
    }
    shown.push(b'"');
}

/// A character string: one length byte, so many bytes (RFC 1035, section 3.3).
pub fn string<'a>(it: &mut Cursor<'a>) -> Result<&'a [u8], Stop> {
    let length = it.u8()?;
    it.take(usize::from(length))
}

/// The client subnet a resolver or client tells (RFC 7871, section 6): option 8 of an OPT record, as `192.0.2.0/24`,
/// and where its address bytes stand.
pub fn client_subnet(message: &[u8], data: &Range<usize>) -> Option<(String, Range<usize>)> {
    let mut it = Cursor::new("dns", message.get(data.clone())?);
    loop {
        let (code, length) = (it.u16().ok()?, it.u16().ok()?);
        let mut option = it.sub(usize::from(length)).ok()?;
        if code != 8 {
            continue;
        }
        let (family, prefix, _scope) = (option.u16().ok()?, option.u8().ok()?, option.u8().ok()?);
        let start = data.start.saturating_add(option.offset());
        let place = start..start.saturating_add(option.left());
        let address = match (family, option.left()) {
            (1, 0..=4) if prefix <= 32 => Ipv4Addr::from(padded(option.rest())).to_string(),
            (2, 0..=16) if prefix <= 128 => Ipv6Addr::from(padded(option.rest())).to_string(),
            _ => return None,
        };
        return Some((format!("{address}/{prefix}"), place));
    }
}

/// The address with the zeros that RFC 7871 leaves off.
fn padded<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut whole = [0; N];
    for (to, from) in whole.iter_mut().zip(bytes) {
        *to = *from;
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(kind: u16, data: &[u8]) -> Option<String> {
        value(data, kind, &(0..data.len())).map(|it| match it {
            BoundValue::Address(address) => address.to_string(),
            BoundValue::Text(text) => text.as_str().to_owned(),
            BoundValue::Service(it) => it.shown.as_str().to_owned(),
        })
    }

    #[test]
    fn types_are_sorted_and_named() {
        assert!(TYPES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!((type_name(65), type_name(65400)), ("HTTPS".to_owned(), "TYPE65400".to_owned()));
    }

    #[test]
    fn data_is_shown_as_in_zone_files() {
        assert_eq!(shown(1, &[192, 0, 2, 1]).unwrap(), "192.0.2.1");
        assert_eq!(
            shown(28, &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]).unwrap(),
            "2001:db8::1"
        );
        assert_eq!(shown(15, b"\x00\x0a\x02mx\x04test\x00").unwrap(), "10 mx.test");
        assert_eq!(shown(33, b"\x00\x01\x00\x02\x14\x95\x03sip\x00").unwrap(), "1 2 5269 sip");
        assert_eq!(shown(16, b"\x03a\"b\x01c").unwrap(), "\"a\\\"b\" \"c\"");
        assert_eq!(shown(6, b"\x01a\x00\x01b\x00\x00\x00\x00\x07\x00\x00").unwrap(), "a b 7");
        assert_eq!(
            shown(
                65,
                b"\x00\x01\x00\x00\x01\x00\x06\x02h2\x02h3\x00\x04\x00\x04\xc0\x00\x02\x01\x00\x05\x00\x03abc"
            )
            .unwrap(),
            "1 . alpn=h2,h3 ipv4hint=192.0.2.1 ech=YWJj"
        );
        assert_eq!(shown(13, b"\x03ARM\x05Linux").unwrap(), "\"ARM\" \"Linux\"");
        assert_eq!(shown(17, b"\x01a\x00\x01b\x00").unwrap(), "a b");
        assert_eq!(
            shown(35, b"\x00\x64\x00\x0a\x01u\x07E2U+sip\x06!x!\"y!\x01z\x00").unwrap(),
            "100 10 \"u\" \"E2U+sip\" \"!x!\\\"y!\" z"
        );
        assert_eq!(shown(43, &[0x30, 0x39, 8, 2, 0xab, 0xcd]).unwrap(), "12345 8 2 abcd");
        assert_eq!(shown(44, &[4, 2, 0xef]).unwrap(), "4 2 ef");
        assert_eq!(shown(48, &[1, 1, 3, 8, b'a', b'b', b'c']).unwrap(), "257 3 8 YWJj");
        assert_eq!(shown(52, &[3, 1, 1, 0xcd]).unwrap(), "3 1 1 cd");
        assert_eq!(shown(256, b"\x00\x0a\x00\x01ftp://a/b").unwrap(), "10 1 \"ftp://a/b\"");
        assert_eq!(shown(257, b"\x00\x05issueca.test").unwrap(), "0 issue \"ca.test\"");
        assert_eq!(shown(65400, &[0xab, 1]).unwrap(), "\\# 2 ab01");
    }

    #[test]
    fn data_that_does_not_fit_its_type_has_no_value() {
        for (kind, data) in [
            (1, &[1, 2, 3][..]),
            (28, &[0; 4]),
            (5, &[3, b'a']),
            (15, &[0]),
            (16, &[9, b'a']),
            (17, &[1, b'a', 0]),
            (35, &[0, 1, 0, 1, 1, b'u']),
            (43, &[1, 2, 3]),
            (257, &[0, 9, b'a']),
            (65, &[0, 1, 0, 0, 1, 0, 9]),
        ] {
            assert_eq!(shown(kind, data), None, "type {kind}");
        }
    }

    #[test]
    fn a_client_subnet_is_told_with_its_place() {
        let data = [0, 10, 0, 1, 7, 0, 8, 0, 7, 0, 1, 24, 0, 198, 51, 100];
        assert_eq!(client_subnet(&data, &(0..16)), Some(("198.51.100.0/24".to_owned(), 13..16)));
        assert_eq!(client_subnet(&data[..8], &(0..8)), None);
    }
}
