//! Look-ups against facts that were read elsewhere, and what must hold for every data set. No network.

use std::collections::BTreeSet;

use farshore_model::{
    Country,
    party::{ClaimKind, LocationState},
};
use sha2::{Digest, Sha256};

use super::*;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn said(claims: &[CountryClaim], source: &str) -> Option<String> {
    let claim = claims.iter().find(|claim| claim.source == source)?;
    Some(claim.country.code().to_owned())
}

/// A xorshift generator: the same addresses in every run.
pub(super) struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(super) fn address(&mut self) -> IpAddr {
        match self.next() % 3 {
            0 => IpAddr::from(((u128::from(self.next()) << 64) >> 3 | 0x2 << 124).to_be_bytes()),
            _ => IpAddr::from((self.next() as u32).to_be_bytes()),
        }
    }
}

#[test]
fn the_edges_of_one_relay_network_are_placed_as_their_sources_place_them() {
    // Address, AS, registration, DB-IP, IPFire: read in the published editions.
    for (ip, asn, registration, dbip, ipfire) in [
        ("104.166.161.75", Some(21859), Some("US"), Some("GB"), Some("GB")),
        ("199.190.44.135", Some(21859), Some("US"), Some("HK"), Some("US")),
        ("23.248.186.179", Some(21859), Some("US"), Some("NL"), Some("US")),
        ("128.1.77.66", Some(21859), Some("US"), Some("FR"), Some("US")),
        ("128.1.233.218", Some(21859), Some("US"), Some("DE"), Some("US")),
        ("193.118.52.182", Some(21859), Some("US"), Some("NL"), Some("NL")),
        ("128.1.193.223", Some(21859), Some("US"), Some("US"), Some("US")),
        ("202.226.25.166", Some(131_950), Some("JP"), Some("JP"), Some("JP")),
        ("103.104.168.244", None, None, Some("AU"), Some("AU")),
    ] {
        let data = Datasets::embedded();
        let claims = data.places(address(ip));
        assert_eq!(said(&claims, "dbip-country").as_deref(), dbip, "{ip}");
        assert_eq!(said(&claims, "ipfire-country").as_deref(), ipfire, "{ip}");
        assert_eq!(said(&claims, "registration").as_deref(), registration, "{ip}");
        assert_eq!(data.network(address(ip)).map(|network| network.asn), asn, "{ip}");
        let state = data.location(address(ip)).state;
        let wanted = if dbip == ipfire {
            LocationState::Agreed
        } else {
            LocationState::Disputed
        };
        assert_eq!(state, wanted, "{ip}");
    }
}

#[test]
fn clouds_place_their_ranges_as_they_did_when_their_lists_were_gathered() {
    let data = Datasets::embedded();
    for (ip, country) in [
        ("15.160.0.1", Some("IT")),
        ("52.28.0.1", Some("DE")),
        ("13.112.0.1", Some("JP")),
        ("34.154.0.1", Some("IT")),
        ("129.152.0.1", Some("IT")),
        ("2a05:d01a::1", Some("IT")),
        ("8.8.8.8", None),
        ("130.149.7.1", None),
    ] {
        let claims = data.places(address(ip));
        assert_eq!(said(&claims, "cloud-ranges").as_deref(), country, "{ip}: {claims:?}");
        let listed = claims.iter().filter(|it| it.source == "cloud-ranges");
        assert!(
            listed
                .clone()
                .all(|it| it.kind == ClaimKind::CloudRegion && it.edition == "2023-11-14"),
            "{ip}"
        );
    }
}

#[test]
fn a_registration_is_listed_and_is_no_place() {
    let location = Datasets::embedded().location(address("104.166.161.75"));
    let countries: Vec<_> = location.countries.iter().map(Country::code).collect();
    assert_eq!(countries, ["GB"]);
    let registered = |claim: &&CountryClaim| claim.kind == ClaimKind::Registration;
    assert_eq!(
        location.claims.iter().find(registered).map(|claim| claim.country.code()),
        Some("US")
    );
}

#[test]
fn networks_carry_holder_and_registration() {
    for (ip, asn, name, registered) in [
        ("104.166.161.75", 21859, "Zenlayer Inc", Some("US")),
        ("77.88.8.8", 13238, "YANDEX LLC", Some("RS")),
        ("149.154.167.50", 62041, "Telegram Messenger Inc", Some("VG")),
    ] {
        let network = Datasets::embedded().network(address(ip)).unwrap();
        assert_eq!((network.asn, network.name.as_str()), (asn, name), "{ip}");
        assert_eq!(
            network.registered.map(|country| country.code().to_owned()).as_deref(),
            registered,
            "{ip}"
        );
    }
}

#[test]
fn an_address_without_a_place_of_its_own_has_no_claims() {
    let data = Datasets::embedded();
    for (ip, state) in [
        ("192.168.1.1", LocationState::Local),
        ("ff02::fb", LocationState::Local),
        ("192.0.2.1", LocationState::Undetermined),
        ("2001:db8::1", LocationState::Undetermined),
    ] {
        let place = data.place(address(ip));
        assert_eq!((place.location.claims.len(), place.location.state), (0, state), "{ip}");
        assert!(place.special.is_some() && place.network.is_none(), "{ip}");
    }
    assert_eq!(data.location(address("8.8.8.8")).state, LocationState::Anycast);
}

