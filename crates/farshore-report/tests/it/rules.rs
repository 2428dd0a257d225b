//! Block rules as text: each format by its own grammar, whatever stands in names, reasons and expressions.

use farshore_model::rules::*;
use farshore_model::{Answer, Audit};
use farshore_report::rules::{FORMATS, Written, format};

use crate::cases::build::{base, destination, ip, location, place};
use crate::cases::hostile_text::texts;
use farshore_model::party::LocationState;

fn written(id: &str, audit: &Audit, targets: Vec<Target>, texts: &[String]) -> String {
    let grounds = |text: &String| Ground {
        deny: 0,
        answer: Answer::Yes,
        because: text.clone(),
        part: Part::default(),
    };
    let writer = format(id).unwrap();
    let selection = Selection {
        denies: texts
            .iter()
            .map(|text| Deny {
                text: text.clone(),
                subject: Subject::Destination(0),
            })
            .collect(),
        chosen: vec![Choice {
            destination: 0,
            grounds: texts.iter().map(grounds).collect(),
        }],
        doubtful: vec![Choice {
            destination: 0,
            grounds: texts.iter().map(grounds).collect(),
        }],
        misses: texts.iter().map(|text| (0, text.clone())).collect(),
        deny_doubtful: false,
    };
    let rules = RuleSet {
        action: writer.actions()[0],
        abilities: writer.abilities(),
        rules: targets
            .into_iter()
            .map(|target| Rule {
                target,
                destinations: vec![0],
            })
            .collect(),
        left_out: texts
            .iter()
            .map(|text| LeftOut {
                destination: Some(0),
                what: text.clone(),
                because: text.clone(),
                whole: true,
            })
            .collect(),
        shared: texts
            .iter()
            .map(|text| SharedAddress {
                address: ip("192.0.2.1"),
                others: vec![0],
                because: text.clone(),
            })
            .collect(),
    };
    let mut out = Vec::new();
    let it = Written {
        audit,
        selection: &selection,
        rules: &rules,
    };
    writer.write(&it, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn one(name: &str) -> Audit {
    let here = || location(LocationState::Agreed, &["DE"]);
    let mut audit = base(vec![]);
    audit.destinations = vec![destination(name, vec![place("192.0.2.1", here())], here())];
    audit
}

fn targets() -> Vec<Target> {
    vec![
        Target::Address(ip("192.0.2.1")),
        Target::Address(ip("2001:db8::1:0:0:1")),
        Target::Name("api.voice.example".to_owned()),
        Target::Below("voice.example".to_owned()),
    ]
}

/// The lines that are no comments, without what they are indented by.
fn lines(id: &str, text: &str) -> Vec<String> {
    let mark = if id == "rpz" { ';' } else { '#' };
    let all = text.lines().map(str::trim_start);
    all.filter(|it| !it.starts_with(mark) && !it.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Names that break out of comments, quotes or lines: what a filter reads stays the same, to the byte.
#[test]
fn nothing_from_the_wire_changes_what_a_filter_reads() {
    let mut hostile = texts();
    for text in [
        "a\ntable ip evil { }",
        "a\r\n0.0.0.0 good.example",
        "x\"; sid:1;) drop ip any any -> any any (",
        "a\\",
        "a\\\nb",
        "}\u{2028}{",
        "; evil IN CNAME good.",
        "a\u{85}b",
        "${x}",
        "'; - cidr: 0.0.0.0/0",
        "\u{0}",
        "# \n\n",
    ] {
        hostile.push(text.to_owned());
    }
    hostile.push("a.".repeat(9_000));
    hostile.push(format!("{}\n", "e\u{301}".repeat(9_000)));
    for it in FORMATS {
        let calm = written(it.id(), &one("api.voice.example"), targets(), &["calm".to_owned()]);
        for text in &hostile {
            let shown = written(it.id(), &one(text), targets(), std::slice::from_ref(text));
            assert_eq!(lines(it.id(), &shown), lines(it.id(), &calm), "{}: {text:?}", it.id());
            assert!(
                shown.lines().all(|line| line.len() < 8000 && !line.ends_with('\\')),
                "{}: {text:?}",
                it.id()
            );
            assert!(
                !shown.chars().any(|c| c.is_control() && c != '\n' && c != '\t'),
                "{}: {text:?}",
                it.id()
            );
        }
    }
}

/// Names are checked when rules are made. Should one get past that, it is not written.
#[test]
fn a_target_that_is_no_name_is_never_written() {
    for it in FORMATS {
        let nothing = written(it.id(), &one("a.example"), vec![], &[]);
        for text in texts()
            .into_iter()
            .chain(["a b".to_owned(), "a;b".to_owned(), "A.example".to_owned(), String::new()])
        {
            if text
                .bytes()
                .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || b"-_.".contains(&it))
                && !text.is_empty()
            {
                continue;
            }
            let targets = vec![Target::Name(text.clone()), Target::Below(text.clone())];
            let shown = written(it.id(), &one("a.example"), targets, &[]);
            let fewer = |text: &str| {
                lines(it.id(), text)
                    .into_iter()
                    .filter(|it| !matches!(it.as_str(), "elements = {" | "}"))
                    .collect::<Vec<_>>()
            };
            assert_eq!(fewer(&shown), fewer(&nothing), "{}: {text:?}", it.id());
        }
    }
}

#[test]
fn each_format_says_each_target_in_its_own_words() {
    for (id, wanted) in [
        (
            "nftables",
            &[
                "192.0.2.1,",
                "2001:db8::1:0:0:1,",
                "delete table inet farshore",
                "ip daddr @denied4 counter drop",
                "ip6 daddr @denied6 counter drop",
                "type filter hook forward priority filter; policy accept;",
            ][..],
        ),
        ("hosts", &["0.0.0.0 api.voice.example", ":: api.voice.example"]),
        (
            "rpz",
            &[
                "32.1.2.0.192.rpz-ip IN CNAME .",
                "128.1.0.0.1.zz.db8.2001.rpz-ip IN CNAME .",
                "api.voice.example IN CNAME .",
                "*.voice.example IN CNAME .",
            ],
        ),
        (
            "cilium",
            &[
                "- cidr: 192.0.2.1/32",
                "- cidr: \"2001:db8::1:0:0:1/128\"",
                "egress: false",
                "egressDeny:",
            ],
        ),
        ("suricata", &[]),
    ] {
        let text = written(id, &one("api.voice.example"), targets(), &[]);
        let lines = lines(id, &text);
        for wanted in wanted {
            assert!(lines.iter().any(|it| it == wanted), "{id}: {wanted}\n{text}");
        }
        assert!(
            text.contains("destination") || text.contains("d1 api.voice.example"),
            "{id} tells why\n{text}"
        );
    }
}

/// A rule of Suricata, taken apart.
#[test]
fn rules_of_suricata_are_whole_and_their_numbers_stay() {
    let text = written("suricata", &one("api.voice.example"), targets(), &[]);
    let rules = lines("suricata", &text);
    assert_eq!(rules.len(), 2 + 4 + 4, "an address each, and four buffers for each name");
    let mut numbers = std::collections::BTreeSet::new();
    for rule in &rules {
        let (head, options) = rule.split_once(" (").unwrap();
        let head: Vec<&str> = head.split(' ').collect();
        assert!(
            matches!(
                head[..],
                ["drop", "ip" | "dns" | "tls" | "quic" | "http", "any", "any", "->", _, "any"]
            ),
            "{rule}"
        );
        let options = options.strip_suffix(";)").unwrap();
        assert_eq!(options.matches('"').count() % 2, 0);
        let sid = options.split("; ").find_map(|it| it.strip_prefix("sid:")).unwrap();
        let sid: u32 = sid.parse().unwrap();
        assert!((1_000_000..2_000_000).contains(&sid) && numbers.insert(sid), "{rule}");
        // What is in this buffer is lower already, and ignoring case is an error there.
        assert!(!(rule.contains("http.host") && rule.contains("nocase")), "{rule}");
    }
    // Other rules beside it, another order: the same number.
    let alone = written(
        "suricata",
        &one("b.example"),
        vec![Target::Name("api.voice.example".to_owned())],
        &[],
    );
    for rule in lines("suricata", &alone) {
        assert!(rules.contains(&rule), "{rule}");
    }
    assert!(rules.iter().any(|it| it.contains("content:\".voice.example\"; nocase; endswith;")));
    assert!(
        rules
            .iter()
            .any(|it| it.contains("content:\"api.voice.example\"; nocase; startswith; endswith;"))
    );
}
