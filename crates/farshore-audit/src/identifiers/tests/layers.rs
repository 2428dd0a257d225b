//! Known values beneath layers: every chain of two, most of three, and nothing where nothing is.

use super::embeddings::{Dice, LAYERS, Layer, embedded, value, written};
use super::*;
use farshore_model::sighting::Disguise;

const SALT: &str = "pepper-and-salt-71";

struct Drawn {
    detectors: Detectors,
    values: Vec<String>,
}

fn drawn(count: usize) -> Drawn {
    let mut dice = Dice(11);
    let mut all: Vec<Known> = (0..count)
        .map(|number| {
            let (kind, value) = value(&mut dice);
            known(&format!("v{number}"), kind, &value)
        })
        .collect();
    let values = all.iter().map(|it| it.value.clone()).collect();
    all.push(known("salt", "salt", SALT));
    Drawn {
        detectors: Detectors::new(&all, shown()).unwrap(),
        values,
    }
}

/// Whether the value was found in its embedding, and nothing else was.
fn found(drawn: &mut Drawn, number: usize, chain: &[Layer], dice: &mut Dice) -> Option<bool> {
    let bytes = written(&drawn.values[number], chain, SALT, dice)?;
    let it = embedded(&bytes, dice);
    let all = scan(&mut drawn.detectors, it.path, &it.body);
    let name = format!("v{number}");
    let known: Vec<_> = all.iter().filter_map(|it| it.known_as.as_deref()).collect();
    assert!(known.iter().all(|it| *it == name), "{chain:?}: {known:?} instead of {name}");
    Some(!known.is_empty())
}

#[test]
fn every_chain_of_two_layers_is_peeled() {
    let mut drawn = drawn(24);
    let mut dice = Dice(5);
    let mut missed = Vec::new();
    let mut chains: Vec<Vec<Layer>> = LAYERS.iter().map(|it| vec![*it]).collect();
    chains.extend(LAYERS.iter().flat_map(|one| LAYERS.iter().map(|other| vec![*one, *other])));
    for chain in chains {
        let number = dice.below(24);
        if found(&mut drawn, number, &chain, &mut dice) == Some(false) {
            missed.push((chain, drawn.values[number].clone()));
        }
    }
    assert!(missed.is_empty(), "{} missed: {missed:#?}", missed.len());
}

#[test]
fn most_chains_of_three_layers_are_peeled() {
    let mut drawn = drawn(24);
    let mut dice = Dice(7);
    let (mut tried, mut missed) = (0, Vec::new());
    while tried < 400 {
        let chain = [*dice.pick(LAYERS), *dice.pick(LAYERS), *dice.pick(LAYERS)];
        let number = dice.below(24);
        match found(&mut drawn, number, &chain, &mut dice) {
            Some(true) => tried += 1,
            Some(false) => {
                tried += 1;
                missed.push((chain, drawn.values[number].clone()));
            }
            None => {}
        }
    }
    assert!(missed.len() * 20 <= tried, "{} of {tried} missed: {missed:#?}", missed.len());
}

#[test]
fn the_chain_is_told() {
    let all = [known("grace", "email", "Grace@example.org"), known("salt", "salt", SALT)];
    let mut detectors = Detectors::new(&all, shown()).unwrap();
    let mut told = |path: &str, body: &[u8]| {
        let all = scan(&mut detectors, path, body);
        let mine = all.into_iter().filter(|it| it.known_as.as_deref() == Some("grace"));
        mine.map(|it| (it.range, it.decoded_by, it.disguise)).collect::<Vec<_>>()
    };
    let mut dice = Dice(3);
    let mut write = |chain: &[Layer]| written("Grace@example.org", chain, SALT, &mut dice).unwrap();
    let body = [b"v=1&x=".as_slice(), &write(&[Layer::Gzip, Layer::Base64]), b"&y=2"].concat();
    assert_eq!(
        told("http.request.body", &body),
        [(6..body.len() - 4, vec!["base64", "gzip"], Disguise::None)]
    );
    let body = write(&[Layer::Base32, Layer::UrlAll]);
    assert_eq!(
        told("http.query.t", &body),
        [(0..body.len(), vec!["url", "base32"], Disguise::None)]
    );
    // printf grace@example.org | sha256sum
    let digest = "233ac984b593b1d70d8de3150f794304b623e57e11ae118e236205323735c59f";
    let steps = vec!["hex", "sha256", "lower-case"];
    assert_eq!(told("http.query.t", digest.as_bytes()), [(0..64, steps, Disguise::Digest)]);
    assert_eq!(told("http.query.t", digest.replace('7', "8").as_bytes()), []);
    let mut crc = flate2::Crc::new();
    crc.update(b"grace@example.org");
    let steps = vec!["hex", "crc32 (weak)", "lower-case"];
    let text = format!("{:08x}", crc.sum());
    assert_eq!(told("http.query.t", text.as_bytes()), [(0..8, steps, Disguise::WeakDigest)]);
    let text = format!("{{\"t\":{}}}", crc.sum());
    let steps = vec!["decimal", "crc32 (weak)", "lower-case"];
    assert_eq!(
        told("http.request.body", text.as_bytes()),
        [(5..text.len() - 1, steps, Disguise::WeakDigest)]
    );
    let text = format!("a{}b", crc.sum());
    assert_eq!(told("http.request.body", text.as_bytes()), []);
}

