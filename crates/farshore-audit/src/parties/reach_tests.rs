//! What must hold of every answer about reach, over a grid of facts; and the answers for parties that were read.

use std::collections::BTreeSet;

use farshore_model::{
    Answer, Country, Date, Text,
    party::{ClaimKind, CountryClaim, Location, LocationState, Network, Organisation, Owner, Reach, Standing, Via},
};

use super::{
    reach::{PartyFacts, Statutes, reach_of},
    *,
};

fn day(text: &str) -> Date {
    Date::parse(text).unwrap()
}

fn state(code: &str) -> Country {
    Country::parse(code).unwrap()
}

fn nowhere() -> Location {
    location::summary(Vec::new(), false, None)
}

fn at(code: &str, kind: ClaimKind) -> Location {
    let claim = |source: &str, kind| CountryClaim {
        country: state(code),
        kind,
        refuted: false,
        source: source.to_owned(),
        edition: "2026-10-20".to_owned(),
    };
    location::summary(vec![claim("a", ClaimKind::Geolocation), claim("b", kind)], false, None)
}

fn organisation(seat: &str, establishments: &[&str], kind: &str) -> Organisation {
    Organisation {
        id: "a".to_owned(),
        name: "A".to_owned(),
        kind: kind.to_owned(),
        seat: Country::parse(seat),
        incorporated_in: None,
        establishments: establishments.iter().map(|code| state(code)).collect(),
        basis: "domain",
        source: "https://example.org".to_owned(),
        as_of: "2026-01".to_owned(),
        read_at_source: true,
        confidence: "high".to_owned(),
        fictional: true,
    }
}

fn owner(code: &str) -> Owner {
    Owner {
        id: "o".to_owned(),
        name: "O".to_owned(),
        country: Some(state(code)),
        relation: farshore_model::party::OwnerRelation::Parent,
        as_of: "2026-01".to_owned(),
        source: "https://example.org".to_owned(),
    }
}

fn missing(row: &Reach) -> Vec<&str> {
    row.missing.iter().map(Text::as_str).collect()
}

fn service(organisation: &Organisation, location: &Location, on: &str) -> Vec<Reach> {
    reach_of(&[facts(Some(organisation), None, &[], location)], Some(day(on)))
}

fn facts<'a>(
    service: Option<&'a Organisation>,
    operator: Option<&'a Organisation>,
    owners: &'a [Owner],
    location: &'a Location,
) -> PartyFacts<'a> {
    PartyFacts {
        service,
        operator,
        network: None,
        owners,
        location,
    }
}

fn laws(rows: &[Reach], wanted: Answer) -> BTreeSet<&str> {
    let answered = rows.iter().filter(|row| row.answer == wanted);
    answered.filter_map(|row| Some(row.law.as_ref()?.id.as_str())).collect()
}

fn states(rows: &[Reach]) -> Vec<&str> {
    let states: BTreeSet<_> = rows.iter().map(|row| row.state.code()).collect();
    states.into_iter().collect()
}

#[test]
fn an_organisation_of_two_states_shows_both_and_its_incorporation() {
    let agora = Datasets::embedded().organisation("agora").unwrap();
    let rows = service(&agora, &nowhere(), "2026-11-01");
    assert_eq!(states(&rows), ["CN", "HK", "KY", "SG", "US"]);
    let yes = laws(&rows, Answer::Yes);
    assert!(yes.contains("cn-dsl-35") && yes.contains("cn-nil-7"), "{yes:?}");
    // What sets the power off is case law; the statute does not say it.
    let open = rows
        .iter()
        .find(|row| row.standing == Standing::Text && row.law.as_ref().is_some_and(|law| law.id == "us-sca-2713"))
        .unwrap();
    assert_eq!(open.answer, Answer::CannotTell);
    assert!(open.missing.iter().any(|what| what.contains("case law")), "{open:?}");
    for unread in ["KY", "SG"] {
        let rows: Vec<_> = rows.iter().filter(|row| row.state.code() == unread).collect();
        assert_eq!(rows.len(), 1, "{unread}");
        assert_eq!(missing(rows[0]), [format!("no access law of {unread} was read")]);
        assert!(rows[0].law.is_none() && rows[0].answer == Answer::CannotTell);
    }
}

