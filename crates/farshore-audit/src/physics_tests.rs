//! No sample strikes out the country a machine is in, whatever stands between, and what it strikes out is what a hand would.

use farshore_model::flow::{InitiatorBasis, RoundTrips};
use farshore_model::ledger::InputRecord;
use farshore_model::party::{CountryClaim, Location, LocationState};
use farshore_model::{Country, Endpoint, Flow, FlowId, InputId, Protection, Transport};

use super::*;
use crate::parties::borders;

const SERVER: &str = "198.18.0.9";

fn flow(input: u32, end_to_end: Option<u64>, transport: Option<u64>) -> Flow {
    let end = |ip: &str| Endpoint {
        ip: ip.parse().unwrap(),
        port: 443,
    };
    Flow {
        input: InputId(input),
        initiator: InitiatorBasis::Handshake,
        protocols: ["tls"].into(),
        protection: Protection::Tls,
        rtt: RoundTrips::new(transport, end_to_end),
        ..Flow::between(Transport::Tcp, end("10.0.0.1"), end("203.0.113.9"))
    }
}

fn taken(vantages: &[&str], tick: u64, flows: Vec<Flow>) -> Ledger {
    let input = |vantage: &&str| InputRecord {
        tick,
        labels: [("vantage".to_owned(), (*vantage).to_owned())].into(),
        ..InputRecord::default()
    };
    Ledger {
        inputs: vantages.iter().map(input).collect(),
        flows: flows.into(),
        ..Ledger::default()
    }
}

fn claimed(codes: &[&str]) -> Place {
    let claim = |(index, code): (usize, &&str)| CountryClaim {
        country: Country::parse(code).unwrap(),
        kind: ClaimKind::Geolocation,
        source: format!("source {index}"),
        edition: "1".to_owned(),
        refuted: false,
    };
    let claims = codes.iter().enumerate().map(claim).collect();
    Place {
        address: "203.0.113.9".parse().unwrap(),
        network: None,
        location: Arc::new(location::summary(claims, false, None)),
        special: None,
    }
}

fn placed(ledger: &Ledger, codes: &[&str]) -> Arc<Location> {
    Physics::of(ledger, None).unwrap().place(claimed(codes)).location
}

fn out(location: &Location) -> BTreeSet<&str> {
    location.excluded.iter().map(|it| it.country.code()).collect()
}

const MS: u64 = 1_000_000;

#[test]
fn a_round_trip_from_london_strikes_out_what_a_hand_would() {
    // 10 ms and two ticks of a microsecond: 1499.3, so 1500 km. Germany is 420 km away, Russia (Kaliningrad) 1,360, the
    // United States 4,750, China 5,630.
    let ledger = taken(&["51.507,-0.128"], 1_000, vec![flow(0, Some(10 * MS), None)]);
    let location = placed(&ledger, &["US", "DE"]);
    let struck = out(&location);
    assert!(
        ["US", "CN", "SG", "HK", "CA", "BR"].iter().all(|code| struck.contains(code)),
        "{struck:?}"
    );
    assert!(
        !["GB", "FR", "DE", "NL", "RU", "IE", "CH"].iter().any(|code| struck.contains(code)),
        "{struck:?}"
    );
    assert_eq!(location.countries, [Country::parse("DE").unwrap()]);
    let refuted: Vec<_> = location.claims.iter().filter(|it| it.refuted).map(|it| it.country.code()).collect();
    assert_eq!((refuted, location.state), (vec!["US"], LocationState::Undetermined));
    let row = location.excluded.iter().find(|it| it.country.code() == "US").unwrap();
    assert_eq!((row.because, row.rtt, row.max_km), ("end-to-end rtt", 10 * MS, 1_500));
    assert!((4_600..4_755).contains(&row.nearest_km), "{row:?}");
    // In fibre 3 ms go 300 km: Germany is farther, and light in vacuum reaches it.
    let location = placed(&taken(&["51.507,-0.128"], 0, vec![flow(0, Some(3 * MS), None)]), &["DE", "DE"]);
    assert!(!out(&location).contains("DE"), "vacuum reaches 450 km");
    let implausible: Vec<_> = location.implausible.iter().map(|it| (it.country.code(), it.max_km)).collect();
    assert_eq!((implausible, location.state), (vec![("DE", 300)], LocationState::Agreed));
}

