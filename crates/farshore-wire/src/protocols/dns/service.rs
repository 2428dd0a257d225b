//! Service bindings: the data of SVCB and HTTPS records (RFC 9460), with the configurations of Encrypted ClientHello they
//! offer (RFC 9848, RFC 9849). Refuses to say whether anyone follows them.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use base64::Engine as _;
use farshore_model::WireText;
use farshore_model::observation::{EchConfig, Service};

use super::name::Name;
use super::record::string;
use crate::cursor::{Cursor, Stop};
use crate::protocols::hexadecimal::spelled;

/// The one layout of a configuration that is in use (RFC 9849, section 4).
const ECH_VERSION: u16 = 0xfe0d;

/// Reads a record's data; `None` when its target is no name.
pub fn read(message: &[u8], data: &Range<usize>) -> Result<Option<Service>, Stop> {
    let bytes = message.get(data.clone()).unwrap_or_default();
    let priority = Cursor::new("dns", bytes).u16()?;
    let target = Name::read(message, data.start.saturating_add(2));
    if target.flaw.is_some() || target.place.end > data.end {
        return Ok(None);
    }
    let end = target.place.end.saturating_sub(data.start);
    let mut it = Service {
        shown: WireText::default(),
        target: if target.dotted.is_empty() {
            WireText::default()
        } else {
            target.text()
        },
        alpn: Vec::new(),
        doh_path: None,
        ech: Vec::new(),
    };
    let mut shown = format!("{priority} {}", target.text()).into_bytes();
    let mut rest = Cursor::new("dns", bytes.get(end..).unwrap_or_default());
    while !rest.is_empty() {
        parameter(&mut rest, &mut it, &mut shown)?;
    }
    it.shown = WireText::from_bytes(&shown);
    Ok(Some(it))
}

/// One SvcParam (RFC 9460, section 14.3; `dohpath`: RFC 9461; `ech`: RFC 9848).
fn parameter(it: &mut Cursor<'_>, service: &mut Service, shown: &mut Vec<u8>) -> Result<(), Stop> {
    let (key, length) = (it.u16()?, it.u16()?);
    let mut value = it.sub(usize::from(length))?;
    let (name, text): (_, Vec<u8>) = match key {
        1 => {
            let mut list: Vec<&[u8]> = Vec::new();
            while !value.is_empty() {
                list.push(string(&mut value)?);
            }
            service.alpn = list.iter().map(|it| WireText::from_bytes(it)).collect();
            ("alpn", list.join(&b','))
        }
        2 => ("no-default-alpn", Vec::new()),
        3 => ("port", value.u16()?.to_string().into_bytes()),
        4 => ("ipv4hint", addresses::<4>(&mut value, |it| Ipv4Addr::from(it).to_string())?),
        5 => {
            service.ech = configurations(value);
            ("ech", base64::engine::general_purpose::STANDARD.encode(value.rest()).into_bytes())
        }
        6 => ("ipv6hint", addresses::<16>(&mut value, |it| Ipv6Addr::from(it).to_string())?),
        7 => {
            service.doh_path = Some(WireText::from_bytes(value.rest()));
            ("dohpath", value.rest().to_vec())
        }
        _ => ("", spelled(value.rest()).into_bytes()),
    };
    shown.push(b' ');
    if name.is_empty() {
        shown.extend_from_slice(format!("key{key}").as_bytes());
    } else {
        shown.extend_from_slice(name.as_bytes());
    }
    if !text.is_empty() {
        shown.push(b'=');
        shown.extend_from_slice(&text);
    }
    Ok(())
}

fn addresses<const N: usize>(it: &mut Cursor<'_>, show: impl Fn([u8; N]) -> String) -> Result<Vec<u8>, Stop> {
    let mut list = Vec::new();
    while !it.is_empty() {
        list.push(show(it.array::<N>()?));
    }
    Ok(list.join(",").into_bytes())
}