#[test]
fn laws_are_read_as_of_the_day() {
    let party = organisation("CN", &[], "rtc");
    let rows = service(&party, &nowhere(), "2021-02-12");
    // Not yet in force: left out. Not yet amended: the text that was read.
    assert!(laws(&rows, Answer::Yes).contains("cn-csl-28"));
    assert!(!rows.iter().any(|row| row.law.as_ref().is_some_and(|law| law.id == "cn-dsl-35")));
    let rows = service(&party, &nowhere(), "2026-11-01");
    assert!(laws(&rows, Answer::CannotTell).contains("cn-csl-28"));
    assert!(laws(&rows, Answer::Yes).contains("cn-dsl-35"));
    let rows = service(&party, &nowhere(), "1990-01-01");
    assert_eq!(rows.len(), 1);
    assert_eq!(missing(&rows[0]), ["no access law of CN that was in force on 1990-01-01 was read"]);
    let american = organisation("US", &[], "rtc");
    let lapsed = |on| {
        let rows = service(&american, &nowhere(), on);
        let row = rows
            .into_iter()
            .find(|row| row.law.as_ref().is_some_and(|law| law.id == "us-fisa-702"))
            .unwrap();
        row.missing.iter().any(|what| what.contains("lapsed on 2026-06-12"))
    };
    assert!(lapsed("2026-06-12") && !lapsed("2026-06-11"));
}

#[test]
fn a_member_of_a_union_comes_with_the_unions_law() {
    let rows = service(&organisation("DE", &[], "telecom"), &nowhere(), "2026-11-01");
    assert_eq!(states(&rows), ["DE", "EU"]);
    let rows = service(&organisation("IE", &[], "telecom"), &nowhere(), "2026-11-01");
    assert_eq!(states(&rows), ["EU", "IE"]);
    assert!(rows.iter().any(|row| missing(row) == ["no access law of IE was read"]));
}

#[test]
fn a_party_the_law_may_not_address_is_asked_for() {
    let rows = service(&organisation("CH", &[], "ads"), &nowhere(), "2026-11-01");
    let row = rows
        .iter()
        .find(|row| row.law.as_ref().is_some_and(|law| law.id == "ch-buepf-26"))
        .unwrap();
    assert_eq!(row.answer, Answer::CannotTell);
    assert!(
        row.missing[0].starts_with("whether A is among those addressed: telecommunications provider"),
        "{row:?}"
    );
    let rows = service(&organisation("CH", &[], "telecom"), &nowhere(), "2026-11-01");
    assert!(laws(&rows, Answer::Yes).contains("ch-buepf-26"));
}

#[test]
fn a_place_is_known_by_the_operators_list_not_by_agreeing_databases() {
    let party = organisation("", &[], "cloud");
    let any_person = |location: &Location| {
        let rows = reach_of(&[facts(None, Some(&party), &[], location)], Some(day("2026-11-01")));
        rows.into_iter()
            .find(|row| row.law.as_ref().is_some_and(|law| law.id == "cn-nil-7") && row.standing == Standing::Text)
            .unwrap()
    };
    let row = any_person(&at("CN", ClaimKind::CloudRegion));
    assert_eq!((row.via, row.answer), (Via::Place, Answer::Yes));
    assert_eq!(any_person(&at("CN", ClaimKind::Geolocation)).answer, Answer::CannotTell);
    // A list of another time, or of none, tells no more than the databases.
    for (edition, known) in [("2026-08-03", true), ("2026-08-02", false), ("2023-11-14", false), ("", false)] {
        let mut of_then = at("CN", ClaimKind::CloudRegion);
        of_then.claims.iter_mut().for_each(|claim| edition.clone_into(&mut claim.edition));
        let row = any_person(&of_then);
        assert_eq!(row.answer == Answer::Yes, known, "{edition}: {row:?}");
        assert!(
            known || missing(&row).contains(&"a list of ranges of that time: b is of another"),
            "{row:?}"
        );
    }
    let mut disputed = at("CN", ClaimKind::CloudRegion);
    disputed.countries.push(state("HK"));
    disputed.state = LocationState::Disputed;
    let row = any_person(&disputed);
    assert_eq!(row.answer, Answer::CannotTell);
    assert_eq!(missing(&row), ["which of CN, HK the machine is in"]);
}