#[test]
fn nothing_is_struck_out_by_what_is_no_sample() {
    let from = ["51.507,-0.128"];
    let fast = Some(MS);
    // A SYN-ACK alone, however fast.
    assert_eq!(out(&placed(&taken(&from, 0, vec![flow(0, None, fast)]), &["US"])).len(), 0);
    // A flow somebody meddled with.
    let mut meddled = taken(&from, 0, vec![flow(0, fast, None)]);
    meddled.anomalies.push(Anomaly {
        kind: "interference-reset",
        severity: Severity::Warning,
        because: String::new(),
        flow: Some(FlowId(0)),
        evidence: Vec::new(),
    });
    assert_eq!(out(&placed(&meddled, &["US"])).len(), 0);
    // A vantage nobody knows.
    assert!(Physics::of(&taken(&["somewhere"], 0, vec![flow(0, fast, None)]), None).is_none());
    assert!(Physics::of(&taken(&[""], 0, vec![flow(0, fast, None)]), None).is_none());
    assert!(Physics::of(&taken(&[""], 0, vec![]), Some(&Vantage::Point(0.0, 0.0))).is_some());
    // Another address.
    let other = Place {
        address: SERVER.parse().unwrap(),
        ..claimed(&["US"])
    };
    let physics = Physics::of(&taken(&from, 0, vec![flow(0, fast, None)]), None).unwrap();
    assert_eq!(physics.place(other.clone()), other);
}

#[test]
fn vantages_too_far_apart_prove_many_places() {
    let flows = |one, other| vec![flow(0, Some(one * MS), None), flow(1, Some(other * MS), None)];
    let ledger = |one, other| taken(&["52.52,13.40", "-33.87,151.21"], 0, flows(one, other));
    let near = placed(&ledger(20, 20), &["DE", "DE"]);
    assert_eq!(near.state, LocationState::Anycast);
    assert!(
        !out(&near).contains("DE") && !out(&near).contains("AU"),
        "one machine was near each"
    );
    assert!(out(&near).contains("US"), "and none near the United States");
    assert_eq!(placed(&ledger(200, 20), &["AU", "AU"]).state, LocationState::Agreed);
}

#[test]
fn a_syn_that_is_answered_on_the_way_is_said_aloud_and_strikes_nothing() {
    let flows = vec![
        flow(0, Some(300 * MS), Some(2 * MS)),
        flow(0, Some(300 * MS), Some(290 * MS)),
        flow(0, Some(900 * MS), None),
    ];
    let mut ledger = taken(&["51.507,-0.128"], 0, flows);
    split_paths(&mut ledger);
    let [said] = ledger.anomalies.as_slice() else {
        panic!("{:?}", ledger.anomalies)
    };
    assert!(
        said.kind == "split-path" && said.because.contains("1 of 2 servers"),
        "{}",
        said.because
    );
    assert_eq!(out(&placed(&ledger, &["US"])).len(), 0, "300 ms reach everywhere");
}

#[test]
fn one_ttl_for_all_servers_is_said_aloud_and_strikes_nothing() {
    let answered = |servers: &[(&str, u8)]| {
        let one = |(server, ttl): &(&str, u8)| {
            let mut flow = flow(0, Some(300 * MS), Some(290 * MS));
            (flow.server.ip, flow.ttl) = (server.parse().unwrap(), *ttl);
            flow
        };
        let mut ledger = taken(&["51.507,-0.128"], 0, servers.iter().map(one).collect());
        split_paths(&mut ledger);
        let told: Vec<String> = ledger.anomalies.iter().map(|it| it.because.clone()).collect();
        assert_eq!(out(&placed(&ledger, &["US"])).len(), 0);
        told
    };
    let servers = ["5.1.0.1", "31.2.0.1", "80.3.0.1", "104.4.0.1", "151.5.0.1"];
    let all = |ttl: u8| servers.map(|it| (it, ttl));
    let [said] = answered(&all(64)).try_into().unwrap();
    assert!(said.contains("all 5 servers answered with TTL 64"), "{said}");
    // One that differs, too few, neighbours of one network, addresses that are nobody's, or none that was seen.
    let mut other = all(64);
    other[3].1 = 51;
    assert_eq!(answered(&other), [""; 0]);
    assert_eq!(answered(&all(64)[..4]), [""; 0]);
    let neighbours = ["5.1.0.1", "5.1.0.2", "5.1.1.1", "5.1.2.1", "5.1.3.1", "31.2.0.1"];
    assert_eq!(answered(&neighbours.map(|it| (it, 64))), [""; 0]);
    let local = ["10.1.0.1", "10.2.0.1", "10.3.0.1", "10.4.0.1", "10.5.0.1", "31.2.0.1"];
    assert_eq!(answered(&local.map(|it| (it, 64))), [""; 0]);
    assert_eq!(answered(&all(0)), [""; 0]);
}

