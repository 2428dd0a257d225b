//! Owns how far countries are from a point, at least: never more than it truly is. Refuses to settle whose a territory is: what
//! is disputed counts for every country that claims it, and what depends on a country counts for that country too.
//!
//! Outlines are those of [`borders`], between whose points a line may run astray, and whose coasts are off by
//! some kilometres: [`MARGIN`] is taken off each distance. Islands the map leaves out are circles, drawn wide.
//!
//! The least radius of curvature of the Earth stands for its radius (WGS 84: 6335.4 km, along a meridian at the equator): a
//! line between two points is at least as long as the angle between their verticals times that radius.

use std::{collections::BTreeMap, str::FromStr, sync::OnceLock};

use farshore_model::Country;

use super::{
    borders::{self, Degrees, Outline},
    countries,
};

/// Kilometres of one radian, at least.
const RADIUS: f64 = 6_335.4;
/// Kilometres by which an outline may be off: 30 for its coarseness, 14 between the points it is taken at.
const MARGIN: f64 = 44.0;
/// Points of an outline are at most so many hundredths of a degree apart: 28 km.
const STEP: u32 = 25;
/// Kilometres around the points that stand for a whole country as a vantage.
const COVER: f64 = 150.0;

/// Where a capture was taken.
#[derive(Clone, Debug, PartialEq)]
pub enum Vantage {
    /// At a point, in degrees: latitude, longitude.
    Point(f64, f64),
    /// Somewhere in a country.
    Within(Country),
}

/// Why a vantage cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a point such as 52.52,13.40 (latitude, longitude) or the code of a country such as DE")]
pub struct VantageError;

impl FromStr for Vantage {
    type Err = VantageError;

    fn from_str(text: &str) -> Result<Self, VantageError> {
        let Some((latitude, longitude)) = text.split_once(',') else {
            let country = Country::parse(text.trim()).filter(|it| countries::all().any(|known| known == *it));
            return country.map(Self::Within).ok_or(VantageError);
        };
        let degrees = |text: &str, most: f64| text.trim().parse().ok().filter(|it: &f64| it.abs() <= most);
        degrees(latitude, 90.0)
            .zip(degrees(longitude, 180.0))
            .map(|(latitude, longitude)| Self::Point(latitude, longitude))
            .ok_or(VantageError)
    }
}

/// A direction from the centre of the globe.
type Vertical = [f64; 3];

/// A place with all points so many kilometres around it.
#[derive(Clone, Copy, Debug)]
struct Circle {
    centre: Vertical,
    radius: f64,
}

/// How far every country is from a vantage, at least.
#[derive(Clone, Debug)]
pub struct Distances {
    vantage: Vantage,
    nearest: BTreeMap<Country, u32>,
}

impl Distances {
    /// From a vantage.
    pub fn from(vantage: &Vantage) -> Distances {
        let globe = Globe::embedded();
        let cover = match vantage {
            Vantage::Point(latitude, longitude) => vec![Circle {
                centre: vertical(*latitude, *longitude),
                radius: 0.0,
            }],
            Vantage::Within(country) => globe.cover(*country),
        };
        let inside = |shape: &Shape| match vantage {
            Vantage::Point(latitude, longitude) => shape.outline.is_some_and(|it| surrounds(it, *latitude, *longitude)),
            // The points that stand for a country lie on its border, which is all that others are seen from.
            Vantage::Within(_) => false,
        };
        let from_shape: Vec<f64> = globe
            .shapes
            .iter()
            .map(|shape| if inside(shape) { 0.0 } else { shape.from(&cover) })
            .collect();
        let nearest = countries::all().filter_map(|country| {
            let shapes = globe.of.get(&country)?.iter().filter_map(|index| from_shape.get(*index));
            let least = shapes.copied().fold(f64::INFINITY, f64::min);
            least.is_finite().then_some((country, least.max(0.0) as u32))
        });
        Distances {
            nearest: nearest.collect(),
            vantage: vantage.clone(),
        }
    }

    /// Kilometres to a country, at least; `None` where it is on no map.
    pub fn to(&self, country: Country) -> Option<u32> {
        self.nearest.get(&country).copied()
    }

