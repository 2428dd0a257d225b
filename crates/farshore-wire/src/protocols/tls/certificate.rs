//! What a certificate calls its owner (RFC 5280, section 4.1): common name and alternative names, mail addresses and URIs
//! among them. It owns the way there through the structure and refuses the rest: keys, dates, issuers, whether any of it is
//! signed.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use farshore_model::WireText;
use x509_parser::prelude::{FromDer, X509Name};

use crate::cursor::{Cursor, Stop};

/// Tags (ITU-T X.690, section 8).
mod tag {
    pub(super) const INTEGER: u8 = 0x02;
    pub(super) const BITS: u8 = 0x03;
    pub(super) const OCTETS: u8 = 0x04;
    pub(super) const OBJECT: u8 = 0x06;
    pub(super) const SEQUENCE: u8 = 0x30;
    pub(super) const SET: u8 = 0x31;
    /// `rfc822Name [1]`, `dNSName [2]`, `uniformResourceIdentifier [6]` and `iPAddress [7]` of a general name.
    pub(super) const MAIL: u8 = 0x81;
    pub(super) const URI: u8 = 0x86;
    pub(super) const NAME: u8 = 0x82;
    pub(super) const ADDRESS: u8 = 0x87;
    /// `[0]` and `[3]` of a certificate.
    pub(super) const VERSION: u8 = 0xa0;
    pub(super) const EXTENSIONS: u8 = 0xa3;
}

/// `id-at-commonName`, 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
/// `emailAddress` of PKCS #9, 1.2.840.113549.1.9.1.
const MAIL_ADDRESS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1];
/// `id-ce-subjectAltName`, 2.5.29.17.
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 29, 17];

/// What a certificate is named.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The common name, else the whole subject.
    pub subject: WireText,
    /// Hosts and addresses.
    pub alternatives: Vec<WireText>,
    /// Where it names whom it belongs to besides: mail addresses, and URIs, in which makers of devices write serial numbers and
    /// users.
    pub holders: Vec<(&'static str, Range<usize>)>,
}

/// The names; nothing for what is no certificate.
pub(super) fn names(der: &[u8]) -> Names {
    read(der).unwrap_or_default()
}

fn read(der: &[u8]) -> Result<Names, Stop> {
    let mut it = Cursor::new("x509", der);
    let mut certificate = value(&mut it, tag::SEQUENCE)?;
    let mut it = value(&mut certificate, tag::SEQUENCE)?;
    // How it is signed, and the signature.
    value(&mut certificate, tag::SEQUENCE)?;
    value(&mut certificate, tag::BITS)?;
    if it.peek(0) == Some(tag::VERSION) {
        value(&mut it, tag::VERSION)?;
    }
    // Serial number; how it is signed, once more; issuer; dates.
    value(&mut it, tag::INTEGER)?;
    value(&mut it, tag::SEQUENCE)?;
    value(&mut it, tag::SEQUENCE)?;
    value(&mut it, tag::SEQUENCE)?;
    let start = it.offset();
    let subject = value(&mut it, tag::SEQUENCE)?;
    let whole = der.get(start..it.offset()).unwrap_or_default();
    // The key.
    value(&mut it, tag::SEQUENCE)?;
    // Ids of issuer and subject, which nobody uses, may stand before the extensions.
    let mut extensions = None;
    while !it.is_empty() {
        let (kind, content) = element(&mut it)?;
        if kind == tag::EXTENSIONS {
            extensions = Some(content);
        }
    }
    let mut names = Names::default();
    let common = common_name(subject, &mut names.holders)?;
    if let Some(it) = extensions {
        let found = names.holders.len();
        if alternatives(it, &mut names).is_err() {
            names.alternatives.clear();
            names.holders.truncate(found);
        }
    }
    names.subject = match common {
        Some(name) => WireText::from_bytes(name),
        None => X509Name::from_der(whole).map_or_else(|_| WireText::default(), |(_, it)| it.to_string().into()),
    };
    Ok(names)
}

fn place(it: &Cursor<'_>) -> Range<usize> {
    it.offset()..it.offset().saturating_add(it.left())
}