/// Ways of a machine on the globe: vantage, server, path, jitter, answers of middle boxes and clocks drawn by the same rule in
/// every run.
#[test]
fn the_true_country_is_never_struck_out() {
    let mut state = 0x0005_eed0_5eed_u64;
    let mut draw = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let outlines: Vec<_> = borders::outlines().iter().filter(|it| it.country.is_some()).collect();
    let point = |draw: &mut dyn FnMut(u64) -> u64| {
        let outline = outlines[draw(outlines.len() as u64) as usize];
        let ring = &outline.rings[draw(outline.rings.len() as u64) as usize];
        let at = ring[draw(ring.len() as u64) as usize];
        // Up to some kilometres off the drawn coast, where the true one may be.
        let off = |draw: &mut dyn FnMut(u64) -> u64| draw(20) as f64 / 100.0 - 0.1;
        let latitude = (f64::from(at.latitude) / 100.0 + off(draw)).clamp(-90.0, 90.0);
        let longitude = (f64::from(at.longitude) / 100.0 + off(draw)).clamp(-180.0, 180.0);
        (outline.country.unwrap(), latitude, longitude)
    };
    let mut struck = 0_usize;
    for _ in 0..40 {
        let (home, latitude, longitude) = point(&mut draw);
        let vantage = match draw(4) {
            0 => home.code().to_owned(),
            _ => format!("{latitude},{longitude}"),
        };
        let distances = Distances::from(&vantage.parse().unwrap());
        for _ in 0..2_500 {
            let (country, north, east) = point(&mut draw);
            let true_km = on_the_ground((latitude, longitude), (north, east));
            // Light in vacuum along the ground is the fastest there is; most paths are longer.
            let least = 2.0 * true_km / 299.792_458 * 1e6;
            let stretch = 1.0 + draw(4) as f64 * draw(100) as f64 / 100.0;
            let jitter = draw(3) * draw(20 * MS);
            let took = (least * stretch).ceil() as u64 + jitter;
            let tick = [1, 1_000, 1_000_000, 15_625_000][draw(4) as usize];
            let sent = draw(1 << 40);
            let by_clock = (sent + took) / tick * tick - sent / tick * tick;
            let proxied = (draw(2) == 0).then_some(draw(MS));
            let mut flows = vec![flow(0, Some(by_clock), proxied)];
            if draw(5) == 0 {
                // Void ones tell no time at all, and later ones took longer.
                flows.push(flow(0, None, proxied));
                flows.push(flow(0, Some(by_clock + draw(50 * MS) / tick * tick), None));
            }
            let most = by_clock.saturating_add(2 * tick);
            let sample = Sample { rtt: by_clock, most };
            for code in [country].into_iter().chain(sovereign(country)) {
                let km = distances.to(code).unwrap();
                assert!(
                    km <= sample.reach(VACUUM),
                    "{code} at {north},{east} from {vantage}: {km} km, {true_km} in truth"
                );
            }
            struck += distances.all().filter(|(_, km)| *km > sample.reach(VACUUM)).count();
            if draw(500) == 0 {
                let ledger = taken(&[&vantage], tick, flows);
                assert!(!out(&placed(&ledger, &["US"])).contains(country.code()));
            }
        }
    }
    assert!(struck > 2_000_000, "and much else is: {struck}");
}

fn sovereign(country: Country) -> Option<Country> {
    let code = match country.code() {
        "PR" | "GU" | "VI" | "AS" | "MP" => "US",
        "GL" | "FO" => "DK",
        "NC" | "PF" | "TF" | "PM" => "FR",
        "HK" | "MO" => "CN",
        _ => return None,
    };
    Country::parse(code)
}

/// Kilometres between two points on the ground, by Lambert's formula for long lines on the WGS 84 ellipsoid; nearly opposite
/// each other, where it fails, no more than they can be.
fn on_the_ground(one: (f64, f64), other: (f64, f64)) -> f64 {
    let (radius, flat) = (6_378.137, 1.0 / 298.257_223_563_f64);
    let reduced = |latitude: f64| ((1.0 - flat) * latitude.to_radians().tan()).atan();
    let (north, south) = (reduced(one.0), reduced(other.0));
    let east = (one.1 - other.1).to_radians();
    let half = ((north - south) / 2.0).sin().powi(2) + north.cos() * south.cos() * (east / 2.0).sin().powi(2);
    let sigma = 2.0 * half.sqrt().min(1.0).asin();
    if sigma < 1e-9 {
        return 0.0;
    }
    if sigma > 3.0 {
        return radius * (1.0 - flat) * sigma;
    }
    let (middle, apart) = ((north + south) / 2.0, (north - south) / 2.0);
    let x = (sigma - sigma.sin()) * (middle.sin() * apart.cos()).powi(2) / (sigma / 2.0).cos().powi(2);
    let y = (sigma + sigma.sin()) * (middle.cos() * apart.sin()).powi(2) / (sigma / 2.0).sin().powi(2);
    radius * (sigma - flat / 2.0 * (x + y))
}