#[test]
fn a_host_is_operated_or_hosted_never_both() {
    let data = Datasets::embedded();
    for (host, operator, host_org) in [
        ("rtc2.agora.io", Some("agora"), None),
        ("qos-america.agoralab.co", Some("agora"), None),
        ("RTC2.Agora.io.", Some("agora"), None),
        ("bucket.s3.amazonaws.com", None, Some("aws")),
        ("d111111abcdef8.cloudfront.net", None, Some("aws")),
        ("app.azureedge.net", None, Some("microsoft")),
        ("app-a.akamaihd.net", None, Some("akamai")),
        ("1.2.3.4.bc.googleusercontent.com", None, Some("google")),
        ("vm.westeurope.cloudapp.azure.com", None, Some("microsoft")),
        ("portal.azure.com", Some("microsoft"), None),
        ("www.google.com", Some("google"), None),
        ("notagora.io", None, None),
        ("relay.voice.example", None, None),
        ("104.166.161.75", None, None),
    ] {
        let found = data.organisation_of_host(host).map(|found| found.organisation.id);
        assert_eq!(found.as_deref(), operator, "{host}");
        let found = data.host_of(host).map(|found| found.organisation.id);
        assert_eq!(found.as_deref(), host_org, "{host}");
    }
}

/// Names that people know the operators of, `-` for those nobody can tell or who are merely hosted.
#[test]
fn names_are_given_to_whom_they_belong() {
    let checked: Vec<(&str, &str)> = include_str!("checked_names.tsv")
        .lines()
        .filter_map(|it| it.split_once('\t'))
        .collect();
    assert!(checked.len() > 600);
    let data = Datasets::embedded();
    let (mut answered, mut wrong, mut silent) = (0_usize, Vec::new(), Vec::new());
    for (name, wanted) in &checked {
        match data.organisation_of_host(name).map(|found| found.organisation.id) {
            Some(found) => {
                answered += 1;
                if found != *wanted {
                    wrong.push(format!("{name}: {found}, not {wanted}"));
                }
            }
            None if *wanted != "-" => silent.push(*name),
            None => {}
        }
        assert!(registrable_domain(name).is_some(), "{name}");
    }
    assert!(answered > 500 && wrong.len() * 50 <= answered, "{wrong:#?}");
    assert!(silent.len() * 50 <= checked.len(), "{silent:#?}");
}

#[test]
fn an_entity_of_the_web_has_a_name_and_no_country() {
    let found = Datasets::embedded().organisation_of_host("lux.speedcurve.com").unwrap();
    assert_eq!((found.organisation.name.as_str(), found.organisation.seat), ("SpeedCurve", None));
    assert_eq!(
        (found.organisation.id.as_str(), found.organisation.source.as_str()),
        ("web:speedcurve", "third-party-web")
    );
    // A pattern longer than the hosting suffix names somebody; one that covers all of a cloud's names does not.
    let data = Datasets::embedded();
    assert!(data.organisation_of_host("lh3.googleusercontent.com").is_some() && data.host_of("lh3.googleusercontent.com").is_some());
    assert!(data.organisation_of_host("app-a.akamaihd.net").is_none());
}

#[test]
fn a_row_that_was_not_read_at_its_source_says_so() {
    let data = Datasets::embedded();
    let agora = data.organisation("agora").unwrap();
    assert!(agora.read_at_source);
    assert_eq!(agora.seat, Country::parse("CN"));
    assert!(agora.establishments.contains(&Country::parse("US").unwrap()));
    assert!(!data.organisation("google").unwrap().read_at_source);
    assert_eq!(
        data.organisation_of_network(21859).map(|found| found.id).as_deref(),
        Some("zenlayer")
    );
}