/// The last common name, which is the most specific one.
fn common_name<'a>(mut subject: Cursor<'a>, holders: &mut Vec<(&'static str, Range<usize>)>) -> Result<Option<&'a [u8]>, Stop> {
    let mut last = None;
    while !subject.is_empty() {
        let mut set = value(&mut subject, tag::SET)?;
        while !set.is_empty() {
            let mut attribute = value(&mut set, tag::SEQUENCE)?;
            let kind = value(&mut attribute, tag::OBJECT)?;
            let (_, text) = element(&mut attribute)?;
            if kind.rest() == COMMON_NAME {
                last = Some(text.rest());
            } else if kind.rest() == MAIL_ADDRESS {
                holders.push(("tls.certificate.email", place(&text)));
            }
        }
    }
    Ok(last)
}

/// The names of the one extension that has them; none if there are two of it, which RFC 5280 (section 4.2) forbids.
fn alternatives(mut it: Cursor<'_>, names: &mut Names) -> Result<(), Stop> {
    let mut list = value(&mut it, tag::SEQUENCE)?;
    let mut found = None;
    while !list.is_empty() {
        let mut extension = value(&mut list, tag::SEQUENCE)?;
        if value(&mut extension, tag::OBJECT)?.rest() != ALTERNATIVE_NAMES {
            continue;
        }
        // Whether it is critical may stand between.
        let (mut kind, mut content) = element(&mut extension)?;
        if kind != tag::OCTETS {
            (kind, content) = element(&mut extension)?;
        }
        if kind != tag::OCTETS || found.replace(content).is_some() {
            return Err(extension.forbidden());
        }
    }
    let Some(mut content) = found else { return Ok(()) };
    let mut list = value(&mut content, tag::SEQUENCE)?;
    while !list.is_empty() {
        let (kind, content) = element(&mut list)?;
        match (kind, content.rest()) {
            (tag::NAME, name) => names.alternatives.push(WireText::from_bytes(name)),
            (tag::ADDRESS, bytes) => names.alternatives.extend(address(bytes)),
            (tag::MAIL, _) => names.holders.push(("tls.certificate.email", place(&content))),
            (tag::URI, _) => names.holders.push(("tls.certificate.uri", place(&content))),
            _ => {}
        }
    }
    Ok(())
}

fn address(bytes: &[u8]) -> Option<WireText> {
    let four = <[u8; 4]>::try_from(bytes).map(|it| Ipv4Addr::from(it).to_string());
    let sixteen = || <[u8; 16]>::try_from(bytes).map(|it| Ipv6Addr::from(it).to_string());
    four.or_else(|_| sixteen()).ok().map(WireText::from)
}

/// The value of an element of that tag.
fn value<'a>(it: &mut Cursor<'a>, tag: u8) -> Result<Cursor<'a>, Stop> {
    let start = *it;
    match element(it)? {
        (kind, content) if kind == tag => Ok(content),
        _ => Err(start.forbidden()),
    }
}

