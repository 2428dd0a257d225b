//! Small worlds made by hand: what has to be found in them, and what must not be.

use std::collections::BTreeMap;
use std::net::IpAddr;

use farshore_model::flow::InitiatorBasis;
use farshore_model::identifier::Firmness;
use farshore_model::ledger::InputRecord;
use farshore_model::{Direction, Endpoint, Few, Flow, FlowId, InputId, Ledger, Locus, Protection, Role, Span, Specimen, Transport};

use super::discover;

/// Numbers that look random and are the same each time.
fn noise(seed: u64) -> u64 {
    let mut it = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x1234_5678_9abc_def1);
    it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    it ^ (it >> 31)
}

#[derive(Clone, Copy)]
struct Who {
    capture: u64,
    user: u64,
    room: u64,
}

/// Captures of so many users in so many rooms, a few conversations each of a few messages.
fn world(captures: u64, users: u64, rooms: u64, labels: &[&str], message: impl Fn(Who, u64) -> Vec<u8>) -> Ledger {
    let mut ledger = Ledger::default();
    for capture in 0..captures {
        let user = capture % users;
        let room = noise(capture / users * 31 + user) % rooms;
        let who = Who { capture, user, room };
        let mut record = InputRecord {
            name: format!("{capture}.pcap"),
            sha256: format!("{:016x}", noise(capture + 1000)),
            ..InputRecord::default()
        };
        for label in labels {
            let value = match *label {
                "user" => user,
                _ => room,
            };
            record.labels.insert((*label).to_owned(), value.to_string());
        }
        ledger.inputs.push(record);
        for conversation in 0..2 {
            let flow = FlowId(u32::try_from(ledger.flows.len()).unwrap());
            ledger.flows.push(conversation_of(capture, conversation));
            for number in 0..4 {
                let bytes = message(who, conversation * 10 + number);
                ledger.specimens.push(Specimen {
                    flow,
                    direction: Some(Direction::Up),
                    path: "udp.payload".into(),
                    payload: true,
                    length: bytes.len() as u64,
                    locus: Locus {
                        input: InputId(u32::try_from(capture).unwrap()),
                        span: Span::in_frame(conversation * 10 + number + 1, 42, bytes.len() as u64),
                        layers: ["udp"].into(),
                        decoded_by: Few::none(),
                    },
                    bytes: bytes.into(),
                    protection: Protection::Plaintext,
                });
            }
        }
    }
    ledger
}

fn conversation_of(capture: u64, conversation: u64) -> Flow {
    let ip = |last: u64| -> IpAddr { [198, 51, 100, u8::try_from(last % 250).unwrap()].into() };
    let port = 40_000 + u16::try_from(capture * 7 + conversation).unwrap();
    Flow {
        input: InputId(u32::try_from(capture).unwrap()),
        initiator: InitiatorBasis::Port,
        protection: Protection::Opaque,
        ..Flow::between(
            Transport::Udp,
            Endpoint {
                ip: ip(capture * 2 + conversation),
                port,
            },
            Endpoint { ip: ip(249), port: 4000 },
        )
    }
}

/// A header, a counter, a clock, a nonce of the conversation, and both ids.
fn message(who: Who, number: u64) -> Vec<u8> {
    let id = |kind: u64, it: u64| noise(kind * 1000 + it).to_be_bytes();
    let mut bytes = vec![0x5a, 0x01, 0, 0];
    bytes.extend(u16::try_from(number).unwrap().to_be_bytes());
    bytes.extend((1_700_000_000 + who.capture * 977 + number).to_be_bytes());
    bytes.extend(&noise(who.capture * 100 + number / 10).to_be_bytes()[..4]);
    bytes.extend(&id(1, who.user)[..4]);
    bytes.extend([0, 0]);
    bytes.extend(id(2, who.room));
    bytes.extend(noise(who.capture * 100 + number).to_be_bytes());
    bytes
}

