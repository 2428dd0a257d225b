//! Small audits, what denials mean in them, what is written, and what that stops.

use std::sync::Arc;

use farshore_model::observation::Observed;
use farshore_model::party::{ClaimKind, CountryClaim, Location, Traffic};
use farshore_model::rules::{Abilities, Action, RuleSet, Simulation, Stopped, Target};
use farshore_model::{Endpoint, Few, Flow, InputId, Locus, Observation, Protection, Span, Transport};

use super::*;

const PACKETS: Abilities = Abilities {
    addresses: true,
    lookups: false,
    answers: false,
    server_names: false,
    below: false,
};
const LINES: Abilities = Abilities {
    addresses: false,
    lookups: true,
    ..PACKETS
};
const ZONE: Abilities = Abilities {
    answers: true,
    below: true,
    ..LINES
};
const INSPECTOR: Abilities = Abilities {
    addresses: true,
    lookups: true,
    server_names: true,
    below: true,
    answers: false,
};

fn country(code: &str) -> Country {
    Country::parse(code).unwrap()
}

fn place(address: &str, state: LocationState, codes: &[&str]) -> Place {
    let claim = |code: &&str| CountryClaim {
        country: country(code),
        kind: ClaimKind::Geolocation,
        source: "mock".to_owned(),
        edition: "2026-11".to_owned(),
        refuted: false,
    };
    Place {
        address: address.parse().unwrap(),
        network: None,
        location: Arc::new(Location {
            countries: codes.iter().map(|it| country(it)).collect(),
            state,
            claims: codes.iter().map(claim).collect(),
            excluded: vec![],
            implausible: vec![],
        }),
        special: None,
    }
}

fn named(name: &str, via: NameVia) -> FlowName {
    FlowName {
        name: name.into(),
        via,
        frame: 7,
    }
}

/// Adds a destination with a flow for each list of names, all to its first address.
fn add(audit: &mut Audit, name: &str, places: Vec<Place>, flows: &[&[FlowName]]) {
    let end = |ip| Endpoint { ip, port: 443 };
    let server = places.first().map_or("192.0.2.99".parse().unwrap(), |it| it.address);
    let mut ids = Vec::new();
    for names in flows {
        ids.push(FlowId(audit.flows.len() as u32));
        let mut flow = Flow::between(Transport::Tcp, end("10.0.0.2".parse().unwrap()), end(server));
        flow.protection = Protection::Tls;
        flow.up.bytes = 100;
        audit.flows.extend([flow]);
        audit.flow_names.push(names.to_vec());
    }
    let location = places
        .first()
        .map_or_else(|| Arc::new(crate::destinations::sum_up(&[])), |it| Arc::clone(&it.location));
    audit.destinations.push(Destination {
        name: name.into(),
        domain: None,
        candidates: vec![],
        organisation: None,
        owners: vec![],
        places,
        location,
        reach: [].into(),
        traffic: Traffic {
            flows: ids.len() as u64,
            bytes_up: 100 * ids.len() as u64,
            ..Traffic::default()
        },
        flows: ids,
    });
}

/// A lookup in a flow of its own.
fn look_up(audit: &mut Audit, protocol: &'static str, name: &str) {
    let end = |ip: &str| Endpoint {
        ip: ip.parse().unwrap(),
        port: 53,
    };
    let flow = FlowId(audit.flows.len() as u32);
    audit
        .flows
        .extend([Flow::between(Transport::Udp, end("10.0.0.2"), end("10.0.0.53"))]);
    audit.flow_names.push(vec![]);
    audit.observations.extend([Observed {
        flow,
        time: None,
        locus: Locus {
            input: InputId(0),
            span: Span {
                first_frame: 1,
                frame: 1,
                offset: 0,
                length: 1,
                in_frame: true,
            },
            layers: [].into(),
            decoded_by: Few::none(),
        },
        protection: Protection::Plaintext,
        what: Observation::NameAsked {
            protocol,
            name: name.into(),
            record: "A".to_owned(),
        },
        again: Few::none(),
        count: 1,
    }]);
}