    /// All countries with their kilometres.
    pub fn all(&self) -> impl Iterator<Item = (Country, u32)> + '_ {
        self.nearest.iter().map(|(country, km)| (*country, *km))
    }

    /// Kilometres between two vantages, at least.
    pub fn between(&self, other: &Distances) -> u32 {
        match (&self.vantage, &other.vantage) {
            (Vantage::Within(country), _) => other.to(*country).unwrap_or(0),
            (_, Vantage::Within(country)) => self.to(*country).unwrap_or(0),
            (Vantage::Point(a, b), Vantage::Point(x, y)) => (angle(vertical(*a, *b), vertical(*x, *y)) * RADIUS) as u32,
        }
    }
}

/// One outline, or one circle, of which a country is made.
struct Shape {
    outline: Option<&'static Outline>,
    points: Vec<Vertical>,
    /// Kilometres that it may reach beyond its points.
    reach: f64,
}

impl Shape {
    fn from(&self, cover: &[Circle]) -> f64 {
        let mut least = f64::INFINITY;
        for circle in cover {
            let nearest = self
                .points
                .iter()
                .map(|point| chord(*point, circle.centre))
                .fold(f64::INFINITY, f64::min);
            least = least.min(angle_of(nearest) * RADIUS - circle.radius - self.reach);
        }
        least
    }
}

/// All shapes, and those each country is made of.
struct Globe {
    shapes: Vec<Shape>,
    of: BTreeMap<Country, Vec<usize>>,
}

impl Globe {
    fn embedded() -> &'static Globe {
        static GLOBE: OnceLock<Globe> = OnceLock::new();
        GLOBE.get_or_init(Globe::new)
    }

    fn new() -> Globe {
        let mut globe = Globe {
            shapes: Vec::new(),
            of: BTreeMap::new(),
        };
        for outline in borders::outlines() {
            let codes = match outline.country {
                Some(country) => vec![country],
                None => UNCODED
                    .iter()
                    .filter(|(name, _)| *name == outline.name)
                    .flat_map(|(_, codes)| parsed(codes))
                    .collect(),
            };
            let points = outline.rings.iter().flat_map(|ring| dense(ring)).collect();
            globe.add(&codes, Some(outline), points, MARGIN);
        }
        for (codes, latitude, longitude, radius) in CIRCLES {
            let codes: Vec<Country> = parsed(codes).collect();
            globe.add(&codes, None, vec![vertical(*latitude, *longitude)], *radius);
        }
        for (sovereign, dependents) in DEPENDENTS {
            let theirs: Vec<usize> = parsed(dependents).filter_map(|it| globe.of.get(&it)).flatten().copied().collect();
            if let Some(own) = Country::parse(sovereign) {
                globe.of.entry(own).or_default().extend(theirs);
            }
        }
        globe
    }

    fn add(&mut self, codes: &[Country], outline: Option<&'static Outline>, points: Vec<Vertical>, reach: f64) {
        for country in codes {
            self.of.entry(*country).or_default().push(self.shapes.len());
        }
        self.shapes.push(Shape { outline, points, reach });
    }

    /// Circles that together hold the border of a country.
    fn cover(&self, country: Country) -> Vec<Circle> {
        let mut cover: Vec<Circle> = Vec::new();
        let near = 2.0 * (COVER / RADIUS / 2.0).sin();
        let shapes = self
            .of
            .get(&country)
            .into_iter()
            .flatten()
            .filter_map(|index| self.shapes.get(*index));
        for shape in shapes {
            for point in &shape.points {
                if !cover.iter().any(|it| chord(it.centre, *point) < near) {
                    cover.push(Circle {
                        centre: *point,
                        radius: COVER + shape.reach.max(MARGIN),
                    });
                }
            }
        }
        // The widest reach of any of its shapes goes for all: a point may stand for a neighbour of another shape.
        let widest = cover.iter().map(|it| it.radius).fold(0.0, f64::max);
        cover.iter_mut().for_each(|it| it.radius = widest);
        cover
    }
}

fn parsed(codes: &'static str) -> impl Iterator<Item = Country> {
    codes.split(' ').filter_map(Country::parse)
}

fn vertical(latitude: f64, longitude: f64) -> Vertical {
    let (latitude, longitude) = (latitude.to_radians(), longitude.to_radians());
    let (up, out) = latitude.sin_cos();
    let (north, east) = longitude.sin_cos();
    [out * east, out * north, up]
}

fn chord(one: Vertical, other: Vertical) -> f64 {
    let [a, b, c] = one;
    let [x, y, z] = other;
    ((a - x).powi(2) + (b - y).powi(2) + (c - z).powi(2)).sqrt()
}

