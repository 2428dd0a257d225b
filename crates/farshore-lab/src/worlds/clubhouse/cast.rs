//! Owns the tables of the world `clubhouse`: who and what there is, and when they come and speak.
//!
//! Refuses real parties: every name, network and place is made up.

use std::net::Ipv4Addr;

use crate::client::{MS, Nanos};
use crate::g711::{HARBOUR, LANTERNS, Recording};
use crate::truth::{Network, Party, Place};

/// 2021-02-11T18:00:00Z.
pub(super) const START: Nanos = 1_613_066_400_000 * MS;

/// The id under which the relay provider knows the voice app.
pub(super) const APP_ID: &str = "5f1c0a7be94d4c2f8a63d1e7b2904c58";

/// A user and the device in the user's hand.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) name: &'static str,
    pub(super) user_id: &'static str,
    pub(super) device_id: &'static str,
    pub(super) address: Ipv4Addr,
    pub(super) resolver: Ipv4Addr,
    pub(super) network: &'static str,
    pub(super) country: &'static str,
    /// An older phone speaks TLS 1.2 to the analytics host.
    pub(super) old_phone: bool,
    pub(super) stays: &'static [Stay],
    pub(super) voice: Recording,
    pub(super) spurts: &'static [Spurt],
}

/// A stay in a room, in milliseconds from the start.
#[derive(Debug)]
pub(super) struct Stay {
    pub(super) room: usize,
    pub(super) from: u64,
    pub(super) until: u64,
}

/// A talk spurt: when it starts and how many frames of the speaker's recording it lasts.
#[derive(Debug)]
pub(super) struct Spurt {
    pub(super) at: u64,
    pub(super) frames: usize,
}

/// A room.
#[derive(Debug)]
pub(super) struct RoomRow {
    pub(super) name: &'static str,
    pub(super) number: &'static str,
    pub(super) topic: &'static str,
}

pub(super) const ROOMS: [RoomRow; 2] = [
    RoomRow {
        name: "M7pqZ4x1",
        number: "7310582946017",
        topic: "Lighthouses at dusk",
    },
    RoomRow {
        name: "Qk2vT9w3",
        number: "7310582977340",
        topic: "Small boats",
    },
];

pub(super) const PEOPLE: [Person; 4] = [
    Person {
        name: "alice",
        user_id: "104729331",
        device_id: "3f0c9a52-7d1e-4b86-9c44-e1a7d2f05b61",
        address: Ipv4Addr::new(192, 0, 2, 10),
        resolver: Ipv4Addr::new(192, 0, 2, 53),
        network: "harbour",
        country: "US",
        old_phone: false,
        stays: &[Stay {
            room: 0,
            from: 2_000,
            until: 24_000,
        }],
        voice: HARBOUR,
        spurts: &[Spurt { at: 5_000, frames: 250 }, Spurt { at: 17_000, frames: 100 }],
    },
    Person {
        name: "bob",
        user_id: "398112057",
        device_id: "b81d4e07-52c9-4f3a-a6e8-07d95c13fa28",
        address: Ipv4Addr::new(192, 0, 2, 77),
        resolver: Ipv4Addr::new(192, 0, 2, 115),
        network: "prairie",
        country: "US",
        old_phone: true,
        stays: &[Stay {
            room: 0,
            from: 1_500,
            until: 24_500,
        }],
        voice: LANTERNS,
        spurts: &[Spurt { at: 10_600, frames: 250 }],
    },
    Person {
        name: "carol",
        user_id: "271828460",
        device_id: "6a27f3d8-0be1-4c95-8d72-93c4b6e0151f",
        address: Ipv4Addr::new(192, 0, 2, 141),
        resolver: Ipv4Addr::new(192, 0, 2, 179),
        network: "nordlicht",
        country: "DE",
        old_phone: false,
        stays: &[
            Stay {
                room: 1,
                from: 2_200,
                until: 12_000,
            },
            Stay {
                room: 0,
                from: 14_500,
                until: 25_000,
            },
        ],
        voice: LANTERNS,
        spurts: &[Spurt { at: 20_000, frames: 100 }],
    },
    Person {
        name: "dave",
        user_id: "561903272",
        device_id: "d4950e1b-8c36-4a7f-b2f9-5e60c8a17d43",
        address: Ipv4Addr::new(192, 0, 2, 200),
        resolver: Ipv4Addr::new(192, 0, 2, 243),
        network: "mesa",
        country: "US",
        old_phone: true,
        stays: &[Stay {
            room: 1,
            from: 1_600,
            until: 23_000,
        }],
        voice: LANTERNS,
        spurts: &[Spurt { at: 5_500, frames: 250 }],
    },
];

/// A server.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) name: &'static str,
    pub(super) alias: Option<&'static str>,
    pub(super) address: Ipv4Addr,
    pub(super) party: &'static str,
    pub(super) country: &'static str,
    /// Farther than others of its country, in milliseconds of round trip.
    pub(super) extra: u64,
}

const fn host(name: &'static str, address: [u8; 4], party: &'static str, country: &'static str, extra: u64) -> Host {
    let [a, b, c, d] = address;
    Host {
        name,
        alias: None,
        address: Ipv4Addr::new(a, b, c, d),
        party,
        country,
        extra,
    }
}