#[test]
fn what_fills_a_run_up_makes_it_no_word() {
    let all = [known("a", "user-id", "14585487"), known("b", "user-id", "cplqad_4665")];
    let mut detectors = Detectors::new(&all, shown()).unwrap();
    // Of one case only, as words are: base64 of base64, and of bytes under a mask.
    for (body, name, steps) in [
        ("{\"os\":\"android\",\"tag\":\"TVRRMU9EVTBPRGM=\"}", "a", vec!["base64", "base64"]),
        ("v=3&tag=--j06fn8x6yurq0=&at=1613066400", "b", vec!["base64", "xor"]),
    ] {
        let found = scan(&mut detectors, "http.request.body", body.as_bytes());
        let told: Vec<_> = found.iter().filter(|it| it.known_as.as_deref() == Some(name)).collect();
        assert_eq!(told.len(), 1, "{body}: {found:?}");
        assert_eq!(told[0].decoded_by, steps);
    }
}

#[test]
fn telephone_numbers_are_found_with_any_separators() {
    let all = [known("desk", "phone", "+49 30 9018201")];
    let mut detectors = Detectors::new(&all, shown()).unwrap();
    for (text, is) in [
        ("call +49309018201 now", true),
        ("call +49 (0)30 901-82-01 now", true),
        ("tel=0049309018201", true),
        ("tel=030/9018201", true),
        ("tel=%2B49309018201", true),
        ("tel=+49 30 9018201", true),
        ("tel=+49 30 9018202", false),
        ("at 1613066400 of 30", false),
        ("id=14930901820155", false),
    ] {
        let found = scan(&mut detectors, "http.request.body", text.as_bytes());
        let known = found.iter().any(|it| it.known_as.is_some());
        assert_eq!(known, is, "{text}: {found:?}");
    }
}

#[test]
fn a_telephone_number_is_found_without_the_sign_it_is_known_with() {
    let all = [known("mobile", "phone", "+4917612345678")];
    let mut detectors = Detectors::new(&all, shown()).unwrap();
    for (text, wanted) in [
        ("tel=4917612345678", &["separators"][..]),
        ("tel=004917612345678", &["separators"]),
        ("tel=+4917612345678", &[]),
        ("{\"tel\":4917612345678}", &["separators"]),
    ] {
        let found = scan(&mut detectors, "http.request.body", text.as_bytes());
        let known: Vec<_> = found.iter().filter(|it| it.known_as.is_some()).collect();
        assert_eq!(known.len(), 1, "{text}: {found:?}");
        assert_eq!(known[0].decoded_by, wanted, "{text}");
    }
}

#[test]
fn unrelated_bytes_hold_nothing() {
    let mut drawn = drawn(200);
    let mut random = Random(77);
    let mut dice = Dice(21);
    let mut other = super::embeddings::Dice(0x5eed);
    for round in 0..400 {
        let bytes = if round % 2 == 0 {
            random.bytes(64 + dice.below(1200))
        } else {
            // Chains of values nobody asked for.
            let (_, unknown) = value(&mut other);
            let chain = [*dice.pick(LAYERS), *dice.pick(LAYERS)];
            let Some(bytes) = written(&unknown, &chain, "another salt", &mut dice) else {
                continue;
            };
            bytes
        };
        let it = embedded(&bytes, &mut dice);
        let all = scan(&mut drawn.detectors, it.path, &it.body);
        assert!(all.iter().all(|it| it.known_as.is_none()), "{all:?}");
    }
}