fn angle_of(chord: f64) -> f64 {
    2.0 * (chord / 2.0).min(1.0).asin()
}

fn angle(one: Vertical, other: Vertical) -> f64 {
    angle_of(chord(one, other))
}

/// The points of a ring and enough between them. Between two points the line is straight on the map.
fn dense(ring: &[Degrees]) -> impl Iterator<Item = Vertical> + '_ {
    ring.iter().zip(ring.iter().skip(1)).flat_map(|(one, other)| {
        let (east, north) = (
            other.longitude.saturating_sub(one.longitude),
            other.latitude.saturating_sub(one.latitude),
        );
        let steps = east.unsigned_abs().max(north.unsigned_abs()).div_ceil(STEP).max(1);
        (0..steps).map(move |step| {
            let part = f64::from(step) / f64::from(steps);
            let at = |from: i32, by: i32| (f64::from(from) + f64::from(by) * part) / 100.0;
            vertical(at(one.latitude, north), at(one.longitude, east))
        })
    })
}

/// Even-odd rule: how often a ray to the east crosses the rings.
fn surrounds(outline: &Outline, latitude: f64, longitude: f64) -> bool {
    let crosses = |(one, other): &(&Degrees, &Degrees)| {
        let (south, north) = (f64::from(one.latitude) / 100.0, f64::from(other.latitude) / 100.0);
        if (south > latitude) == (north > latitude) {
            return false;
        }
        let (from, to) = (f64::from(one.longitude) / 100.0, f64::from(other.longitude) / 100.0);
        longitude < from + (latitude - south) / (north - south) * (to - from)
    };
    let rings = outline.rings.iter();
    let crossings = rings.flat_map(|ring| ring.iter().zip(ring.iter().skip(1))).filter(crosses);
    crossings.count() % 2 == 1
}

/// Outlines without a code, and the countries they count for.
const UNCODED: &[(&str, &str)] = &[
    ("Indian Ocean Ter.", "AU CX CC"),
    ("N. Cyprus", "CY TR"),
    ("Siachen Glacier", "IN PK"),
    ("Somaliland", "SO"),
];

/// Codes that sources give their sovereign's.
const DEPENDENTS: &[(&str, &str)] = &[
    ("AU", "CC CX HM NF"),
    ("CN", "HK MO TW"),
    ("DK", "FO GL"),
    ("FI", "AX"),
    ("FR", "BL GF GP MF MQ NC PF PM RE TF WF YT"),
    ("GB", "AI BM FK GG GI GS IM IO JE KY MS PN SH TC VG"),
    ("MA", "EH"),
    ("NL", "AW BQ CW SX"),
    ("NO", "BV SJ"),
    ("NZ", "CK NU TK"),
    ("RS", "XK"),
    ("US", "AS GU MP PR UM VI"),
];