fn told(ledger: &Ledger) -> Vec<(Vec<Role>, Firmness, String, String)> {
    let found = discover(ledger).identifiers.into_iter();
    found.map(|it| (it.roles, it.firmness, it.place, it.encoding)).collect()
}

fn place(range: &str) -> String {
    format!("udp/4000 up, offset {range}")
}

/// The same as one capture, taken where all clients pass.
fn at_one_place(mut ledger: Ledger, users: u64) -> Ledger {
    ledger.inputs.truncate(1);
    let mut flows = std::mem::take(&mut ledger.flows);
    for flow in flows.iter_mut() {
        let user = u64::from(flow.input.0) % users;
        flow.input = InputId(0);
        flow.client.ip = [198, 51, 100, u8::try_from(user).unwrap()].into();
    }
    ledger.flows = flows;
    for it in &mut ledger.specimens {
        it.locus.input = InputId(0);
    }
    ledger
}

#[test]
fn clients_of_one_capture_are_told_apart_by_their_addresses() {
    let ledger = at_one_place(world(12, 6, 4, &[], message), 6);
    let found = discover(&ledger);
    // Six clients may run a version each; which of them has which room changes.
    let roles = vec![Role::User, Role::Device, Role::Build, Role::ClientAddress];
    let claims: Vec<_> = found.identifiers.iter().filter(|it| it.firmness == Firmness::Claim).collect();
    assert_eq!(claims.len(), 1, "{claims:#?}");
    let sorted: std::collections::BTreeSet<Role> = claims[0].roles.iter().copied().collect();
    assert_eq!((sorted, &claims[0].place), (roles.into_iter().collect(), &place("18..22")));
    assert_eq!((claims[0].support.captures, claims[0].support.sessions), (1, 24));
    assert_eq!(claims[0].table, [None]);
    // Of two clients nothing is said, nor of clients that spoke once.
    let few = discover(&at_one_place(world(12, 2, 4, &[], message), 2));
    assert!(few.identifiers.is_empty() && few.design.cannot_tell.len() == 2, "{few:#?}");
}

#[test]
fn users_and_rooms_are_found_where_they_stand_and_nothing_besides() {
    let ledger = world(20, 6, 4, &["user", "room"], message);
    let found = discover(&ledger);
    assert_eq!(
        told(&ledger),
        [
            (vec![Role::User, Role::Device], Firmness::Claim, place("18..22"), "u32be".to_owned()),
            (vec![Role::Room], Firmness::Claim, place("24..32"), "u64be".to_owned()),
        ]
    );
    for it in &found.identifiers {
        assert!(
            it.p_single >= it.least_p && it.p_value >= it.p_single && it.p_value <= 0.01,
            "{it:?}"
        );
        assert_eq!((it.confirmed_on, it.evidence.len()), (4, 20));
    }
    assert_eq!((found.design.captures, found.design.aside), (20, 4));
    assert!(found.design.places > 100 && found.design.hypotheses < 10, "{:?}", found.design);
}

/// What stands there is read from the evidence, not from the argument.
#[test]
fn evidence_points_at_the_value() {
    let ledger = world(16, 4, 3, &["user"], message);
    let found = discover(&ledger).identifiers;
    let spans: Vec<_> = found[0]
        .evidence
        .iter()
        .map(|it| (it.input.0, it.span.offset, it.span.length))
        .collect();
    assert_eq!(spans, (0..16).map(|it| (it, 42 + 18, 4)).collect::<Vec<_>>());
    assert_eq!(found[0].table, (0..16).map(|it| Some(it % 4)).collect::<Vec<_>>());
}

#[test]
fn designs_that_cannot_tell_are_told_and_claim_nothing() {
    for (captures, users, rooms) in [(1, 1, 1), (12, 12, 4), (16, 4, 1)] {
        let ledger = world(captures, users, rooms, &["user", "room"], message);
        let found = discover(&ledger);
        let claims = found.identifiers.iter().filter(|it| it.roles.contains(&Role::User));
        assert_eq!(claims.count(), 0, "{captures} captures of {users} users in {rooms} rooms");
        assert!(!found.design.cannot_tell.is_empty());
    }
}

