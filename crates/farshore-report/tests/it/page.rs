//! The page: what it may load, what its map may claim, how large it grows.

use std::sync::Arc;

use farshore_model::party::LocationState;
use farshore_report::{BorderShape, Options, output};

use crate::cases;
use crate::cases::build::{country, location};

fn page(audit: &farshore_model::Audit, borders: &[BorderShape]) -> String {
    let options = Options {
        borders,
        ..Options::default()
    };
    let mut bytes = Vec::new();
    output("html").unwrap().render(audit, &options, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn square(code: &str, lon: i16, lat: i16) -> BorderShape {
    BorderShape {
        country: (code != "--").then(|| country(code)),
        rings: vec![vec![
            (lon, lat),
            (lon + 1000, lat),
            (lon + 1000, lat + 1000),
            (lon, lat + 1000),
            (lon, lat),
        ]],
    }
}

fn world() -> Vec<BorderShape> {
    vec![
        square("NL", 500, 5000),
        square("US", -10_000, 3500),
        square("SG", 10_300, 100),
        square("BR", -5000, -1000),
        square("--", 3000, 3000),
    ]
}

#[test]
fn nothing_is_loaded_and_nothing_runs() {
    for (case, audit) in cases::all() {
        let page = page(&audit, &world()).to_lowercase();
        assert!(
            page.contains("content-security-policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:"),
            "{case}"
        );
        for loads in [
            "<script",
            "<link",
            "<img",
            "<iframe",
            "<object",
            "<form",
            " src=\"",
            "@import",
            "xlink:",
            "href=\"//",
            "href=\"javascript",
        ] {
            assert!(!page.contains(loads), "{case} holds {loads}");
        }
        assert_eq!(page.matches("url(").count(), page.matches("url(#").count(), "{case}");
        // Handlers stand inside a tag; the hostile text that looks like one stands in text.
        for tag in page.split('<').filter_map(|part| part.split('>').next()) {
            assert!(!tag.contains(" on") && !tag.contains("autofocus"), "{case}: {tag}");
        }
    }
}

#[test]
fn tags_close_in_order() {
    for (case, audit) in cases::all() {
        let page = page(&audit, &world());
        let mut open: Vec<&str> = vec![];
        for tag in page.split('<').skip(1).map(|part| part.split('>').next().unwrap()) {
            let name = tag.split(' ').next().unwrap();
            match name.strip_prefix('/') {
                Some(closed) => assert_eq!(open.pop(), Some(closed), "{case}"),
                None if matches!(name, "!DOCTYPE" | "meta") => {}
                None => open.push(name),
            }
        }
        assert!(open.is_empty(), "{case}: {open:?}");
    }
}

#[test]
fn ids_are_unique() {
    for (case, audit) in cases::all() {
        let page = page(&audit, &world());
        let mut ids: Vec<&str> = page.split(" id=\"").skip(1).map(|part| part.split('"').next().unwrap()).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "{case}");
    }
}

#[test]
fn a_dot_stands_only_where_sources_agree() {
    let page = page(&cases::call(), &world());
    assert_eq!(page.matches("<path class=\"sole\"").count(), 1);
    assert_eq!(page.matches("<path class=\"doubtful\"").count(), 2, "NL and US, disputed");
    assert_eq!(page.matches("<path class=\"land\"").count(), 2);
    assert_eq!(page.matches("<circle").count(), 1);
    assert!(page.contains("many places at once (anycast)"));
}

#[test]
fn one_country_without_agreement_is_no_answer() {
    for state in [
        LocationState::Undetermined,
        LocationState::Disputed,
        LocationState::Anycast,
        LocationState::Local,
    ] {
        let mut audit = cases::call();
        audit.destinations.truncate(1);
        audit.destinations[0].location = Arc::new(location(state, &["SG"]));
        let page = page(&audit, &world());
        assert_eq!(
            page.matches("<path class=\"sole\"").count() + page.matches("<circle").count(),
            0,
            "{state:?}"
        );
    }
}

#[test]
fn without_outlines_there_is_a_list() {
    let page = page(&cases::call(), &[]);
    assert!(!page.contains("figure class=\"map\""));
    assert!(page.contains("NL, perhaps") && page.contains("SG, sources agree"));
}

#[test]
fn attribution_follows_the_data_in_use() {
    let mut audit = cases::call();
    let link = "<a href=\"https://db-ip.com\" rel=\"noreferrer\">IP Geolocation by DB-IP</a>";
    assert!(page(&audit, &[]).contains(link));
    audit.tool.data.remove(0);
    assert!(!page(&audit, &[]).contains("db-ip"));
}

#[test]
fn the_page_stays_small() {
    // A coast of many bays, over and over: more outlines than may be drawn.
    let bays: Vec<(i16, i16)> = (0..2000).map(|n| (n * 8, if n % 2 == 0 { 0 } else { 700 })).collect();
    let borders: Vec<BorderShape> = std::iter::repeat_n(
        BorderShape {
            country: Some(country("US")),
            rings: vec![bays],
        },
        60,
    )
    .collect();
    let typical = page(&cases::call(), &borders).len();
    assert!(typical < 200_000, "{typical}");
    let crowd = page(&cases::crowd(), &borders).len();
    assert!(crowd < 400_000, "{crowd}");
}

#[test]
fn a_reader_can_paste_the_filter() {
    let page = page(&cases::call(), &[]);
    assert!(page.contains("<code>frame.number == 19</code>"));
    assert!(page.contains("<code>frame.number in {19, 28}</code>"));
}
