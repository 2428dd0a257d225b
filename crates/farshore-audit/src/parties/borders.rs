//! Owns the outlines of countries, in hundredths of a degree. Refuses to settle a border: they are de facto, of 2018;
//! [`globe`](super::globe) measures from them what holds for every side.

use std::sync::OnceLock;

use farshore_model::Country;

use super::{
    columns::{ColumnError, Columns, leb128, unzigzag},
    dataset::DatasetInfo,
};

const FILE: &[u8] = include_bytes!("../../../../packs/parties/borders/borders.bin");
const META: &str = include_str!("../../../../packs/parties/borders/meta.toml");

/// A country's outline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// Its code; `None` for a territory without one.
    pub country: Option<Country>,
    /// Its name, as the map gives it.
    pub name: String,
    /// Outer rings and holes, each closed; even-odd fill is right for both.
    pub rings: Vec<Vec<Degrees>>,
}

/// A point on the globe, in hundredths of a degree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Degrees {
    /// East is positive.
    pub longitude: i32,
    /// North is positive.
    pub latitude: i32,
}

/// All outlines, sorted by code.
pub fn outlines() -> &'static [Outline] {
    static DECODED: OnceLock<Vec<Outline>> = OnceLock::new();
    DECODED.get_or_init(|| decode().unwrap_or_default())
}

/// Source, date, licence.
pub(super) fn info() -> Option<&'static DatasetInfo> {
    static INFO: OnceLock<Option<DatasetInfo>> = OnceLock::new();
    INFO.get_or_init(|| DatasetInfo::read(META).ok()).as_ref()
}

/// The embedded files, in order of name.
pub(super) fn files() -> [&'static [u8]; 1] {
    [FILE]
}

fn decode() -> Result<Vec<Outline>, ColumnError> {
    let file = Columns::read(FILE)?;
    let mut lengths = leb128(file.column(1)?);
    let mut steps = leb128(file.column(2)?).map(|step| i32::try_from(unzigzag(step)).unwrap_or_default());
    let index = String::from_utf8_lossy(file.column(0)?).into_owned();
    let mut outlines = Vec::new();
    for line in index.lines() {
        let mut cells = line.split('\t');
        let country = cells.next().and_then(Country::parse);
        let name = cells.next().unwrap_or_default().to_owned();
        let count = cells.next().and_then(|count| count.parse().ok()).unwrap_or(0);
        let rings = lengths.by_ref().take(count).map(|points| ring(points, &mut steps)).collect();
        outlines.push(Outline { country, name, rings });
    }
    Ok(outlines)
}

fn ring(points: u64, steps: &mut impl Iterator<Item = i32>) -> Vec<Degrees> {
    let mut at = Degrees { longitude: 0, latitude: 0 };
    let mut ring = Vec::new();
    for _ in 0..points {
        let (Some(east), Some(north)) = (steps.next(), steps.next()) else {
            break;
        };
        at = Degrees {
            longitude: at.longitude.saturating_add(east),
            latitude: at.latitude.saturating_add(north),
        };
        ring.push(at);
    }
    ring
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parties::countries;

    #[test]
    fn outlines_are_closed_rings_on_the_globe() {
        let outlines = outlines();
        assert_eq!(outlines.len(), 241);
        for outline in outlines {
            assert!(!outline.rings.is_empty(), "{}", outline.name);
            assert!(
                outline.country.is_none_or(|country| countries::name(country).is_some()),
                "{}",
                outline.name
            );
            for ring in &outline.rings {
                assert!(ring.len() > 3 && ring.first() == ring.last(), "{}", outline.name);
                assert!(ring.iter().all(|at| at.longitude.abs() <= 18_000 && at.latitude.abs() <= 9_000));
            }
        }
    }

    #[test]
    fn cities_lie_in_their_countries() {
        for (longitude, latitude, code) in [
            (1_340, 5_252, "DE"),
            (11_640, 3_990, "CN"),
            (-9_750, 3_000, "US"),
            (10_385, 136, "SG"),
        ] {
            let inside = |outline: &&Outline| outline.rings.iter().filter(|ring| surrounds(ring, longitude, latitude)).count() % 2 == 1;
            let found: Vec<_> = outlines().iter().filter(inside).filter_map(|outline| outline.country).collect();
            assert_eq!(found, [Country::parse(code).unwrap()]);
        }
    }

    /// Even-odd rule: how often a ray to the east crosses the ring.
    fn surrounds(ring: &[Degrees], longitude: i32, latitude: i32) -> bool {
        let crosses = |pair: &&[Degrees]| {
            let (one, other) = (pair[0], pair[1]);
            if (one.latitude > latitude) == (other.latitude > latitude) {
                return false;
            }
            let share = f64::from(latitude - one.latitude) / f64::from(other.latitude - one.latitude);
            f64::from(longitude) < f64::from(one.longitude) + share * f64::from(other.longitude - one.longitude)
        };
        ring.windows(2).filter(crosses).count() % 2 == 1
    }
}