fn organisation(id: &str, seat: &str) -> Box<Organisation> {
    Box::new(Organisation {
        id: id.to_owned(),
        name: format!("{id}, Inc."),
        kind: String::new(),
        seat: Some(country(seat)),
        incorporated_in: None,
        establishments: vec![],
        basis: "domain",
        source: "https://example.org/".to_owned(),
        as_of: "2026-05".to_owned(),
        read_at_source: true,
        confidence: "high".to_owned(),
        fictional: false,
    })
}

fn owner(code: Option<&str>, source: &str) -> Owner {
    Owner {
        id: "above".to_owned(),
        name: "Above".to_owned(),
        country: code.map(country),
        relation: OwnerRelation::Parent,
        as_of: "2026-05".to_owned(),
        source: source.to_owned(),
    }
}

fn deny(texts: &[&str], audit: &Audit) -> Selection {
    select(texts.iter().map(|it| read(it).unwrap()).collect(), audit, false)
}

fn ids(of: &[Choice]) -> Vec<usize> {
    of.iter().map(|it| it.destination).collect()
}

fn tried(texts: &[&str], abilities: Abilities, audit: &Audit) -> (RuleSet, Simulation) {
    let selection = deny(texts, audit);
    let rules = plan(&selection, audit, abilities, Action::Drop);
    let simulation = simulate(&rules, &selection, audit);
    (rules, simulation)
}

fn outcome(of: &Simulation, destination: usize) -> Option<(Answer, Stopped)> {
    let fate = of.fates.iter().find(|it| it.destination == destination)?;
    Some((fate.denied, fate.outcome))
}

#[test]
fn an_expression_is_read_or_refused_with_what_is_expected() {
    let subject = |text: &str| read(text).map(|it| it.subject);
    assert_eq!(subject("country=cn"), Ok(Subject::Country(country("CN"))));
    assert_eq!(subject("owner-state=CN"), Ok(Subject::OwnerState(country("CN"))));
    assert_eq!(subject("org=Agora"), Ok(Subject::Organisation("agora".to_owned())));
    assert_eq!(subject("host=API.Example."), Ok(Subject::Host("api.example".to_owned())));
    assert_eq!(subject("host=*.Example"), Ok(Subject::Below("example".to_owned())));
    assert_eq!(subject("host=2001:DB8::1"), Ok(Subject::Host("2001:db8::1".to_owned())));
    assert_eq!(subject("destination=d3"), Ok(Subject::Destination(2)));
    for (text, wanted) in [
        ("", "expected country=CC"),
        ("agora", "expected country=CC"),
        ("planet=mars", "expected country=CC"),
        ("org=", "nothing stands behind"),
        ("country=China", "two letters"),
        ("country=ZZ", "two letters"),
        ("host=a b", "host name"),
        ("host=a;drop", "host name"),
        ("host=*", "host name"),
        ("host=a.*.example", "host name"),
        ("destination=3", "such as d3"),
        ("destination=d0", "such as d3"),
    ] {
        let said = read(text).unwrap_err().to_string();
        assert!(said.contains(wanted), "{text:?}: {said}");
    }
}

/// Of what cannot be told, nothing is chosen; of what is told otherwise, nothing is in doubt.
#[test]
fn a_country_has_three_answers() {
    let mut audit = Audit::default();
    for (state, codes) in [
        (LocationState::Agreed, &["CN"][..]),
        (LocationState::Agreed, &["US"]),
        (LocationState::Disputed, &["CN", "US"]),
        (LocationState::Anycast, &["US"]),
        (LocationState::Undetermined, &[]),
        (LocationState::Undetermined, &["CN"]),
        (LocationState::Local, &[]),
    ] {
        add(&mut audit, "192.0.2.1", vec![place("192.0.2.1", state, codes)], &[&[]]);
    }
    add(&mut audit, "nowhere.example", vec![], &[&[]]);
    let both = vec![
        place("192.0.2.7", LocationState::Agreed, &["US"]),
        place("192.0.2.8", LocationState::Agreed, &["CN"]),
    ];
    add(&mut audit, "two.example", both, &[&[]]);
    let found = deny(&["country=CN"], &audit);
    assert_eq!(ids(&found.chosen), [0, 8]);
    assert_eq!(ids(&found.doubtful), [2, 3, 4, 5, 7]);
    assert!(found.doubtful.iter().flat_map(|it| &it.grounds).all(|it| !it.because.is_empty()));
    assert_eq!(ids(&found.denied().cloned().collect::<Vec<_>>()), [0, 8]);
    let all = select(vec![read("country=CN").unwrap()], &audit, true);
    assert_eq!(all.denied().count(), 7);
}