/// Four captures are too few for a claim, and enough to name where to look.
#[test]
fn few_captures_give_candidates() {
    let ledger = world(4, 2, 2, &["user"], message);
    let found = discover(&ledger);
    let it = &found.identifiers[0];
    assert_eq!((it.firmness, it.place.as_str()), (Firmness::Candidate, &*place("18..22")));
    assert!((it.p_single - 1.0 / 3.0).abs() < 1e-9 && (it.least_p - it.p_single).abs() < 1e-9 && it.p_value >= it.p_single);
}

/// Labels dealt at random fit no place.
#[test]
fn wrong_labels_find_nothing() {
    for seed in 0..20 {
        let mut ledger = world(16, 4, 4, &["user", "room"], message);
        for (at, input) in (0..).zip(&mut ledger.inputs) {
            let dealt = |kind: u64| (noise(seed * 1000 + at * 2 + kind) % 4).to_string();
            input.labels = BTreeMap::from([("user".to_owned(), dealt(0)), ("room".to_owned(), dealt(1))]);
        }
        assert_eq!(told(&ledger), [], "seed {seed}");
    }
}

#[test]
fn another_order_of_captures_finds_the_same() {
    let ledger = world(20, 6, 4, &["user", "room"], message);
    let mut other = ledger.clone();
    other.inputs.reverse();
    for it in &mut other.flows {
        it.input.0 = 19 - it.input.0;
    }
    for it in &mut other.specimens {
        it.locus.input.0 = 19 - it.locus.input.0;
    }
    assert_eq!(told(&ledger), told(&other));
}

/// A length, and the client's own address, are not identifiers whatever they part.
#[test]
fn lengths_and_addresses_are_no_identifiers() {
    let ledger = world(16, 4, 4, &["user"], |who, number| {
        let mut bytes = vec![7, 7];
        let length = 300 + 7 * who.user + 257 * (who.user % 2);
        bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        bytes.extend((4..length).map(|it| u8::try_from(noise(who.capture * 99 + number * 7 + it) & 255).unwrap()));
        bytes
    });
    assert_eq!(told(&ledger), []);
}

/// The nonce of the conversation, at offset 14, becomes an id of it once the server says it too.
#[test]
fn an_id_of_a_connection_is_said_by_both_ends() {
    let mut ledger = world(10, 5, 3, &[], message);
    assert_eq!(told(&ledger), []);
    let ups: Vec<Specimen> = ledger.specimens.clone().into_iter().collect();
    for (seed, mut it) in (0..).zip(ups) {
        let mut bytes = vec![9, 9];
        bytes.extend(&it.bytes[14..18]);
        bytes.extend(noise(seed).to_be_bytes());
        it.direction = Some(Direction::Down);
        it.length = bytes.len() as u64;
        it.bytes = bytes.into();
        ledger.specimens.push(it);
    }
    let session = |place: &str| (vec![Role::Session], Firmness::Claim, place.to_owned(), "u32be".to_owned());
    assert_eq!(
        told(&ledger),
        [session("udp/4000 down, offset 2..6"), session("udp/4000 up, offset 14..18")]
    );
}

/// Nobody labelled the users, but they stay at home, and some were out once.
#[test]
fn addresses_stand_for_users_that_nobody_labelled() {
    let mut ledger = world(20, 5, 3, &[], message);
    for (at, it) in (0_u64..).zip(&mut ledger.flows) {
        let user = u64::from(it.input.0) % 5;
        let home: IpAddr = [192, 0, 2, u8::try_from(user).unwrap()].into();
        it.client.ip = if at % 11 == 0 { [203, 0, 113, 7].into() } else { home };
    }
    let user = (vec![Role::User, Role::Device], Firmness::Claim, place("18..22"), "u32be".to_owned());
    assert_eq!(told(&ledger), [user]);
    assert!(discover(&ledger).design.cannot_tell[0].contains("addresses of clients"));
}