pub(super) const API: Host = host("api.parlour.example", [198, 51, 100, 20], "parlour", "US", 9);
pub(super) const EVENTS: Host = host("events.tally.example", [203, 0, 113, 52], "tally", "US", 21);
pub(super) const PING: Host = host("ping-sh.relaywright.example", [203, 0, 113, 88], "relaywright", "CN", 4);
pub(super) const CDN: Host = Host {
    alias: Some("parlour.cdn.quickcache.example"),
    ..host("cdn.parlour.example", [203, 0, 113, 20], "quickcache", "US", 0)
};

const EDGE_US: Host = host("198-51-100-42.edge.relaywright.example", [198, 51, 100, 42], "relaywright", "US", 2);
const EDGE_DE: Host = host(
    "198-51-100-171.edge.relaywright.example",
    [198, 51, 100, 171],
    "relaywright",
    "DE",
    1,
);

/// The relay's edge for a user in `country`, by its own name.
pub(super) fn edge(country: &str) -> &'static Host {
    if country == "DE" { &EDGE_DE } else { &EDGE_US }
}

/// The same edge by the name that is the same for all.
pub(super) fn signal(country: &str) -> Host {
    let Host {
        alias,
        address,
        party,
        country,
        extra,
        ..
    } = *edge(country);
    Host {
        name: "signal.relaywright.example",
        alias,
        address,
        party,
        country,
        extra,
    }
}

/// Round trip between two countries over good lines.
pub(super) fn round_trip(from: &str, to: &str) -> Nanos {
    let between = match (from, to) {
        ("US", "US") => 17,
        ("DE", "DE") => 12,
        ("US", "CN") => 186,
        ("DE", "CN") => 231,
        _ => 96,
    };
    between * MS
}

const fn party(id: &'static str, name: &'static str, kind: &'static str, domains: &'static [&'static str], seat: &'static str) -> Party {
    Party {
        id,
        name,
        kind,
        domains,
        seat,
        incorporated_in: seat,
        establishments: &[],
        parent: "",
        fictional: true,
    }
}

pub(super) const PARTIES: &[Party] = &[
    party("parlour", "Parlour Labs (fictional)", "social", &["parlour.example"], "US"),
    Party {
        incorporated_in: "KY",
        establishments: &["US"],
        ..party("relaywright", "Relaywright (fictional)", "rtc", &["relaywright.example"], "CN")
    },
    Party {
        establishments: &["DE"],
        ..party("cumulus", "Cumulus Hosting (fictional)", "cloud", &["cumulus.example"], "US")
    },
    party("quickcache", "Quickcache (fictional)", "cdn", &["quickcache.example"], "US"),
    Party {
        parent: "bluefin",
        ..party("tally", "Tally Analytics (fictional)", "analytics", &["tally.example"], "US")
    },
    party("bluefin", "Bluefin Media Group (fictional)", "media", &["bluefin.example"], "GB"),
    party("jiangnan", "Jiangnan Data Halls (fictional)", "cloud", &["jiangnan.example"], "CN"),
    party("harbour", "Harbour Broadband (fictional)", "telecom", &["harbour.example"], "US"),
    party("prairie", "Prairie Cable (fictional)", "telecom", &["prairie.example"], "US"),
    party("nordlicht", "Nordlicht Netz (fictional)", "telecom", &["nordlicht.example"], "DE"),
    party("mesa", "Mesa Fibre (fictional)", "telecom", &["mesa.example"], "US"),
];

const fn network(prefix: &'static str, asn: u32, name: &'static str, registered: &'static str) -> Network {
    Network {
        prefix,
        asn,
        name,
        registered,
    }
}

pub(super) const NETWORKS: &[Network] = &[
    network("192.0.2.0/26", 64496, "Harbour Broadband (fictional)", "US"),
    network("192.0.2.64/26", 64497, "Prairie Cable (fictional)", "US"),
    network("192.0.2.128/26", 64498, "Nordlicht Netz (fictional)", "DE"),
    network("192.0.2.192/26", 64499, "Mesa Fibre (fictional)", "US"),
    network("198.51.100.0/25", 64500, "Cumulus Hosting (fictional)", "US"),
    // The cloud registers all its blocks at its seat, wherever they are used.
    network("198.51.100.128/25", 64500, "Cumulus Hosting (fictional)", "US"),
    network("203.0.113.0/27", 64501, "Quickcache (fictional)", "US"),
    network("203.0.113.32/27", 64502, "Tally Analytics (fictional)", "US"),
    network("203.0.113.64/26", 64503, "Jiangnan Data Halls (fictional)", "CN"),
];

const fn place(address: &'static str, country: &'static str, sources: [&'static str; 2]) -> Place {
    Place { address, country, sources }
}

pub(super) const PLACES: &[Place] = &[
    place("192.0.2.10", "US", ["US", "US"]),
    place("192.0.2.53", "US", ["US", "US"]),
    place("192.0.2.77", "US", ["US", "US"]),
    place("192.0.2.115", "US", ["US", "US"]),
    place("192.0.2.141", "DE", ["DE", "DE"]),
    place("192.0.2.179", "DE", ["DE", "DE"]),
    place("192.0.2.200", "US", ["US", "US"]),
    place("192.0.2.243", "US", ["US", "US"]),
    place("198.51.100.20", "US", ["US", "US"]),
    place("198.51.100.42", "US", ["US", "US"]),
    // One source follows the registration.
    place("198.51.100.171", "DE", ["DE", "US"]),
    place("203.0.113.20", "US", ["US", "US"]),
    place("203.0.113.52", "US", ["US", "GB"]),
    place("203.0.113.88", "CN", ["CN", "CN"]),
];
