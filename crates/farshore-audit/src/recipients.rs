//! Recipients as people write them down: the id of an organisation, a host name, `*.` before a domain for all beneath it, an address.
//! Refuses to say that somebody is not meant while it is not known who it is.

use std::net::IpAddr;

use farshore_model::party::Destination;

use crate::destinations;
use crate::naming::plain;
use crate::policy::kleene::Truth;

/// One who is named as a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// The machine of that address.
    Address(IpAddr),
    /// Whoever goes by that host name.
    Host(String),
    /// All names beneath that domain, and not the domain itself.
    Below(String),
    /// A name without a dot: an organisation's id, or a host's.
    Word(String),
}

impl Recipient {
    /// Reads one; the error says what was expected.
    pub fn read(text: &str) -> Result<Self, String> {
        let wanted = || {
            format!(
                "`{text}` is no recipient; expected the id of an organisation (agora), a host name, *.example.com for all names beneath it, or an address"
            )
        };
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let name = plain(text).into_owned();
        let (below, name) = match name.strip_prefix("*.") {
            Some(domain) => (true, domain.to_owned()),
            None => (false, name),
        };
        let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.starts_with('.') || name.contains("..") || !name.chars().all(fits) {
            return Err(wanted());
        }
        Ok(match (below, name.contains('.')) {
            (true, _) => Self::Below(name),
            (false, true) => Self::Host(name),
            (false, false) => Self::Word(name),
        })
    }

    /// Whether a destination, or one address of it, is meant.
    pub fn means(&self, destination: &Destination, address: Option<IpAddr>) -> Truth {
        let name = destination.name.as_str();
        // One that goes by its address may have any name, and what goes by one name together may have many.
        let unnamed = name.parse::<IpAddr>().is_ok() || destinations::is_no_name(name);
        let by_name = |fits: &dyn Fn(&str) -> bool| {
            if fits(name) {
                Truth::True
            } else if unnamed || destination.candidates.iter().any(|it| fits(it)) {
                Truth::Unknown
            } else {
                Truth::False
            }
        };
        match self {
            Self::Address(wanted) => address.map_or(Truth::Unknown, |it| (it == *wanted).into()),
            Self::Host(host) => by_name(&|it| it == host),
            Self::Below(domain) => by_name(&|it| it.strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.'))),
            Self::Word(word) if name == word => Truth::True,
            Self::Word(word) => match &destination.organisation {
                // Of a row that nobody read at its source it is not known whose the name is.
                Some(it) if !it.read_at_source && !it.fictional => Truth::Unknown,
                Some(it) if it.id == *word => Truth::True,
                // Whoever names a group may mean all that belong to it.
                Some(_) if destination.owners.iter().any(|it| it.id == *word) => Truth::Unknown,
                Some(_) => Truth::False,
                None => Truth::Unknown,
            },
        }
    }
}

/// Whether any of them means it.
pub fn any(all: &[Recipient], destination: &Destination, address: Option<IpAddr>) -> Truth {
    all.iter()
        .fold(Truth::False, |sum, recipient| sum.or(recipient.means(destination, address)))
}

#[cfg(test)]
pub(crate) mod tests {
    use farshore_model::party::{Location, LocationState, Organisation, Traffic};

    use super::*;

    pub(crate) fn destination(name: &str) -> Destination {
        Destination {
            name: name.into(),
            domain: None,
            candidates: Vec::new(),
            organisation: None,
            owners: Vec::new(),
            places: Vec::new(),
            location: std::sync::Arc::new(Location {
                countries: Vec::new(),
                state: LocationState::Undetermined,
                claims: Vec::new(),
                excluded: Vec::new(),
                implausible: Vec::new(),
            }),
            reach: [].into(),
            traffic: Traffic::default(),
            flows: Vec::new(),
        }
    }

    pub(crate) fn of_organisation(mut it: Destination, id: &str, read_at_source: bool) -> Destination {
        it.organisation = Some(Box::new(Organisation {
            id: id.to_owned(),
            name: id.to_owned(),
            kind: String::new(),
            seat: None,
            incorporated_in: None,
            establishments: Vec::new(),
            basis: "domain",
            source: String::new(),
            as_of: String::new(),
            read_at_source,
            confidence: "high".to_owned(),
            fictional: false,
        }));
        it
    }

    #[test]
    fn a_recipient_is_meant_by_what_is_known_of_it() {
        let named = of_organisation(destination("api.shop.example"), "shop", true);
        let remembered = of_organisation(destination("api.shop.example"), "shop", false);
        let nobody = destination("api.shop.example");
        let unnamed = destination("192.0.2.7");
        let mut perhaps = destination("cdn.example");
        perhaps.candidates.push("api.shop.example".to_owned());
        let address = Some([192, 0, 2, 7].into());
        for (text, it, wanted) in [
            ("shop", &named, Truth::True),
            ("other", &named, Truth::False),
            ("shop", &remembered, Truth::Unknown),
            ("other", &remembered, Truth::Unknown),
            ("shop", &nobody, Truth::Unknown),
            ("api.shop.example", &nobody, Truth::True),
            ("API.shop.example.", &nobody, Truth::True),
            ("*.shop.example", &nobody, Truth::True),
            ("*.api.shop.example", &nobody, Truth::False),
            ("*.op.example", &nobody, Truth::False),
            ("www.shop.example", &nobody, Truth::False),
            ("www.shop.example", &unnamed, Truth::Unknown),
            ("*.shop.example", &unnamed, Truth::Unknown),
            ("*.shop.example", &perhaps, Truth::Unknown),
            ("192.0.2.7", &unnamed, Truth::True),
            ("192.0.2.8", &unnamed, Truth::False),
        ] {
            assert_eq!(Recipient::read(text).unwrap().means(it, address), wanted, "{text} of {}", it.name);
        }
        let unrecorded = Recipient::read("192.0.2.7").unwrap();
        assert_eq!(unrecorded.means(&nobody, None), Truth::Unknown);
        for text in ["", "*.", "*", "a b", "a..b", ".example", "*shop.example"] {
            assert!(Recipient::read(text).is_err(), "{text}");
        }
    }
}
