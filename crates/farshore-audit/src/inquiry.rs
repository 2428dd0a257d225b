//! A party somebody asks about by name, without any traffic: an address, a prefix, a host name, an AS number.
//!
//! Owns reading the question, and the [`Destination`] that answers it, by the same steps as in an audit. Refuses to
//! resolve a name: the network is never asked, so a host name has an organisation and no place. Refuses to make a prefix
//! or a network look like one place: each of its different answers is listed, with the first address that gives it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::str::FromStr;

use farshore_model::Date;
use farshore_model::party::{Destination, Organisation, Owner};
use thiserror::Error;

use crate::destinations::Parties;
use crate::naming::plain;
use crate::parties::{Datasets, Prefix, PrefixError, Stretches};

/// Different answers one prefix or network may have; more of them are no answer to anybody.
pub const MOST_PLACES: usize = 4096;

/// What is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inquiry {
    /// One address.
    Address(IpAddr),
    /// All addresses that begin alike.
    Prefix(Prefix),
    /// All addresses an autonomous system announces.
    Network(u32),
    /// A host name or a domain, in lower case.
    Host(String),
}

/// Why a question cannot be answered, and what to ask instead.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum InquiryError {
    /// Nothing was asked.
    #[error("nothing is asked: expected an address, a prefix, an AS number such as AS15169, or a host name")]
    Empty,
    /// It ends in a number, as only addresses do.
    #[error("neither an address nor a name: IPv4 has four numbers up to 255, such as 192.0.2.1")]
    Address,
    /// It has a slash.
    #[error("no prefix: {0}; expected one such as 192.0.2.0/24, and of a URL its host alone")]
    Prefix(PrefixError),
    /// It is no name that DNS could have.
    #[error("no host name: a label has 1 to 63 letters, digits, - or _, and the name 253 at most")]
    Host,
    /// It covers too much.
    #[error("it has more than {MOST_PLACES} different answers: ask for a longer prefix, or for single addresses")]
    TooWide,
}

impl FromStr for Inquiry {
    type Err = InquiryError;

    fn from_str(text: &str) -> Result<Self, InquiryError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(InquiryError::Empty);
        }
        if let Some(address) = address(text) {
            return Ok(Self::Address(address));
        }
        if text.contains('/') {
            return text.parse().map(Self::Prefix).map_err(InquiryError::Prefix);
        }
        let number = text.get(..2).filter(|it| it.eq_ignore_ascii_case("as")).and_then(|_| text.get(2..));
        if let Some(number) = number.filter(|it| it.bytes().all(|byte| byte.is_ascii_digit()) && !it.is_empty()) {
            return number.parse().map(Self::Network).map_err(|_| InquiryError::Host);
        }
        let name = plain(text);
        if let Some(address) = address(&name) {
            return Ok(Self::Address(address));
        }
        // Whatever ends in a number is an address or nothing (WHATWG URL, 3.5).
        if name
            .rsplit('.')
            .next()
            .is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()))
        {
            return Err(InquiryError::Address);
        }
        let letter = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        let label = |it: &str| (1..=63).contains(&it.len()) && it.chars().all(letter);
        if name.len() <= 253 && name.split('.').all(label) {
            Ok(Self::Host(name.into_owned()))
        } else {
            Err(InquiryError::Host)
        }
    }
}

/// An address, with or without the brackets, the port behind them and the zone that go with IPv6.
fn address(text: &str) -> Option<IpAddr> {
    let port = |it: &str| it.is_empty() || it.strip_prefix(':').is_some_and(|it| it.parse::<u16>().is_ok());
    let bracketed = text.strip_prefix('[').and_then(|it| it.split_once(']'));
    let bare = bracketed.filter(|(_, rest)| port(rest)).map_or(text, |(inside, _)| inside);
    let bare = bare.split_once('%').map_or(bare, |(address, _)| address);
    bare.parse().ok()
}

/// Answers one question after the other.
pub struct Inquirer<'a> {
    parties: Parties<'a>,
}