/// The same words in text, in elements with tags, and under a mask.
#[test]
fn forms_are_seen_through() {
    let id = |kind: u64, it: u64| 10_000_000 + noise(kind * 1000 + it) % 80_000_000;
    let text = |who: Who, number: u64| {
        let nonce = noise(who.capture * 100 + number);
        format!(
            "SAY n={} uid={} x={nonce:x} room={}\n",
            number % 10,
            id(1, who.user),
            id(2, who.room)
        )
        .into_bytes()
    };
    let tagged = |who: Who, number: u64| {
        let mut bytes = vec![0x77, 1];
        let noise_of = noise(who.capture * 100 + number).to_be_bytes();
        for (tag, value) in [
            (1, &noise_of[..usize::try_from(number % 7).unwrap() + 1]),
            (4, id(1, who.user).to_string().as_bytes()),
            (2, &id(2, who.room).to_be_bytes()[..]),
        ] {
            bytes.extend([tag, u8::try_from(value.len()).unwrap()]);
            bytes.extend(value);
        }
        bytes
    };
    let masked = |who: Who, number: u64| tagged(who, number).into_iter().map(|it| it ^ 0x5a).collect::<Vec<_>>();
    let claim = |roles: &[Role], place: &str, encoding: &str| {
        (
            roles.to_vec(),
            Firmness::Claim,
            format!("udp/4000 up, {place}"),
            encoding.to_owned(),
        )
    };
    let (user, room) = ([Role::User, Role::Device], [Role::Room]);
    let sorted = |ledger: Ledger| {
        let mut told = told(&ledger);
        told.sort();
        told
    };
    let labels = ["user", "room"];
    assert_eq!(
        sorted(world(20, 6, 4, &labels, text)),
        [claim(&user, "key uid", "ascii-decimal"), claim(&room, "key room", "ascii-decimal")]
    );
    assert_eq!(
        sorted(world(20, 6, 4, &labels, tagged)),
        [claim(&user, "tag 0x04", "ascii-decimal"), claim(&room, "tag 0x02", "u64be")]
    );
    assert_eq!(
        sorted(world(20, 6, 4, &labels, masked)),
        [claim(&user, "tag 0x04", "ascii-decimal^5a"), claim(&room, "tag 0x02", "u64be^5a")]
    );
}

/// Names of different lengths push what stands behind them aside: constants that are counted from the other end then have a
/// value for each name.
#[test]
fn what_slides_over_constants_is_no_identifier() {
    let name = |room: u64| &["lab", "attic", "kitchen", "auditorium"][usize::try_from(room).unwrap()];
    let ledger = world(20, 6, 4, &["user", "room"], |who, number| {
        let mut bytes = vec![0x48, 32];
        bytes.extend((0..12_u8).map(|it| 0x80 | it.wrapping_mul(37)));
        bytes.extend(noise(who.user).to_be_bytes());
        bytes.extend((0..12_u8).map(|it| 0x80 | it.wrapping_mul(53)));
        bytes.extend([71, 0, u8::try_from(name(who.room).len()).unwrap()]);
        bytes.extend(name(who.room).as_bytes());
        bytes.extend((0..24_u8).map(|it| 0x80 | it.wrapping_mul(91)));
        bytes.extend(noise(who.capture * 100 + number).to_be_bytes());
        bytes
    });
    let found = discover(&ledger).identifiers;
    assert_eq!(found.len(), 2);
    for it in found.iter().filter(|it| it.roles == [Role::Room]) {
        for locus in &it.evidence {
            let specimen = ledger.specimens.iter().find(|it| it.locus.input == locus.input).unwrap();
            let (start, end) = (locus.span.offset - 42, locus.span.offset - 42 + locus.span.length);
            let name_ends = 37 + u64::from(specimen.bytes[36]);
            assert!(start >= 37 && end <= name_ends, "{}: {start}..{end} of {name_ends}", it.place);
        }
    }
}

