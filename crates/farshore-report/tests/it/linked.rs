//! Links as a graph, as a picture and in words: whole, escaped, the same each time, readable from two clients to sixty.

use farshore_model::party::LocationState;
use farshore_model::{Audit, DatumKind, Link, Protection, ReaderRole};
use farshore_report::{Options, graphml, output};

use crate::cases;
use crate::cases::build::{destination, exposure, location, locus, place};

/// All of so many clients in rooms of four, as whoever is on the path tells; and one pair a relay tells.
fn audit(clients: usize) -> Audit {
    let link = |observer, party: &str, a: usize, b: usize, room: usize, set: usize| Link {
        observer,
        party: party.into(),
        a: format!("client <{a:02}>").as_str().into(),
        b: format!("client <{b:02}>").as_str().into(),
        kind: DatumKind::named("room-id"),
        number: room as u32 + 1,
        anonymity_set: set,
        evidence: vec![locus(a as u64 + 1), locus(b as u64 + 1)],
    };
    let mut links = Vec::new();
    for room in 0..clients.div_ceil(4) {
        let of_room: Vec<usize> = (0..clients).filter(|it| it / 4 == room).collect();
        for (at, a) in of_room.iter().enumerate() {
            for b in &of_room[at + 1..] {
                links.push(link(ReaderRole::OnPath, "", *a, *b, room, of_room.len()));
            }
        }
    }
    links.push(link(ReaderRole::Relay, "Relay & <Sons>\u{202e}", 0, 1, 90, 2));
    let mut audit = cases::call();
    audit.links = Some(links);
    audit
}

fn rendered(audit: &Audit, format: &str) -> String {
    let mut bytes = Vec::new();
    output(format).unwrap().render(audit, &Options::default(), &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn graph(audit: &Audit) -> String {
    let mut bytes = Vec::new();
    graphml::render(audit, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_graph_has_each_client_and_identifier_once_and_an_edge_for_each_that_was_carried() {
    let audit = audit(8);
    let graph = graph(&audit);
    assert_eq!(graph.matches("<node ").count(), 8 + 3);
    assert_eq!(graph.matches("<edge ").count(), 8 + 2);
    assert_eq!(graph.matches("<data key=\"observer\">on-path</data>").count(), 8);
    assert!(
        graph.contains("<data key=\"party\">Relay &amp; \\u{3c}Sons&gt;\\u{202e}</data>"),
        "{graph}"
    );
    assert_eq!(graph.matches('<').count(), graph.matches('>').count());
    for id in 1..=11 {
        assert!(graph.contains(&format!("<node id=\"n{id}\">")), "{id}");
    }
    assert!(graph.contains("client \\u{3c}01&gt;") && !graph.contains("client <"), "{graph}");
}

#[test]
fn no_links_are_an_empty_graph_and_no_picture() {
    let mut audit = audit(4);
    audit.links = Some(Vec::new());
    let graph = graph(&audit);
    assert!(graph.contains("<graph id=\"links\"") && !graph.contains("<node") && !graph.contains("<edge"));
    assert!(!rendered(&audit, "html").contains("<figure class=\"links\">"));
}

#[test]
fn a_picture_is_drawn_from_two_clients_to_sixty_and_says_where_it_stops() {
    for clients in [2, 7, 24, 60, 90] {
        let page = rendered(&audit(clients), "html");
        let pictures: Vec<&str> = page.split("<figure class=\"links\">").skip(1).collect();
        assert_eq!(pictures.len(), 2, "one for each observer");
        let of_path = pictures[0].split("</figure>").next().unwrap();
        assert_eq!(of_path.matches("<text class=\"client\"").count(), clients.min(60));
        assert_eq!(of_path.contains("the first 60 are drawn"), clients > 60);
        // No two clients on one line.
        let mut lines: Vec<&str> = of_path
            .split("<circle cx=\"380\" cy=\"")
            .skip(1)
            .map(|it| it.split('"').next().unwrap())
            .collect();
        let all = lines.len();
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), all);
        assert!(!of_path.contains("<Sons>") && !page.contains("client <0"));
        assert_eq!(rendered(&audit(clients), "html"), page);
    }
}

#[test]
fn the_terminal_says_who_can_link_whom_by_what() {
    let text = rendered(&audit(4), "terminal");
    let line = text.lines().find(|it| it.contains("can link")).unwrap();
    assert!(line.contains("whoever carries the frames") && text.contains("room-id#1"), "{text}");
}

/// A device that calls into its network over both versions of IP has told the same listeners twice.
#[test]
fn who_listens_to_all_is_no_party_that_anything_reaches() {
    let local = || location(LocationState::Local, &[]);
    let mut audit = cases::call();
    audit.destinations = ["224.0.0.251", "ff02::fb", "255.255.255.255", "203.0.113.9", "203.0.113.10"]
        .map(|address| destination(address, vec![place(address, local())], local()))
        .into();
    let reached = |audit: &Audit| rendered(audit, "terminal").contains("reaches 2 parties");
    audit.exposures = (0..4).map(|to| exposure("device-name", to, Protection::Plaintext, 3)).collect();
    assert!(!reached(&audit));
    audit.exposures.push(exposure("device-name", 4, Protection::Plaintext, 3));
    assert!(reached(&audit));
}