impl<'a> Inquirer<'a> {
    /// By these data, with the law as it was on that day. Without a day no law is known to have been in force.
    pub fn new(data: &'a Datasets, as_of: Option<Date>) -> Self {
        Self {
            parties: Parties::new(data, as_of),
        }
    }

    /// What is known of a party; its traffic is empty.
    pub fn answer(&mut self, asked: &Inquiry) -> Result<Destination, InquiryError> {
        let stretches = |found: Option<Vec<IpAddr>>| found.ok_or(InquiryError::TooWide);
        Ok(match asked {
            Inquiry::Address(address) => self.about(*address),
            Inquiry::Prefix(prefix) => {
                let first = stretches(Stretches::embedded().within(*prefix, MOST_PLACES))?;
                self.parties.addressed(&prefix.to_string(), first)
            }
            Inquiry::Network(asn) => {
                let first = stretches(Stretches::embedded().announced_by(*asn, MOST_PLACES))?;
                self.parties.addressed(&format!("AS{asn}"), first)
            }
            Inquiry::Host(name) => self.parties.named(name),
        })
    }

    /// The same for an address, which always has an answer.
    pub fn about(&mut self, address: IpAddr) -> Destination {
        self.parties.addressed(&address.to_string(), vec![address])
    }

    /// Where an address is and whose network it is in, without the laws that reach it: for answers that tell no law.
    pub fn placed(&mut self, address: IpAddr) -> Destination {
        self.parties.placed(&address.to_string(), address)
    }

    /// A party of which nothing is known but what somebody called it.
    pub fn nobody(&mut self, name: &str) -> Destination {
        self.parties.addressed(name, Vec::new())
    }
}

/// Who hosts a party, with its owners: the holders of the networks its addresses are in, and the cloud its name is at.
pub fn hosts(party: &Destination, data: &Datasets) -> Vec<(Organisation, Vec<Owner>)> {
    let mut seen = BTreeSet::new();
    let numbers = party.places.iter().filter_map(|place| Some(place.network.as_ref()?.asn));
    let mut networks = BTreeSet::new();
    let holders = numbers
        .filter(|asn| networks.insert(*asn))
        .filter_map(|asn| data.organisation_of_network(asn));
    let cloud = party
        .domain
        .as_ref()
        .and_then(|_| data.host_of(&party.name))
        .map(|it| it.organisation);
    let hosts = cloud.into_iter().chain(holders).filter(|it| seen.insert(it.id.clone()));
    hosts.map(|it| (data.owners(&it.id), it)).map(|(owners, it)| (it, owners)).collect()
}

#[cfg(test)]
mod tests {
    use farshore_model::party::LocationState;

    use super::*;

    fn asked(text: &str) -> Inquiry {
        text.parse().unwrap()
    }

    fn answer(text: &str) -> Destination {
        Inquirer::new(Datasets::embedded(), None).answer(&asked(text)).unwrap()
    }