#[test]
fn an_owner_counts_with_a_source_and_an_unknown_one_is_no_answer() {
    let mut audit = Audit::default();
    for owners in [
        vec![owner(Some("US"), "s"), owner(Some("CN"), "s")],
        vec![owner(Some("CN"), "")],
        vec![owner(None, "s")],
        vec![owner(Some("US"), "s")],
        vec![],
    ] {
        add(&mut audit, "a.example", vec![], &[&[]]);
        let last = audit.destinations.last_mut().unwrap();
        last.organisation = Some(organisation("agora", "US"));
        last.owners = owners;
    }
    add(&mut audit, "b.example", vec![], &[&[]]);
    let found = deny(&["owner-state=CN"], &audit);
    assert_eq!((ids(&found.chosen), ids(&found.doubtful)), (vec![0], vec![1, 2, 4, 5]));
    // By id and by name; of whose it is nobody knows, it cannot be told.
    for text in ["org=agora", "org=Agora, inc."] {
        let found = deny(&[text], &audit);
        assert_eq!((ids(&found.chosen), ids(&found.doubtful)), (vec![0, 1, 2, 3, 4], vec![5]));
    }
}

#[test]
fn what_fits_nothing_is_told_with_what_there_is() {
    let mut audit = Audit::default();
    add(
        &mut audit,
        "api.voice.example",
        vec![place("192.0.2.1", LocationState::Agreed, &["US"])],
        &[&[]],
    );
    audit.destinations[0].organisation = Some(organisation("agora", "US"));
    audit.destinations[0].owners = vec![owner(Some("US"), "s")];
    for (text, wanted) in [
        ("org=agorra", "no organisation `agorra`; the audit has agora"),
        ("host=*.api.voice.example", "the audit has api.voice.example"),
        ("host=voice.example", "no host `voice.example`"),
        ("destination=d9", "the audit has d1 to d1"),
        ("country=CN", "the audit has US"),
        ("owner-state=CN", "the audit has US"),
    ] {
        let found = deny(&[text], &audit);
        assert!(found.chosen.is_empty() && found.doubtful.is_empty());
        assert!(found.misses[0].1.contains(wanted), "{text}: {:?}", found.misses);
    }
}

/// The apex is not below itself, and labels are not cut.
#[test]
fn a_wildcard_ends_at_a_label() {
    let mut audit = Audit::default();
    for name in ["voice.example", "a.voice.example", "a.b.voice.example", "myvoice.example"] {
        add(&mut audit, name, vec![], &[&[]]);
    }
    assert_eq!(ids(&deny(&["host=*.voice.example"], &audit).chosen), [1, 2]);
    assert_eq!(
        ids(&deny(&["host=*.voice.example", "host=voice.example"], &audit).chosen),
        [0, 1, 2]
    );
    let (rules, _) = tried(&["host=*.voice.example"], ZONE, &audit);
    assert!(rules.rules.iter().any(|it| it.target == Target::Below("voice.example".to_owned())));
    for abilities in [LINES, PACKETS] {
        let (rules, _) = tried(&["host=*.voice.example"], abilities, &audit);
        assert!(
            rules.left_out.iter().any(|it| it.what == "*.voice.example"),
            "what a format cannot say is told"
        );
    }
}

