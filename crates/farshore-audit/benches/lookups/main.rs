//! How fast the merged sets answer: countries and network of random addresses, on one thread, beside the crate `maxminddb`
//! answering the same question from the same data.
//! `cargo bench -p farshore-audit --bench lookups`. It owns no figure; it asserts that both answer alike, and no speed.

mod database;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::OnceLock;

use divan::Bencher;
use divan::counter::ItemsCount;
use farshore_audit::parties::Stretches;
use maxminddb::Reader;
use serde::Deserialize;

fn main() {
    for six in [false, true] {
        let addresses = drawn(six).split_off(MANY - (1 << 18));
        let (ours, theirs) = (ours(&addresses), theirs(&addresses));
        assert_eq!(ours, theirs, "the two do not answer from the same data");
    }
    divan::main();
}

const MANY: usize = 1 << 22;

/// The same addresses in every run, all over IPv4, or over the /12s of IPv6 that registries hand out.
fn drawn(six: bool) -> Vec<IpAddr> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let blocks: [u64; 6] = [0x2001, 0x2400, 0x2600, 0x2800, 0x2a00, 0x2c00];
    let six_of = |block: u64, rest: u64| Ipv6Addr::from_bits(u128::from(block << 48 | rest >> 12) << 64);
    (0..MANY)
        .map(|index| match six {
            true => six_of(blocks[index % blocks.len()], next()).into(),
            false => Ipv4Addr::from_bits((next() >> 32) as u32).into(),
        })
        .collect()
}

/// A sum over all that is answered, so that nothing can be left out.
fn ours(addresses: &[IpAddr]) -> u64 {
    let stretches = Stretches::embedded();
    let said = addresses
        .iter()
        .filter_map(|address| Some(stretches.said(stretches.answer(*address)?)));
    said.fold(0, |sum, said| {
        let letters = said.countries.iter().flatten().map(|it| it.code().len()).sum::<usize>();
        sum + u64::from(said.asn) + letters as u64
    })
}

/// What the database keeps of an answer.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    countries: [&'a str; 4],
    asn: u32,
}

fn reader() -> &'static Reader<Vec<u8>> {
    static READER: OnceLock<Reader<Vec<u8>>> = OnceLock::new();
    READER.get_or_init(|| Reader::from_source(database::of(Stretches::embedded())).expect("it was written to be read"))
}

fn theirs(addresses: &[IpAddr]) -> u64 {
    let reader = reader();
    let rows = addresses
        .iter()
        .filter_map(|address| reader.lookup(*address).ok()?.decode::<Row<'_>>().ok()?);
    rows.fold(0, |sum, row| {
        let letters = row.countries.iter().map(|it| it.len()).sum::<usize>();
        sum + u64::from(row.asn) + letters as u64
    })
}

/// One measurement: short, so that few of them are interrupted, and each with other addresses than the one before.
const AT_ONCE: usize = 1 << 16;

fn measured(bencher: Bencher<'_, '_>, six: bool, answers: impl Fn(&[IpAddr]) -> u64) {
    let addresses = drawn(six);
    let mut parts = addresses.chunks(AT_ONCE).cycle();
    bencher
        .counter(ItemsCount::new(AT_ONCE))
        .bench_local(|| answers(parts.next().unwrap_or_default()));
}

#[divan::bench(args = [false, true])]
fn resident_form(bencher: Bencher<'_, '_>, six: bool) {
    measured(bencher, six, ours);
}

#[divan::bench(args = [false, true])]
fn maxminddb_crate(bencher: Bencher<'_, '_>, six: bool) {
    measured(bencher, six, theirs);
}

/// The search alone, without reading what was found.
#[divan::bench(args = [false, true])]
fn maxminddb_crate_search_alone(bencher: Bencher<'_, '_>, six: bool) {
    let reader = reader();
    measured(bencher, six, |addresses| {
        let found = addresses.iter().filter_map(|address| reader.lookup(*address).ok());
        found.filter(|it| it.has_data()).count() as u64
    });
}