/// One relay for each room: whatever says which room it is may say which relay, also in a question for its name.
#[test]
fn what_goes_with_relays_may_be_of_a_relay() {
    let mut ledger = world(20, 6, 3, &["user", "room"], message);
    let room = |input: InputId| noise(u64::from(input.0) / 6 * 31 + u64::from(input.0) % 6) % 3;
    for it in &mut ledger.flows {
        it.server.ip = [203, 0, 113, u8::try_from(room(it.input)).unwrap()].into();
    }
    for number in 0..20 {
        let (input, flow) = (InputId(number), FlowId(u32::try_from(ledger.flows.len()).unwrap()));
        let mut asking = conversation_of(u64::from(number), 2);
        asking.server.port = 53;
        ledger.flows.push(asking);
        let like = ledger.specimens.iter().find(|it| it.locus.input == input).unwrap().clone();
        let bytes = format!("edge{}.relays.example", room(input)).into_bytes();
        ledger.specimens.push(Specimen {
            flow,
            path: "dns.question".into(),
            payload: false,
            length: bytes.len() as u64,
            bytes: bytes.into(),
            ..like
        });
    }
    let (_, carried) = super::search(&ledger);
    assert!(!carried.is_empty() && carried.iter().all(|it| !it.bytes.starts_with(b"edge")));
    let found = told(&ledger);
    let asked = found.iter().find(|it| it.2 == "dns.question").unwrap();
    assert_eq!(asked.0, [Role::Room, Role::Relay, Role::Region]);
    assert!(found.iter().any(|it| it.0 == [Role::User, Role::Device]), "{found:?}");
}

/// A word of few letters is as much a text as the rest of its service.
#[test]
fn short_words_among_texts_hide_under_no_mask() {
    let ledger = world(20, 6, 4, &["user", "room"], |who, number| match number % 4 {
        3 => b"PING 3\r\n".to_vec(),
        _ => {
            let (user, room) = (2_838_900 + 17 * who.user, 714_000 + 31 * who.room);
            format!("JOIN {user} {} #{room} {}\r\n", 1_760_549_635 + number, 20_000 + number).into_bytes()
        }
    });
    let found = told(&ledger);
    assert!(found.len() >= 2 && found.iter().all(|it| !it.3.contains('^')), "{found:?}");
}

/// In two kinds of messages the same name stands before a word of two letters: it is no part of it.
#[test]
fn names_of_fields_are_no_part_of_what_they_name() {
    let ledger = world(20, 2, 4, &["user"], |who, number| {
        let nonce = noise(who.capture * 100 + number).to_be_bytes();
        let locale = [b"\xa6locale\xa2en", b"\xa6locale\xa2de"][usize::try_from(who.user).unwrap()];
        match number % 2 {
            0 => [b"\x83\xa1t\x11\xc5\x08".as_slice(), &nonce, locale].concat(),
            _ => [b"\x84\xa1t\x12\xa3\xc5\x08".as_slice(), &nonce, &nonce[..4], locale].concat(),
        }
    });
    let found = discover(&ledger).identifiers;
    assert!(!found.is_empty());
    assert!(found.iter().flat_map(|it| &it.evidence).all(|it| it.span.length == 2), "{found:?}");
}

/// Nobody labelled the builds, and the values look like versions.
#[test]
fn a_version_may_be_of_a_build() {
    let ledger = world(20, 2, 4, &["user", "room"], |who, number| {
        format!("HELLO v=4.0.{} n={}\r\n", 3 + who.user * 7, noise(who.capture * 100 + number)).into_bytes()
    });
    let roles: Vec<_> = told(&ledger).into_iter().map(|it| it.0).collect();
    assert_eq!(roles, [[Role::User, Role::Device, Role::Build]]);
}