#[test]
fn the_holder_of_a_network_nobody_knows_is_not_guessed() {
    let network = Network {
        asn: 64_500,
        name: "N".into(),
        registered: Some(state("DE")),
    };
    let location = nowhere();
    let known = PartyFacts {
        service: None,
        operator: None,
        network: Some(&network),
        owners: &[],
        location: &location,
    };
    let rows = reach_of(&[known], Some(day("2026-11-01")));
    assert!(rows.iter().all(|row| row.answer == Answer::CannotTell));
    assert_eq!(states(&rows), ["DE", "EU"]);
    assert!(rows.iter().all(|row| matches!(row.via, Via::Operator | Via::Carriage)));
}

#[test]
fn without_a_day_nothing_is_known_to_have_been_in_force() {
    let party = organisation("CN", &[], "rtc");
    let location = nowhere();
    let rows = reach_of(&[facts(Some(&party), None, &[], &location)], None);
    assert!(!rows.is_empty() && rows.iter().all(|row| row.answer == Answer::CannotTell));
}

#[test]
fn every_address_brings_its_own_hoster() {
    let data = Datasets::embedded();
    let agora = data.organisation("agora").unwrap();
    let places: Vec<_> = ["104.166.161.75", "199.190.44.135"]
        .map(|ip| data.place(ip.parse().unwrap()))
        .into();
    let rows = Statutes::of(Some(day("2026-11-01"))).reach(data, Some(&agora), &data.owners("agora"), &places);
    let via = |code: &str, via: Via| rows.iter().any(|row| row.state.code() == code && row.via == via);
    assert!(via("CN", Via::Service) && via("US", Via::Service) && via("US", Via::Operator));
    assert!(via("GB", Via::Place) && via("HK", Via::Place) && via("US", Via::Place));
    assert!(
        rows.iter()
            .filter(|row| row.via == Via::Place)
            .all(|row| row.answer == Answer::CannotTell)
    );
}

#[test]
fn the_simulated_world_answers_like_a_real_one() {
    let data = Datasets::with_fictional();
    let found = data.organisation_of_host("edge7.relaywright.example").unwrap();
    assert_eq!(found.organisation.id, "relaywright");
    assert!(found.organisation.fictional);
    let rows = service(&found.organisation, &data.location("203.0.113.88".parse().unwrap()), "2021-02-12");
    assert_eq!(states(&rows), ["CN", "KY", "US"]);
    assert!(laws(&rows, Answer::Yes).contains("cn-csl-28"));
    assert_eq!(data.location("198.51.100.171".parse().unwrap()).state, LocationState::Disputed);
    assert_eq!(
        data.organisation_of_network(64_503).map(|found| found.id).as_deref(),
        Some("jiangnan")
    );
    assert_eq!(data.owners("tally").first().map(|owner| owner.id.as_str()), Some("bluefin"));
    assert_eq!(Datasets::embedded().organisation_of_host("edge7.relaywright.example"), None);
}

/// Service, operator, owners, place.
type Known = (Option<Organisation>, Option<Organisation>, Vec<Owner>, Location);