#[test]
fn a_name_that_is_none_is_left_out_and_told() {
    let mut audit = Audit::default();
    for name in [
        "a\n0.0.0.0 b.example",
        "a\"; drop",
        "*.example",
        "bücher.example",
        "-a.example",
        "localhost",
        "a..b",
    ] {
        add(&mut audit, name, vec![], &[&[named(name, NameVia::Sni)]]);
    }
    let all: Vec<String> = (1..=audit.destinations.len()).map(|it| format!("destination=d{it}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    for abilities in [LINES, ZONE, INSPECTOR, PACKETS] {
        let (rules, simulation) = tried(&all, abilities, &audit);
        assert!(rules.rules.is_empty(), "{:?}", rules.rules);
        let whole = rules.left_out.iter().filter(|it| it.whole).count();
        assert_eq!(whole, audit.destinations.len());
        assert!(simulation.fates.iter().all(|it| it.outcome != Stopped::Whole));
    }
}

#[test]
fn a_packet_filter_stops_all_that_is_at_an_address_and_that_is_told_before() {
    let mut audit = Audit::default();
    let cdn = || place("192.0.2.1", LocationState::Anycast, &["US"]);
    add(&mut audit, "bad.example", vec![cdn()], &[&[named("bad.example", NameVia::Sni)]]);
    add(&mut audit, "good.example", vec![cdn()], &[&[]]);
    add(
        &mut audit,
        "far.example",
        vec![place("192.0.2.2", LocationState::Agreed, &["US"])],
        &[&[]],
    );
    let (rules, simulation) = tried(&["host=bad.example"], PACKETS, &audit);
    assert_eq!(rules.rules.len(), 1);
    assert_eq!(rules.shared.len(), 1);
    assert!(rules.shared[0].others == [1] && rules.shared[0].because.contains("CDN"));
    assert_eq!(outcome(&simulation, 0), Some((Answer::Yes, Stopped::Whole)));
    assert_eq!(outcome(&simulation, 1), Some((Answer::No, Stopped::Whole)));
    assert_eq!((outcome(&simulation, 2), simulation.untouched), (None, 1));
    // By name nobody else is hit, and no address is written.
    let (rules, simulation) = tried(&["host=bad.example"], INSPECTOR, &audit);
    assert!(rules.shared.is_empty() && rules.rules.iter().all(|it| matches!(it.target, Target::Name(_))));
    assert_eq!(outcome(&simulation, 1), None);
}

#[test]
fn a_resolver_stops_what_was_looked_up_and_of_the_rest_it_cannot_be_told() {
    let mut audit = Audit::default();
    let at = |last: u8| vec![place(&format!("192.0.2.{last}"), LocationState::Agreed, &["US"])];
    let asked = [named("a.example", NameVia::Sni), named("a.example", NameVia::Dns)];
    add(&mut audit, "a.example", at(1), &[&asked]);
    add(&mut audit, "b.example", at(2), &[&[named("b.example", NameVia::Sni)]]);
    add(&mut audit, "192.0.2.3", at(3), &[&[]]);
    let certificate = [named("d.example", NameVia::Certificate)];
    add(&mut audit, "d.example", at(4), &[&certificate]);
    // Without the lookups nobody knows by which road a name was asked for.
    let (_, simulation) = tried(&["destination=d1"], LINES, &audit);
    assert_eq!(outcome(&simulation, 0), Some((Answer::Yes, Stopped::CannotTell)));
    look_up(&mut audit, "doh", "a.example");
    let (_, simulation) = tried(&["destination=d1"], LINES, &audit);
    assert_eq!(outcome(&simulation, 0), Some((Answer::Yes, Stopped::CannotTell)));
    assert!(simulation.resolvers.is_empty());
    look_up(&mut audit, "dns", "a.example");
    let all = ["destination=d1", "destination=d2", "destination=d3", "destination=d4"];
    let (rules, simulation) = tried(&all, LINES, &audit);
    assert_eq!(simulation.resolvers, [("10.0.0.53".parse().unwrap(), 1)]);
    assert_eq!(outcome(&simulation, 0), Some((Answer::Yes, Stopped::Whole)));
    assert_eq!(outcome(&simulation, 1), Some((Answer::Yes, Stopped::CannotTell)));
    assert_eq!(outcome(&simulation, 2), Some((Answer::Yes, Stopped::Not)));
    assert_eq!(outcome(&simulation, 3), Some((Answer::Yes, Stopped::CannotTell)));
    assert!(rules.left_out.iter().any(|it| it.destination == Some(2) && it.whole));
    // A zone knows addresses in answers; of one that was never asked for it stops nothing for certain.
    let (rules, simulation) = tried(&all, ZONE, &audit);
    assert!(
        rules
            .rules
            .iter()
            .any(|it| it.target == Target::Address("192.0.2.3".parse().unwrap()))
    );
    assert_eq!(outcome(&simulation, 2), Some((Answer::Yes, Stopped::CannotTell)));
    let (_, simulation) = tried(&all, INSPECTOR, &audit);
    let stopped: Vec<_> = (0..4).filter_map(|it| Some(outcome(&simulation, it)?.1)).collect();
    // Only the certificate of the last tells its name, so its address is written too.
    assert_eq!(stopped, [Stopped::Whole; 4]);
}

#[test]
fn a_name_inside_of_what_is_encrypted_stops_nothing_for_certain() {
    let mut audit = Audit::default();
    let names = [named("a.example", NameVia::HttpHost)];
    add(
        &mut audit,
        "a.example",
        vec![place("192.0.2.1", LocationState::Agreed, &["US"])],
        &[&names, &names],
    );
    for abilities in [ZONE, LINES] {
        let (_, simulation) = tried(&["host=a.example"], abilities, &audit);
        assert_eq!(outcome(&simulation, 0), Some((Answer::Yes, Stopped::CannotTell)));
    }
    // An inspector gets the address as well, as it would never see the name.
    let (rules, simulation) = tried(&["host=a.example"], INSPECTOR, &audit);
    assert!(rules.rules.iter().any(|it| matches!(it.target, Target::Address(_))));
    assert_eq!(outcome(&simulation, 0), Some((Answer::Yes, Stopped::Whole)));
    let mut flows: Vec<Flow> = audit.flows.iter().cloned().collect();
    flows[0].protection = Protection::Plaintext;
    audit.flows = flows.into_iter().collect();
    let (_, simulation) = tried(&["host=a.example"], INSPECTOR, &audit);
    assert_eq!(outcome(&simulation, 0), Some((Answer::Yes, Stopped::Partly)));
    assert_eq!((simulation.fates[0].stopped.flows, simulation.fates[0].stopped.bytes), (1, 100));
}

#[test]
fn without_flows_addresses_are_compared_and_the_rest_cannot_be_told() {
    let mut audit = Audit::default();
    add(
        &mut audit,
        "a.example",
        vec![place("192.0.2.1", LocationState::Agreed, &["US"])],
        &[&[]],
    );
    audit.flows = [].into_iter().collect();
    audit.flow_names.clear();
    let (_, simulation) = tried(&["host=a.example"], PACKETS, &audit);
    assert!(!simulation.has_flows);
    assert_eq!(outcome(&simulation, 0), Some((Answer::Yes, Stopped::Whole)));
    let (_, simulation) = tried(&["host=a.example"], LINES, &audit);
    assert_eq!(outcome(&simulation, 0), Some((Answer::Yes, Stopped::CannotTell)));
}

/// A host in two countries is kept from the one, and what of it cannot be told is said.
#[test]
fn a_country_is_kept_from_address_by_address() {
    let mut audit = Audit::default();
    let places = vec![
        place("192.0.2.1", LocationState::Agreed, &["CN"]),
        place("192.0.2.2", LocationState::Agreed, &["US"]),
        place("192.0.2.3", LocationState::Anycast, &["US"]),
    ];
    add(&mut audit, "a.example", places, &[&[named("a.example", NameVia::Sni)]]);
    let addresses = |of: &RuleSet| of.rules.iter().map(|it| it.target.clone()).collect::<Vec<_>>();
    let at = |last: u8| Target::Address(IpAddr::from([192, 0, 2, last]));
    let (rules, _) = tried(&["country=CN"], PACKETS, &audit);
    assert_eq!(addresses(&rules), [at(1)]);
    assert!(
        rules.left_out.iter().any(|it| it.what == "192.0.2.3" && !it.whole),
        "{:?}",
        rules.left_out
    );
    let all = select(vec![read("country=CN").unwrap()], &audit, true);
    assert_eq!(addresses(&plan(&all, &audit, PACKETS, Action::Drop)), [at(1), at(3)]);
    // Whoever denies the party as a whole gets all of it.
    let (rules, _) = tried(&["country=CN", "destination=d1"], PACKETS, &audit);
    assert_eq!(addresses(&rules), [at(1), at(2), at(3)]);
}

/// Another name that led to the same address is another party's; a name that was said is denied with what goes by it alone.
#[test]
fn no_name_is_denied_that_nobody_asked_to_deny() {
    let mut audit = Audit::default();
    let at = |last: u8| vec![place(&format!("192.0.2.{last}"), LocationState::Agreed, &["US"])];
    let chance = [named("a.example", NameVia::Sni), named("x.example", NameVia::Dns)];
    let inside = [named("a.example", NameVia::Sni), named("b.example", NameVia::HttpHost)];
    let fronted = [named("a.example", NameVia::Sni), named("c.example", NameVia::HttpHost)];
    add(&mut audit, "a.example", at(1), &[&chance, &inside, &fronted]);
    add(&mut audit, "c.example", at(2), &[&[named("c.example", NameVia::Sni)]]);
    look_up(&mut audit, "dns", "x.example");
    let names = |of: &RuleSet| of.rules.iter().map(|it| it.target.clone()).collect::<Vec<_>>();
    let name = |it: &str| Target::Name(it.to_owned());
    let (rules, simulation) = tried(&["destination=d1"], LINES, &audit);
    assert_eq!(names(&rules), [name("a.example"), name("b.example")]);
    assert!(rules.left_out.iter().any(|it| it.what == "c.example" && it.because.contains("d2")));
    assert_eq!(outcome(&simulation, 0), Some((Answer::Yes, Stopped::CannotTell)));
    assert_eq!(outcome(&simulation, 1), None);
    let (rules, _) = tried(&["host=b.example"], ZONE, &audit);
    assert_eq!(names(&rules), [name("b.example")]);
    // What was looked up by chance is no name of it, and stops nothing for certain.
    assert!(deny(&["host=x.example"], &audit).chosen.is_empty());
}

/// Whoever asks for a denied name asks in the flow of others too.
#[test]
fn an_inspector_stops_the_lookup_as_well() {
    let mut audit = Audit::default();
    let here = || vec![place("192.0.2.1", LocationState::Agreed, &["US"])];
    add(&mut audit, "a.example", here(), &[&[named("a.example", NameVia::Sni)]]);
    look_up(&mut audit, "dns", "a.example");
    add(&mut audit, "10.0.0.53", vec![place("10.0.0.53", LocationState::Local, &[])], &[]);
    audit.destinations[1].flows = vec![FlowId(1)];
    audit.destinations[1].traffic.flows = 1;
    let (_, simulation) = tried(&["host=a.example"], INSPECTOR, &audit);
    assert_eq!(outcome(&simulation, 1), Some((Answer::No, Stopped::Partly)));
    let (_, simulation) = tried(&["host=a.example"], ZONE, &audit);
    assert_eq!(outcome(&simulation, 1), None);
}

#[test]
fn whoever_has_no_owner_that_is_known_sits_where_it_sits() {
    let mut audit = Audit::default();
    for (seat, is_read) in [("CN", true), ("CN", false), ("US", true)] {
        add(&mut audit, "a.example", vec![], &[&[]]);
        let mut found = organisation("agora", seat);
        found.read_at_source = is_read;
        audit.destinations.last_mut().unwrap().organisation = Some(found);
    }
    let found = deny(&["owner-state=CN"], &audit);
    assert_eq!((ids(&found.chosen), ids(&found.doubtful)), (vec![0], vec![1, 2]));
}