/// The next element: its tag and its value, whose length is definite (ITU-T X.690, section 8.1.3).
fn element<'a>(it: &mut Cursor<'a>) -> Result<(u8, Cursor<'a>), Stop> {
    let start = *it;
    let [tag, length] = it.array::<2>()?;
    let length = match length {
        0..=0x7f => usize::from(length),
        0x81 => usize::from(it.u8()?),
        0x82 => usize::from(it.u16()?),
        0x83 => it.u24()? as usize,
        _ => return Err(start.forbidden()),
    };
    Ok((tag, it.sub(length)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let length = match content.len() {
            short @ ..0x80 => vec![short as u8],
            long => vec![0x82, (long >> 8) as u8, long as u8],
        };
        [&[tag], &length[..], &content].concat()
    }

    fn attribute(kind: &[u8], text: &[u8]) -> Vec<u8> {
        let pair = element(tag::SEQUENCE, &[&element(tag::OBJECT, &[kind]), &element(0x0c, &[text])]);
        element(tag::SET, &[&pair])
    }

    fn extension(kind: &[u8], content: &[u8]) -> Vec<u8> {
        let critical = [1, 1, 0xff];
        element(
            tag::SEQUENCE,
            &[&element(tag::OBJECT, &[kind]), &critical, &element(tag::OCTETS, &[content])],
        )
    }

    fn certificate(subject: &[&[u8]], extensions: &[&[u8]]) -> Vec<u8> {
        let (number, list, key) = (
            element(tag::INTEGER, &[&[1]]),
            element(tag::SEQUENCE, &[]),
            element(tag::SEQUENCE, &[]),
        );
        let body = element(
            tag::SEQUENCE,
            &[
                &element(tag::VERSION, &[&number]),
                &number,
                &list,
                &list,
                &list,
                &element(tag::SEQUENCE, subject),
                &key,
                &element(tag::EXTENSIONS, &[&element(tag::SEQUENCE, extensions)]),
            ],
        );
        element(tag::SEQUENCE, &[&body, &list, &element(tag::BITS, &[&[0]])])
    }

    fn shown(der: &[u8]) -> (String, Vec<String>) {
        let names = names(der);
        (
            names.subject.to_string(),
            names.alternatives.iter().map(ToString::to_string).collect(),
        )
    }

    const ORGANISATION: &[u8] = &[0x55, 4, 10];

    fn sample() -> Vec<u8> {
        let list = element(
            tag::SEQUENCE,
            &[
                &element(tag::NAME, &[b"a.example"]),
                &element(tag::MAIL, &[b"post@a.example"]),
                &element(tag::URI, &[b"urn:maker:serial:4c-11"]),
                &element(tag::ADDRESS, &[&[192, 0, 2, 1]]),
                &element(tag::ADDRESS, &[&[192, 0, 2]]),
                &element(tag::NAME, &[b"*.a.example"]),
            ],
        );
        certificate(
            &[
                &attribute(COMMON_NAME, b"first"),
                &attribute(ORGANISATION, b"org"),
                &attribute(MAIL_ADDRESS, b"ann@a.example"),
                &attribute(COMMON_NAME, b"last"),
            ],
            &[
                &extension(&[0x55, 29, 19], &element(tag::SEQUENCE, &[])),
                &extension(ALTERNATIVE_NAMES, &list),
            ],
        )
    }

    #[test]
    fn the_last_common_name_and_the_alternatives_are_told() {
        let (subject, names) = shown(&sample());
        assert_eq!(subject, "last");
        assert_eq!(names, ["a.example", "192.0.2.1", "*.a.example"]);
    }

    #[test]
    fn whom_it_belongs_to_is_told_where_it_stands() {
        let der = sample();
        let told: Vec<_> = names(&der)
            .holders
            .into_iter()
            .map(|(path, place)| (path, String::from_utf8_lossy(&der[place]).into_owned()))
            .collect();
        let expected = [
            ("tls.certificate.email", "ann@a.example"),
            ("tls.certificate.email", "post@a.example"),
            ("tls.certificate.uri", "urn:maker:serial:4c-11"),
        ];
        assert_eq!(told, expected.map(|(path, text)| (path, text.to_owned())));
    }

    #[test]
    fn a_subject_without_a_common_name_is_told_whole() {
        assert_eq!(
            shown(&certificate(&[&attribute(ORGANISATION, b"org")], &[])),
            ("O=org".to_owned(), Vec::new())
        );
        assert_eq!(shown(&certificate(&[], &[])), Default::default());
    }

    #[test]
    fn two_lists_of_alternatives_are_none() {
        let one = |name| extension(ALTERNATIVE_NAMES, &element(tag::SEQUENCE, &[&element(tag::NAME, &[name])]));
        let subject = attribute(COMMON_NAME, b"x");
        assert_eq!(
            shown(&certificate(&[&subject], &[&one(b"a"), &one(b"b")])),
            ("x".to_owned(), Vec::new())
        );
        assert_eq!(
            shown(&certificate(&[&subject], &[&one(b"a")])),
            ("x".to_owned(), vec!["a".to_owned()])
        );
    }

    #[test]
    fn what_is_cut_or_changed_is_read_or_not_and_never_panics() {
        let whole = sample();
        for cut in 0..whole.len() {
            assert_eq!(shown(&whole[..cut]), Default::default(), "{cut}");
        }
        for at in 0..whole.len() {
            for mask in [1, 4, 0x20, 0x80, 0xff] {
                let mut changed = whole.clone();
                changed[at] ^= mask;
                let _ = names(&changed);
            }
        }
    }
}
