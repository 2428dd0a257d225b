//! Tests of the detectors as a whole: packs, encodings, precision, hostile input.

mod embeddings;
mod encodings;
mod hostile;
mod layers;
mod packs;
mod plain;

use farshore_model::DatumKind;

use super::{Detectors, FieldView, Found, Known, Options};

fn known(name: &str, kind: &str, value: &str) -> Known {
    Known {
        name: name.to_owned(),
        kind: DatumKind::named(kind),
        value: value.to_owned(),
    }
}

fn shown() -> Options {
    Options {
        show_pii: true,
        ..Options::default()
    }
}

fn scan(detectors: &mut Detectors, path: &str, value: &[u8]) -> Vec<Found> {
    let mut all = Vec::new();
    let payload = path.ends_with(".payload");
    detectors.scan(FieldView { path, value, payload }, &mut |found| all.push(found.clone()));
    all
}

/// The same sequence on every machine (Steele & Vigna, SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..count.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).collect();
        bytes.truncate(count);
        bytes
    }
}