/// The same payload, as a field of a protocol that is read.
fn as_field(mut ledger: Ledger, path: &str) -> Ledger {
    for it in &mut ledger.specimens {
        (it.payload, it.path, it.direction) = (false, path.into(), None);
    }
    ledger
}

/// Parts of a path, and bytes of somebody's own inside a protocol that is read.
#[test]
fn ids_stand_in_paths_and_in_what_a_protocol_carries() {
    let labels = ["user", "room"];
    let path = |who: Who, number: u64| {
        let what = ["join", "send", "leave"][usize::try_from(number % 3).unwrap()];
        format!("/v1/users/{}/rooms/{}/{what}", 5_000 + 37 * who.user, 714_000 + 31 * who.room).into_bytes()
    };
    let places = |ledger: &Ledger| -> Vec<(Vec<Role>, String)> {
        let mut places: Vec<_> = told(ledger).into_iter().map(|it| (it.0, it.2)).collect();
        places.sort();
        places
    };
    let (user, room) = (vec![Role::User, Role::Device], vec![Role::Room]);
    assert_eq!(
        places(&as_field(world(20, 6, 4, &labels, path), "http.path")),
        [
            (user.clone(), "http.path, part behind users".to_owned()),
            (room.clone(), "http.path, part behind rooms".to_owned())
        ]
    );
    let carried = places(&as_field(world(20, 6, 4, &labels, message), "websocket.sent"));
    let of_payload = places(&world(20, 6, 4, &labels, message));
    let renamed = |it: &(Vec<Role>, String)| (it.0.clone(), it.1.replace("udp/4000 up", "websocket.sent"));
    assert_eq!(carried, of_payload.iter().map(renamed).collect::<Vec<_>>());
    // Other fields of bytes have a meaning of their own.
    assert_eq!(told(&as_field(world(20, 6, 4, &labels, message), "tls.random")), []);
}

/// A stream of texts behind lengths of one byte or two, and a key that means another thing in each kind of message.
#[test]
fn texts_are_read_behind_their_lengths_and_keys_by_the_kind_of_message() {
    let ledger = world(20, 6, 4, &["user", "room"], |who, number| {
        let nonce = noise(who.capture * 100 + number);
        let (user, room) = (5_000 + 37 * who.user, 714_000 + 31 * who.room);
        let text = match number % 2 {
            0 => format!("{{\"op\":\"login\",\"id\":{user},\"nonce\":\"{nonce:0100x}\"}}"),
            _ => format!("{{\"op\":\"join\",\"id\":{room},\"nonce\":\"{nonce:016x}\"}}"),
        };
        let length = u8::try_from(text.len()).unwrap();
        let framing = if length < 128 { vec![length] } else { vec![length, 1] };
        [framing, text.into_bytes()].concat()
    });
    let mut places: Vec<_> = told(&ledger).into_iter().map(|it| (it.0, it.2)).collect();
    places.sort();
    assert_eq!(
        places,
        [
            (vec![Role::User, Role::Device], "udp/4000 up, key id of login".to_owned()),
            (vec![Role::Room], "udp/4000 up, key id of join".to_owned())
        ]
    );
}

/// In most captures people kept to one room: there a room's id would pass for a person's as well. The others tell.
#[test]
fn fewer_captures_tell_no_better_than_all_do() {
    let room = |capture: u64| if capture < 14 { capture % 5 } else { (capture + capture / 5) % 5 };
    let mut ledger = world(20, 5, 4, &["user", "room"], |who, number| {
        let kind = 1 + who.capture / 14;
        let nonce = noise(who.capture * 100 + number) % 100_000;
        format!("{kind} SAY {nonce} {} \r\n", 714_000 + 31 * room(who.capture)).into_bytes()
    });
    for (capture, input) in (0..).zip(&mut ledger.inputs) {
        input.labels.insert("room".to_owned(), room(capture).to_string());
    }
    let found = told(&ledger);
    assert!(!found.is_empty() && found.iter().all(|it| it.0 == [Role::Room]), "{found:?}");
}