/// Facts of every kind, known and unknown, over every state whose law was read and one whose was not.
fn grid() -> Vec<Known> {
    let mut codes: BTreeSet<&str> = laws::access_laws().iter().map(|law| law.jurisdiction.code()).collect();
    codes.insert("KY");
    let mut grid = Vec::new();
    for code in codes {
        for kind in ["telecom", "cloud", "rtc", "messaging", "ads", ""] {
            for location in [nowhere(), at(code, ClaimKind::Geolocation), at(code, ClaimKind::CloudRegion)] {
                for (seat, establishments) in [(code, &[][..]), ("NZ", &[code][..]), ("", &[][..])] {
                    let party = organisation(seat, establishments, kind);
                    grid.push((Some(party.clone()), None, vec![owner(code)], location.clone()));
                    grid.push((None, Some(party), Vec::new(), location.clone()));
                }
            }
        }
    }
    grid
}

#[test]
fn no_unread_law_and_no_argument_ever_answers_yes() {
    let mut answered = BTreeSet::new();
    for (service, operator, owners, location) in &grid() {
        let rows = reach_of(
            &[facts(service.as_ref(), operator.as_ref(), owners, location)],
            Some(day("2026-11-01")),
        );
        assert!(rows.is_sorted());
        for row in rows {
            assert_eq!(row.answer == Answer::Yes, row.missing.is_empty(), "{row:?}");
            if row.answer == Answer::Yes {
                let law = row.law.as_ref().unwrap();
                assert!(law.verified && row.standing == Standing::Text, "{row:?}");
                assert!(matches!(row.via, Via::Place | Via::Operator | Via::Service), "{row:?}");
                answered.insert(law.id.clone());
            }
        }
    }
    // The rule is one for all states, and not so narrow that it never answers.
    let states: BTreeSet<_> = answered.iter().filter_map(|id| id.split('-').next()).collect();
    assert!(states.len() >= 4, "{answered:?}");
}

#[test]
fn knowing_less_never_turns_an_open_answer_into_yes() {
    type Forget = fn(&mut Organisation);
    let forgets: [Forget; 6] = [
        |it| it.seat = None,
        |it| it.establishments.clear(),
        |it| it.kind.clear(),
        |it| it.read_at_source = false,
        |it| it.confidence = "medium".to_owned(),
        |it| it.incorporated_in = None,
    ];
    let yes = |rows: Vec<Reach>| -> BTreeSet<_> {
        let yes = rows.into_iter().filter(|row| row.answer == Answer::Yes);
        yes.map(|row| (row.state, row.via, row.basis, row.law.map(|law| law.id.clone())))
            .collect()
    };
    let on = day("2026-11-01");
    for (service, operator, owners, location) in &grid() {
        let before = yes(reach_of(&[facts(service.as_ref(), operator.as_ref(), owners, location)], Some(on)));
        let check = |service: Option<&Organisation>, operator: Option<&Organisation>, owners: &[Owner], location: &Location| {
            let after = yes(reach_of(&[facts(service, operator, owners, location)], Some(on)));
            assert!(after.is_subset(&before), "{after:?} {before:?}");
        };
        for forget in forgets {
            let less = |it: &Option<Organisation>| {
                let mut it = it.clone();
                it.as_mut().into_iter().for_each(forget);
                it
            };
            check(less(service).as_ref(), less(operator).as_ref(), owners, location);
        }
        check(None, None, owners, location);
        check(service.as_ref(), operator.as_ref(), &[], location);
        check(service.as_ref(), operator.as_ref(), owners, &nowhere());
    }
}

#[test]
fn every_row_of_the_table_of_organisations_gets_an_answer_in_every_state_it_names() {
    for row in organisations::rows() {
        let party = row.organisation("id");
        let rows = service(&party, &nowhere(), "2026-11-01");
        let found: BTreeSet<_> = rows.iter().map(|row| row.state).collect();
        let named = party
            .seat
            .into_iter()
            .chain(party.incorporated_in)
            .chain(party.establishments.iter().copied());
        for code in named {
            assert!(found.contains(&code), "{} {code}", party.id);
        }
        assert!(party.read_at_source || laws(&rows, Answer::Yes).is_empty(), "{}", party.id);
    }
}
