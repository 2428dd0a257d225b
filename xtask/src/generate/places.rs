//! Owns the country sets: address range to ISO 3166-1 code. Refuses pseudo-codes: what is no country is no answer.

use std::{fs, net::Ipv6Addr, path::Path};

use anyhow::{Context, Result, ensure};

use super::{
    columns,
    ranges::{self, Family, Point, Range},
};

/// Two capital letters.
pub type Code = [u8; 2];

/// An ISO 3166-1 code, or `XK` (user-assigned, in general use for Kosovo). `UK` is exceptionally reserved for GB.
/// `AP`, `EU`, `CS`, `AN`, `??` and the like name no country of today: no answer.
pub fn country(text: &str) -> Option<Code> {
    let text = if text == "UK" { "GB" } else { text };
    let known = text == "XK" || rust_iso3166::from_alpha2(text).is_some();
    known.then(|| text.as_bytes().try_into().ok()).flatten()
}

/// Both files of a set whose lines are `first,last,code` with numbers or IPv6 text; `#` opens a comment.
pub fn files(v4: &Path, v6: &Path) -> Result<Vec<(&'static str, Vec<u8>)>> {
    Ok(vec![("v4.bin", file(Family::V4, v4)?), ("v6.bin", file(Family::V6, v6)?)])
}

fn file(family: Family, path: &Path) -> Result<Vec<u8>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut ranges = Vec::new();
    for line in lines {
        let mut cells = line.split(',');
        let mut cell = || cells.next().with_context(|| format!("a cell is missing: {line}"));
        let (first, last, code) = (address(cell()?)?, address(cell()?)?, cell()?);
        ensure!(first <= last, "a range runs backwards: {line}");
        if let Some(value) = country(code) {
            ranges.push(Range { first, last, value });
        }
    }
    pack(family, &ranges::points(family, &ranges))
}

/// A number, or IPv6 text.
pub fn address(text: &str) -> Result<u128> {
    match text.contains(':') {
        true => Ok(text.parse::<Ipv6Addr>()?.to_bits()),
        false => text.parse().with_context(|| format!("no address: {text}")),
    }
}

/// Columns of a block: starts; one byte a value (0: none, else rank + 1). Shared: the codes by rank.
pub fn pack(family: Family, points: &[Point<Code>]) -> Result<Vec<u8>> {
    let codes = ranges::ranked(points);
    let mut blocks = Vec::new();
    for block in points.chunks(columns::BLOCK) {
        let mut values = Vec::new();
        for (_, value) in block {
            let rank = value.and_then(|code| codes.iter().position(|known| *known == code));
            values.push(u8::try_from(rank.map_or(0, |rank| rank + 1))?);
        }
        blocks.push((block[0].0, vec![ranges::starts(family, block)?, values]));
    }
    columns::blocks(&[codes.concat()], &blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pseudo_codes_name_no_country() {
        assert_eq!(country("UK"), Some(*b"GB"));
        assert_eq!(country("XK"), Some(*b"XK"));
        for code in ["AP", "EU", "CS", "AN", "??", "", "us", "USA"] {
            assert_eq!(country(code), None, "{code}");
        }
    }
}
