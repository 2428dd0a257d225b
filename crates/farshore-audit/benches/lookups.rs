//! How fast the merged sets answer: countries and network of random addresses, on one thread.
//! `cargo bench -p farshore-audit --bench lookups`. It owns no figure and asserts none.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use divan::counter::ItemsCount;
use farshore_audit::parties::Stretches;

fn main() {
    divan::main();
}

const MANY: usize = 1 << 20;

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

#[divan::bench(args = [false, true])]
fn countries_and_network(bencher: divan::Bencher<'_, '_>, six: bool) {
    let (stretches, addresses) = (Stretches::embedded(), drawn(six));
    bencher.counter(ItemsCount::new(MANY)).bench_local(|| {
        let said = addresses
            .iter()
            .filter_map(|address| Some(stretches.said(stretches.answer(*address)?)));
        said.fold(0_u32, |sum, said| {
            let named = said.countries.iter().flatten().count();
            sum.wrapping_add(said.asn).wrapping_add(named as u32)
        })
    });
}