#[test]
fn every_data_set_has_source_date_licence_and_its_own_digest() {
    let described = Datasets::embedded().describe();
    let names: Vec<_> = described.iter().map(|info| info.name.as_str()).collect();
    let wanted = [
        "access-laws",
        "anycast",
        "asn",
        "asn-country",
        "borders",
        "cloud-ranges",
        "dbip-country",
        "ipfire-country",
        "measured",
        "organisations",
        "regions",
        "registration",
        "third-party-web",
    ];
    assert_eq!(names, wanted);
    let files: [&[&[u8]]; 13] = [
        &laws::files(),
        &anycast::files(),
        &asn::files(),
        &asn_country::files(),
        &borders::files(),
        &cloud_ranges::SET.files(),
        &dbip_country::SET.files(),
        &ipfire_country::SET.files(),
        &measured::files(),
        &organisations::files(),
        &regions::files(),
        &registration::SET.files(),
        &third_party_web::files(),
    ];
    for (info, files) in described.iter().zip(files) {
        let digest: String = Sha256::digest(files.concat()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(info.sha256, digest, "{}", info.name);
        assert!(info.as_of.starts_with("20") && !info.edition.is_empty(), "{}", info.name);
        assert!(
            info.url.starts_with("https://") && info.licence_url.starts_with("https://"),
            "{}",
            info.name
        );
        let ours = info.licence == "CC0-1.0";
        assert_eq!(info.attribution.is_empty(), ours, "{}", info.name);
    }
}

#[test]
fn every_set_decodes_to_sorted_ranges_of_known_countries() {
    for (set, least) in [
        (&cloud_ranges::SET, 3_000),
        (&dbip_country::SET, 340_000),
        (&ipfire_country::SET, 200_000),
        (&registration::SET, 60_000),
    ] {
        let (v4, v6, codes) = set.checked().unwrap();
        assert!(v4 > least / 2 && v4 + v6 > least, "{v4} {v6}");
        for code in codes {
            assert!(countries::name(code).is_some(), "{code}");
        }
    }
    let (v4, v6, names) = asn::checked().unwrap();
    assert!(v4 > 300_000 && v6 > 80_000 && names > 90_000, "{v4} {v6} {names}");
}

#[test]
fn every_geolocation_claim_is_in_the_set_and_nothing_else_is() {
    let data = Datasets::embedded();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut states = BTreeSet::new();
    for _ in 0..20_000 {
        let location = data.location(random.address());
        let claimed: BTreeSet<_> = location
            .claims
            .iter()
            .filter(|claim| location::is_place(claim.kind))
            .map(|claim| claim.country)
            .collect();
        assert_eq!(location.countries, claimed.into_iter().collect::<Vec<_>>());
        assert!(location.state != LocationState::Agreed || location.countries.len() == 1);
        states.insert(location.state);
    }
    assert!(states.contains(&LocationState::Agreed) && states.contains(&LocationState::Disputed));
}

#[test]
fn any_text_is_a_host_that_nobody_need_know() {
    let data = Datasets::embedded();
    for host in [
        "",
        ".",
        "..",
        "a..b",
        "\u{7f}.com",
        "xn--",
        "ß.example",
        "[",
        "]",
        "*.com",
        "com",
        &"a.".repeat(4_000),
    ] {
        assert_eq!(data.organisation_of_host(host), None, "{host:?}");
        assert_eq!(data.host_of(host), None, "{host:?}");
        let _ = registrable_domain(host);
    }
}

/// Addresses whose operator or place nobody disputes, with the country of the machine. Of anycast addresses there is none.
pub(super) const KNOWN: &[(&str, &str)] = &[
    ("8.8.8.8", "anycast"),
    ("1.1.1.1", "anycast"),
    ("198.41.0.4", "anycast"),
    ("202.12.27.33", "anycast"),
    ("77.88.8.8", "anycast"),
    ("114.114.114.114", "anycast"),
    ("119.29.29.29", "anycast"),
    ("180.76.76.76", "anycast"),
    ("2001:4860:4860::8888", "anycast"),
    ("2620:fe::fe", "anycast"),
    ("2400:3200::1", "anycast"),
    ("128.112.128.15", "US"),
    ("131.111.8.46", "GB"),
    ("137.138.1.1", "CH"),
    ("130.149.7.1", "DE"),
    ("166.111.4.100", "CN"),
    ("162.105.131.160", "CN"),
    ("200.160.2.3", "BR"),
    ("164.100.1.1", "IN"),
    ("152.216.1.1", "US"),
    ("25.0.0.1", "GB"),
    ("87.240.129.133", "RU"),
    ("217.218.127.127", "IR"),
    ("168.126.63.1", "KR"),
    ("210.130.0.1", "JP"),
    ("139.130.4.5", "AU"),
    ("194.25.0.60", "DE"),
    ("213.133.98.98", "DE"),
    ("213.186.33.99", "FR"),
    // Every location database is wrong here.
    ("149.154.167.50", "NL"),
    ("157.240.1.35", "US"),
    ("52.28.0.1", "DE"),
    ("13.112.0.1", "JP"),
    ("34.35.0.1", "ZA"),
    ("2001:67c:2e8:22::c100:68b", "NL"),
    ("2001:200:dff:fff1:216:3eff:feb1:44d7", "JP"),
    // Edges of a relay network, as far as the sources were compared: these disagree.
    ("199.190.44.135", "HK"),
    ("23.248.186.179", "NL"),
    ("128.1.77.66", "FR"),
    ("128.1.233.218", "DE"),
];

#[test]
fn the_true_country_is_in_the_set_and_no_disagreement_is_agreement() {
    let data = Datasets::embedded();
    for (address, truth) in KNOWN {
        let location = data.location(address.parse().unwrap());
        if *truth == "anycast" {
            assert_eq!(location.state, LocationState::Anycast, "{address}");
            continue;
        }
        assert!(
            location.countries.contains(&Country::parse(truth).unwrap()),
            "{address}: {location:?}"
        );
        let opinions: BTreeSet<_> = location.claims.iter().filter(|claim| location::is_place(claim.kind)).collect();
        let named: BTreeSet<_> = opinions.iter().map(|claim| claim.country).collect();
        let agreed = location.state == LocationState::Agreed;
        assert_eq!(agreed, named.len() == 1 && opinions.len() > 1, "{address}: {location:?}");
    }
}
