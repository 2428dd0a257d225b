//! The world `clubhouse`: a voice app on a relay provider, told after a report of February 2021.
//!
//! Alice and Bob talk in one room. Carol, abroad, listens to Dave in another, then joins them. In the edition `leaky` the
//! relay's packets carry user, room and token in clear, speech is plain RTP, and a server in China is pinged with the
//! room's id. In `fixed` the same people do the same; set-up is within TLS, datagrams are sealed, speech is SRTP with a
//! key the app's own API gives out, and nobody pings that server. Owns the assembly of captures and truth from tables
//! (`cast`) and doings (`visit`). Refuses likeness to real parties beyond those habits.

mod cast;
mod visit;

use std::fmt::Write;

use crate::client::{MS, Nanos, SECOND};
use crate::payload::Identifier;
use crate::pcapng::{self, Section};
use crate::random::Random;
use crate::relay::RoomIds;
use crate::rtp::Packet;
use crate::tls::certificate::Authority;
use crate::truth::{self, Truth, Voice};
use crate::worlds::{Capture, Edition, Recording, World};
use cast::{NETWORKS, PARTIES, PEOPLE, PLACES, Person, ROOMS, START, Stay};

/// The entry for the table of worlds.
pub(super) const WORLD: World = World {
    id: "clubhouse",
    summary: "a voice app whose relay provider sends ids, tokens and speech in clear (leaky), and after its repair (fixed)",
    record,
};

/// What all users of one edition share.
struct Stage {
    edition: Edition,
    authority: Authority,
    /// Master key and salt of each room's speech; used in `fixed` only.
    media_keys: Vec<([u8; 16], [u8; 14])>,
    talks: Vec<Talk>,
}

/// A speaker's packets and when each leaves the device.
struct Talk {
    person: usize,
    room: usize,
    packets: Vec<(Nanos, Packet)>,
    voice: Voice,
}

fn record(edition: Edition) -> Recording {
    let media_keys = (0..ROOMS.len())
        .map(|room| {
            let mut random = Random::named(&format!("clubhouse/media-key/{room}"));
            (random.bytes(), random.bytes())
        })
        .collect();
    let authority = Authority::new("clubhouse", "Lighthouse Trust (fictional)");
    let talks = (0..PEOPLE.len()).map(talk).collect();
    let stage = Stage {
        edition,
        authority,
        media_keys,
        talks,
    };
    let voices: Vec<Voice> = stage.talks.iter().map(|talk| talk.voice.clone()).collect();

    let edition_name = edition.name();
    let application = format!("farshore-lab {} world=clubhouse edition={edition_name}", env!("CARGO_PKG_VERSION"));
    let section = Section {
        application: &application,
        comment: "A fictional world: parties are made up, addresses are documentation ranges (RFC 5737), \
                  names end in .example (RFC 2606). No traffic of real people.",
        interface: "wlan0",
        description: "Wi-Fi interface of a simulated phone",
    };
    let mut keylog = format!("# TLS secrets of the fictional world clubhouse, edition {edition_name}\n");
    let (mut captures, mut truths) = (Vec::new(), Vec::new());
    for (index, person) in PEOPLE.iter().enumerate() {
        let mut client = visit::run(&stage, index);
        client.frames.sort_by_key(|frame| frame.at);
        let name = person.name;
        let file = format!("user-{name}.{edition_name}.pcapng");
        let protection = if edition == Edition::Leaky { "none" } else { "srtp" };
        truths.push(truth::Capture::new(&file, name, &client, &voices, protection));
        let frames = client.frames.iter().map(|frame| (frame.at, frame.bytes.as_slice()));
        captures.push(Capture {
            file,
            bytes: pcapng::file(&section, frames),
        });
        for line in &client.keylog {
            writeln!(keylog, "{line}").expect("a string takes all text");
        }
    }
    let truth = Truth {
        schema: "farshore-lab.truth/1",
        world: "clubhouse",
        edition: edition_name,
        fictional: true,
        keylog: format!("{edition_name}.keylog"),
        root_certificate: truth::hex(stage.authority.root()),
        parties: PARTIES.to_vec(),
        networks: NETWORKS.to_vec(),
        places: PLACES.to_vec(),
        users: PEOPLE.iter().map(user).collect(),
        rooms: (0..ROOMS.len()).map(room).collect(),
        captures: truths,
    };
    Recording { captures, keylog, truth }
}

/// What a person says: the same packets in both editions, before any protection.
fn talk(person: usize) -> Talk {
    let it = &PEOPLE[person];
    let mut random = Random::named(&format!("clubhouse/speaker/{}", it.name));
    let ssrc = random.word() as u32;
    let (mut sequence, first) = (random.below(0x8000) as u16, random.word() as u32);
    let voice = it.voice.frames();
    let mut packets = Vec::new();
    let mut spoken_in = 0;
    for spurt in it.spurts {
        let began = spurt.at - it.spurts[0].at;
        spoken_in = it
            .stays
            .iter()
            .find(|stay| within(stay, START + spurt.at * MS))
            .map_or(0, |stay| stay.room);
        for (index, payload) in voice.iter().take(spurt.frames).enumerate() {
            // The clock runs on through silence (RFC 3550 section 5.1): eight samples a millisecond.
            let timestamp = first.wrapping_add((began * 8) as u32 + (index * payload.len()) as u32);
            let packet = Packet {
                marker: index == 0,
                payload_type: 0,
                sequence,
                timestamp,
                ssrc,
                payload: payload.to_vec(),
            };
            let at = START + spurt.at * MS + index as u64 * 20 * MS + random.below(MS / 4);
            packets.push((at, packet));
            sequence = sequence.wrapping_add(1);
        }
    }
    Talk {
        person,
        room: spoken_in,
        packets,
        voice: Voice {
            ssrc,
            speaker: it.name.to_owned(),
            source: it.voice.file,
        },
    }
}

fn within(stay: &Stay, at: Nanos) -> bool {
    (START + stay.from * MS..START + stay.until * MS).contains(&at)
}

fn user_id(person: &Person) -> Identifier {
    Identifier::new("user-id", person.user_id)
}

fn device_id(person: &Person) -> Identifier {
    Identifier::new("device-id", person.device_id)
}

fn cookie(person: &Person) -> Identifier {
    let value = Random::named(&format!("clubhouse/cookie/{}", person.name)).bytes::<16>();
    Identifier::new("cookie", truth::hex(&value))
}

fn room_ids(room: usize) -> RoomIds {
    let row = &ROOMS[room];
    RoomIds {
        name: Identifier::new("room-id", row.name),
        number: Identifier::new("room-id", row.number),
    }
}

fn user(person: &Person) -> truth::User {
    truth::User {
        name: person.name.to_owned(),
        user_id: person.user_id.to_owned(),
        device_id: person.device_id.to_owned(),
        cookie: cookie(person).value,
        address: person.address.to_string(),
        vantage: person.country.to_owned(),
        rooms: person.stays.iter().map(|stay| ROOMS[stay.room].name.to_owned()).collect(),
    }
}

fn room(index: usize) -> truth::Room {
    let members = PEOPLE.iter().filter(|person| person.stays.iter().any(|stay| stay.room == index));
    truth::Room {
        room_id: ROOMS[index].name.to_owned(),
        number: ROOMS[index].number.to_owned(),
        members: members.map(|person| person.name.to_owned()).collect(),
    }
}

/// Whole seconds since 1970.
fn seconds(at: Nanos) -> u32 {
    (at / SECOND) as u32
}