    #[test]
    fn questions_are_read_as_logs_spell_them() {
        let address = |text: &str| Inquiry::Address(text.parse().unwrap());
        for (text, wanted) in [
            (" 8.8.8.8\r", address("8.8.8.8")),
            ("8.8.8.8:443", address("8.8.8.8")),
            ("[2001:db8::1]", address("2001:db8::1")),
            ("[2001:db8::1]:443", address("2001:db8::1")),
            ("fe80::1%eth0", address("fe80::1")),
            ("AS15169", Inquiry::Network(15169)),
            ("as21859", Inquiry::Network(21859)),
            ("as.example", Inquiry::Host("as.example".to_owned())),
            ("WWW.Example.COM.", Inquiry::Host("www.example.com".to_owned())),
            ("www.example.com:8443", Inquiry::Host("www.example.com".to_owned())),
            ("_dmarc.bücher.example", Inquiry::Host("_dmarc.bücher.example".to_owned())),
            ("2001:db8::/32", Inquiry::Prefix("2001:db8::/32".parse().unwrap())),
        ] {
            assert_eq!(asked(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_no_question_is_refused_with_the_next_step() {
        let long = "a.".repeat(127) + "a";
        for (text, wanted) in [
            ("", "expected"),
            (" \t", "expected"),
            ("8.8.8", "four numbers"),
            ("8.8.8.256", "four numbers"),
            ("8.8.8.8/24", "192.0.2.0/24"),
            ("https://example.com/", "host alone"),
            ("a..b", "label"),
            ("two words", "label"),
            ("\u{202e}moc", "label"),
            ("AS99999999999", "label"),
            (&long, "253"),
        ] {
            let said = text.parse::<Inquiry>().unwrap_err().to_string();
            assert!(said.contains(wanted), "{text:?}: {said}");
        }
    }

    #[test]
    fn an_address_is_answered_as_in_an_audit() {
        let found = answer("199.190.44.135");
        assert_eq!((found.name.as_str(), found.places.len()), ("199.190.44.135", 1));
        assert_eq!(found.location.state, LocationState::Disputed);
        let place = found.places.first().unwrap();
        assert_eq!(*place, Datasets::embedded().place("199.190.44.135".parse().unwrap()));
        assert!(found.organisation.is_none() && found.flows.is_empty() && !found.reach.is_empty());
    }

    #[test]
    fn a_place_alone_is_that_of_the_whole_answer() {
        let mut inquirer = Inquirer::new(Datasets::embedded(), None);
        for text in ["199.190.44.135", "10.0.0.1", "2001:db8::1", "8.8.8.8"] {
            let address = text.parse().unwrap();
            let (alone, whole) = (inquirer.placed(address), inquirer.about(address));
            assert_eq!(
                (&alone.name, &alone.places, &alone.location),
                (&whole.name, &whole.places, &whole.location)
            );
            assert!(alone.reach.is_empty());
        }
    }

    #[test]
    fn a_name_has_an_organisation_and_no_place() {
        let found = answer("web.agora.io");
        assert_eq!(found.organisation.as_ref().map(|it| it.id.as_str()), Some("agora"));
        assert_eq!((found.domain.as_deref(), found.places.len()), (Some("agora.io"), 0));
        assert_eq!(found.location.state, LocationState::Undetermined);
    }

    #[test]
    fn what_nobody_knows_stays_unknown() {
        for text in ["nobody-knows.example", "localhost", "192.0.2.7", "AS4199999999"] {
            let found = answer(text);
            assert!(
                found.organisation.is_none() && found.owners.is_empty() && found.reach.is_empty(),
                "{text}"
            );
            assert!(found.location.countries.is_empty(), "{text}");
            assert_eq!(found.location.state, LocationState::Undetermined, "{text}");
        }
    }

    #[test]
    fn a_prefix_lists_each_of_its_answers_once() {
        let found = answer("8.8.8.0/23");
        assert!(found.places.len() > 1, "the resolver's /24 and its neighbour differ");
        for (index, place) in found.places.iter().enumerate() {
            let same = |other: &&farshore_model::party::Place| other.network == place.network && other.location == place.location;
            assert_eq!(found.places.iter().skip(index).filter(same).count(), 1, "{}", place.address);
        }
        let single = answer("8.8.8.8/32");
        assert_eq!(single.places.len(), 1);
        assert_eq!(single.location, answer("8.8.8.8").location);
    }

    #[test]
    fn a_network_lists_where_its_addresses_are_said_to_be() {
        let found = answer("AS21859");
        let codes: Vec<_> = found.location.countries.iter().map(|it| it.code()).collect();
        assert!(["GB", "HK", "NL", "US"].iter().all(|wanted| codes.contains(wanted)), "{codes:?}");
        let asns = found.places.iter().map(|it| it.network.as_ref().map(|it| it.asn));
        assert!(asns.into_iter().all(|it| it == Some(21859)));
    }

    #[test]
    fn what_is_too_wide_is_refused() {
        let mut inquirer = Inquirer::new(Datasets::embedded(), None);
        for text in ["0.0.0.0/0", "::/0"] {
            assert_eq!(inquirer.answer(&asked(text)), Err(InquiryError::TooWide), "{text}");
        }
    }
}