/// The configurations of a list; those of other layouts are stepped over, what follows a broken length is left out.
fn configurations(mut it: Cursor<'_>) -> Vec<EchConfig> {
    let mut found = Vec::new();
    let list = it.u16().and_then(|length| it.sub(usize::from(length)));
    let Ok(mut list) = list else { return found };
    while let (Ok(version), Ok(length)) = (list.u16(), list.u16()) {
        let Ok(contents) = list.sub(usize::from(length)) else { break };
        if version == ECH_VERSION
            && let Ok(config) = configuration(contents)
        {
            found.push(config);
        }
    }
    found
}

fn configuration(mut it: Cursor<'_>) -> Result<EchConfig, Stop> {
    let id = it.u8()?;
    // How keys are agreed on, and the key.
    it.skip(2)?;
    let key = it.u16()?;
    it.skip(usize::from(key))?;
    let length = it.u16()?;
    let mut list = it.sub(usize::from(length))?;
    let mut suites = Vec::new();
    while !list.is_empty() {
        suites.push((list.u16()?, list.u16()?));
    }
    // The longest name that is sealed under it.
    it.skip(1)?;
    Ok(EchConfig {
        id,
        suites,
        public_name: WireText::from_bytes(string(&mut it)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A configuration as servers publish it: number 7, X25519, two suites.
    fn config(version: u16, public_name: &str) -> Vec<u8> {
        let mut contents = vec![7, 0, 0x20, 0, 32];
        contents.extend([0x5a; 32]);
        contents.extend([0, 8, 0, 1, 0, 1, 0, 1, 0, 3, 64]);
        contents.push(public_name.len() as u8);
        contents.extend(public_name.as_bytes());
        contents.extend([0, 0]);
        let length = u16::try_from(contents.len()).unwrap().to_be_bytes();
        [&version.to_be_bytes()[..], &length, &contents].concat()
    }

    fn record(parameters: &[(u16, &[u8])]) -> Vec<u8> {
        let mut data = b"\x00\x01\x03www\x07example\x00".to_vec();
        for (key, value) in parameters {
            data.extend(key.to_be_bytes());
            data.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
            data.extend(*value);
        }
        data
    }

    fn list(configs: &[Vec<u8>]) -> Vec<u8> {
        let all = configs.concat();
        [&u16::try_from(all.len()).unwrap().to_be_bytes()[..], &all].concat()
    }

    #[test]
    fn what_a_record_offers_is_told() {
        let ech = list(&[config(0xfe0a, "old.example"), config(0xfe0d, "cover.example")]);
        let data = record(&[(1, b"\x02h2\x02h3"), (5, &ech), (7, b"/dns-query{?dns}")]);
        let it = read(&data, &(0..data.len())).unwrap().unwrap();
        assert_eq!((it.target.as_str(), it.alpn.len()), ("www.example", 2));
        assert_eq!(it.doh_path.unwrap().as_str(), "/dns-query{?dns}");
        assert_eq!(
            it.ech,
            [EchConfig {
                id: 7,
                suites: vec![(1, 1), (1, 3)],
                public_name: "cover.example".into(),
            }]
        );
        assert!(it.shown.as_str().starts_with("1 www.example alpn=h2,h3 ech=A"), "{}", it.shown);
    }

    #[test]
    fn damaged_configurations_are_left_out_and_never_panic() {
        let ech = list(&[config(0xfe0d, "cover.example")]);
        for cut in 0..ech.len() {
            let data = record(&[(5, &ech[..cut])]);
            let it = read(&data, &(0..data.len())).unwrap().unwrap();
            assert!(it.ech.is_empty(), "cut at {cut}");
        }
        let whole = record(&[(5, &ech)]);
        for at in 0..whole.len() {
            let mut wrong = whole.clone();
            wrong[at] ^= 0xff;
            let _ = read(&wrong, &(0..wrong.len()));
            let _ = read(&whole, &(0..at));
        }
    }
}