/// What the outlines leave out or divide otherwise than some see it: codes, latitude, longitude, kilometres around.
const CIRCLES: &[(&str, f64, f64, f64)] = &[
    // Countries and parts of them without an outline of their own.
    ("BQ", 12.2, -68.3, 60.0),
    ("BQ", 17.55, -63.1, 60.0),
    ("BV", -54.42, 3.35, 40.0),
    ("CC", -12.15, 96.85, 60.0),
    ("CX", -10.48, 105.63, 60.0),
    ("GF", 4.0, -53.1, 350.0),
    ("GI", 36.14, -5.35, 40.0),
    ("GP", 16.2, -61.5, 100.0),
    ("MQ", 14.65, -61.0, 80.0),
    ("RE", -21.12, 55.53, 80.0),
    ("SJ", 78.6, 18.0, 600.0),
    ("SJ", 71.0, -8.5, 80.0),
    ("TK", -9.1, -171.8, 200.0),
    ("TV", -8.0, 178.0, 600.0),
    ("UM", 28.2, -177.4, 60.0),
    ("UM", 19.3, 166.6, 60.0),
    ("UM", 16.7, -169.5, 60.0),
    ("UM", 0.5, -176.5, 120.0),
    ("UM", -0.4, -160.0, 60.0),
    ("UM", 6.1, -162.2, 120.0),
    ("UM", 18.4, -75.0, 60.0),
    ("YT", -12.8, 45.15, 60.0),
    // Islands far out, which the map has in part or not at all.
    ("AU", -31.5, 159.1, 60.0),
    ("AU", -54.6, 158.9, 60.0),
    ("BR", -3.85, -32.4, 60.0),
    ("BR", 0.9, -29.3, 60.0),
    ("BR", -20.5, -29.1, 100.0),
    ("CK", -15.0, -160.5, 1_000.0),
    ("CL", -27.1, -109.4, 60.0),
    ("CL", -26.4, -105.4, 60.0),
    ("CL", -33.7, -79.7, 160.0),
    ("CL", -26.3, -80.0, 60.0),
    ("CO", 12.9, -81.4, 250.0),
    ("EC", -0.5, -90.5, 260.0),
    ("ES", 28.3, -15.8, 320.0),
    ("ES", 35.6, -4.3, 200.0),
    ("FJ", -17.5, 178.5, 600.0),
    ("FM", 6.5, 150.5, 1_700.0),
    ("FR", 10.3, -109.2, 60.0),
    ("GR", 36.15, 29.6, 60.0),
    ("ID", -4.0, 127.0, 900.0),
    ("IN", 10.8, 72.8, 350.0),
    ("IN", 10.5, 93.0, 500.0),
    ("IT", 35.6, 12.6, 100.0),
    ("JP", 27.0, 128.5, 700.0),
    ("JP", 27.0, 142.2, 350.0),
    ("JP", 24.3, 154.0, 60.0),
    ("JP", 20.4, 136.1, 60.0),
    ("KI", 1.4, 173.0, 700.0),
    ("KI", -3.7, -172.5, 500.0),
    ("KI", 0.0, -155.0, 1_300.0),
    ("MH", 8.5, 168.5, 850.0),
    ("MU", -19.7, 63.4, 60.0),
    ("MU", -10.4, 56.6, 60.0),
    ("MU", -16.5, 59.6, 100.0),
    ("MV", 3.2, 73.2, 600.0),
    ("MX", 18.8, -112.7, 300.0),
    ("MX", 29.0, -118.3, 60.0),
    ("NZ", -44.0, -176.5, 120.0),
    ("NZ", -29.9, -178.2, 250.0),
    ("NZ", -50.7, 167.0, 500.0),
    ("PF", -17.0, -145.0, 1_600.0),
    ("PN", -24.7, -128.0, 400.0),
    ("PT", 38.5, -28.0, 450.0),
    ("PT", 32.0, -16.6, 250.0),
    ("PW", 5.2, 132.7, 500.0),
    ("RU", 80.0, 60.0, 700.0),
    ("SC", -7.0, 52.0, 800.0),
    ("SH", -37.2, -12.5, 80.0),
    ("SH", -40.3, -9.9, 60.0),
    ("SH", -7.95, -14.35, 60.0),
    ("TF", -37.8, 77.5, 160.0),
    ("TF", -46.4, 51.8, 160.0),
    ("TF", -17.0, 47.5, 900.0),
    ("TO", -19.0, -175.0, 500.0),
    ("US", 57.0, -170.3, 120.0),
    ("US", 25.5, -168.0, 1_100.0),
    ("VC", 12.8, -61.3, 80.0),
    ("VE", 15.7, -63.6, 60.0),
    ("VU", -17.0, 168.0, 500.0),
    ("WF", -13.8, -177.2, 200.0),
    ("YE", 12.5, 53.5, 160.0),
    ("ZA", -46.8, 37.8, 100.0),
    // What more than one country claims.
    ("AM AZ", 39.8, 46.7, 120.0),
    ("AR", -51.7, -59.5, 250.0),
    ("AR", -54.4, -36.6, 250.0),
    ("CN BN MY PH TW VN", 9.5, 114.0, 600.0),
    ("CN TW VN", 16.5, 112.0, 250.0),
    ("CN IN", 35.2, 79.3, 350.0),
    ("CN IN", 28.2, 94.7, 450.0),
    ("CN TW JP", 25.8, 123.6, 120.0),
    ("CY", 35.2, 33.4, 150.0),
    ("EH MA", 24.6, -13.7, 700.0),
    ("ES GB", 36.14, -5.35, 40.0),
    ("GE RU", 43.0, 41.0, 160.0),
    ("GE RU", 42.3, 44.1, 100.0),
    ("IL PS", 31.95, 35.2, 120.0),
    ("IL PS", 31.4, 34.4, 60.0),
    ("IL SY LB", 33.0, 35.8, 80.0),
    ("IN PK CN", 34.8, 75.8, 450.0),
    ("JP RU", 44.3, 146.8, 250.0),
    ("JP KR", 37.2, 131.9, 120.0),
    ("MD RU", 47.0, 29.5, 160.0),
    ("MU IO", -6.3, 71.9, 250.0),
    ("KM FR", -12.8, 45.15, 60.0),
    ("MG FR", -17.0, 47.5, 900.0),
    ("GY VE", 6.0, -59.5, 450.0),
    ("SD SS EG", 9.7, 28.5, 160.0),
    ("SD EG", 22.1, 35.0, 250.0),
    ("SO", 9.7, 46.3, 500.0),
    ("UA RU", 45.2, 34.3, 250.0),
    ("UA RU", 47.7, 36.8, 400.0),
    ("XK RS", 42.6, 20.9, 130.0),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str) -> Distances {
        Distances::from(&text.parse().unwrap())
    }

    fn to(distances: &Distances, code: &str) -> u32 {
        distances.to(Country::parse(code).unwrap()).unwrap()
    }

    #[test]
    fn a_vantage_is_a_point_or_a_country() {
        assert_eq!("52.52, 13.40".parse(), Ok(Vantage::Point(52.52, 13.40)));
        assert_eq!("-33.9,-18.4".parse(), Ok(Vantage::Point(-33.9, -18.4)));
        assert_eq!("de".parse(), Ok(Vantage::Within(Country::parse("DE").unwrap())));
        for text in ["", "91,0", "0,181", "NaN,0", "UK", "EU", "Berlin", "1,2,3", "52.52"] {
            assert_eq!(text.parse::<Vantage>(), Err(VantageError), "{text}");
        }
    }

    /// Distances from London as measured on the ellipsoid, in kilometres, to the nearest point of each.
    #[test]
    fn distances_are_short_of_the_truth_and_not_by_much() {
        let london = from("51.507,-0.128");
        for (code, true_km) in [
            ("GB", 0),
            ("FR", 140),
            ("NL", 240),
            ("DE", 420),
            ("US", 4_755),
            ("CN", 5_632),
            ("SG", 10_840),
            ("HK", 9_600),
        ] {
            let km = to(&london, code);
            let slack = 80 + true_km / 60;
            assert!(km <= true_km && km + slack >= true_km, "{code}: {km} of {true_km}");
        }
        assert_eq!(to(&from("18.4,-66.1"), "US"), 0, "Puerto Rico counts for the United States");
        assert_eq!(to(&from("45.0,34.1"), "UA"), 0, "so does Crimea for Ukraine");
        assert_eq!(to(&from("4.9,-52.3"), "FR"), 0);
    }

    #[test]
    fn a_country_as_a_vantage_sees_no_farther_than_any_point_in_it() {
        for (code, points) in [
            ("DE", &["52.52,13.40", "48.14,11.58", "53.55,9.99"][..]),
            ("US", &["40.71,-74.01", "39.1,-94.6", "21.3,-157.86"]),
            ("RU", &["55.75,37.62", "56.0,92.9", "43.1,131.9"]),
            ("FR", &["48.86,2.35", "45.76,4.84"]),
        ] {
            let whole = from(code);
            for point in points {
                let point = from(point);
                for (country, km) in point.all() {
                    assert!(whole.to(country).unwrap() <= km, "{country} from {code}");
                }
                assert_eq!(whole.between(&point), 0, "{code}");
            }
        }
    }

    #[test]
    fn every_country_is_somewhere() {
        let somewhere = from("0,0");
        assert!(countries::all().all(|country| somewhere.to(country).is_some()));
        for (codes, ..) in CIRCLES {
            assert!(codes.split(' ').all(|code| countries::country_name(code).is_some()), "{codes}");
        }
        for (sovereign, dependents) in DEPENDENTS {
            assert!(countries::country_name(sovereign).is_some());
            assert!(
                dependents.split(' ').all(|code| countries::country_name(code).is_some()),
                "{dependents}"
            );
        }
        let uncoded = borders::outlines().iter().filter(|it| it.country.is_none());
        assert!(uncoded.map(|it| it.name.as_str()).eq(UNCODED.iter().map(|(name, _)| *name)));
    }

    #[test]
    fn vantages_are_apart_by_no_more_than_the_way_between_them() {
        let (berlin, sydney) = (from("52.52,13.40"), from("-33.87,151.21"));
        let km = berlin.between(&sydney);
        assert!((15_900..=16_100).contains(&km), "{km}");
        assert_eq!(berlin.between(&berlin), 0);
    }
}
