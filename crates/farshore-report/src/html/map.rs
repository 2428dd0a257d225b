//! Where destinations can be: a world map that shows doubt as doubt, and the list behind it.
//!
//! One country that sources agree on is solid and has a dot; every country of any other set is hatched. It refuses to
//! place a dot on a guess.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use farshore_model::party::{Destination, LocationState};
use farshore_model::{Audit, Country};

use super::hatch;
use crate::BorderShape;
use crate::findings::{count, name};

/// Hundredths of a degree below which the next point of an outline is left out.
const FINE: i32 = 40;
/// Hundredths of a degree of the box around an islet that is not drawn.
const ISLET: i32 = 90;
/// Bytes of outlines at most; rings beyond are left out, the largest are drawn first.
const BUDGET: usize = 140_000;
/// Hundredths of a degree from Greenwich to the 180th meridian.
const HALF: i32 = 18_000;
/// The map's width and the parallels it lies between.
const WIDTH: f64 = 2000.0;
const NORTH: f64 = 83.7;
const SOUTH: f64 = -57.0;

/// What is told of each country.
#[derive(Default)]
struct Told<'a> {
    /// The only country, agreed.
    sole: BTreeMap<Country, Vec<&'a str>>,
    /// One of several, or of too few opinions.
    doubtful: BTreeMap<Country, Vec<&'a str>>,
    anycast: Vec<&'a str>,
    local: Vec<&'a str>,
    nowhere: Vec<&'a str>,
}

impl<'a> Told<'a> {
    fn of(destinations: &'a [Destination]) -> Self {
        let mut told = Self::default();
        for it in destinations {
            let at = &it.location;
            match (at.state, at.countries.as_slice()) {
                (LocationState::Agreed, [only]) => told.sole.entry(*only).or_default().push(&it.name),
                (LocationState::Anycast, _) => told.anycast.push(&it.name),
                (LocationState::Local, _) => told.local.push(&it.name),
                (_, []) => told.nowhere.push(&it.name),
                (_, several) => several
                    .iter()
                    .for_each(|country| told.doubtful.entry(*country).or_default().push(&it.name)),
            }
        }
        told
    }
}

pub fn section(audit: &Audit, borders: &[BorderShape]) -> Markup {
    let told = Told::of(&audit.destinations);
    html! {
        section id="map" {
            h2 { "Where" }
            p.gloss { "Where the answering machines can be. What passes behind them is not known." }
            @if !(borders.is_empty() || told.sole.is_empty() && told.doubtful.is_empty()) { (figure(&told, borders)) }
            (list(&told))
        }
    }
}

fn list(told: &Told<'_>) -> Markup {
    let row = |class: &str, head: String, names: &[&str]| {
        html! {
            div {
                dt { span class={ "swatch " (class) } {} (head) }
                dd {
                    @for (index, it) in names.iter().take(6).enumerate() { @if index > 0 { ", " } (name(it)) }
                    @if names.len() > 6 { " and " (names.len().saturating_sub(6)) " more" }
                }
            }
        }
    };
    html! {
        dl.places {
            @for (country, names) in &told.sole { (row("sole", format!("{country}, sources agree"), names)) }
            @for (country, names) in &told.doubtful { (row("doubtful", format!("{country}, perhaps"), names)) }
            @for (head, names) in [("many places at once (anycast)", &told.anycast), ("local network", &told.local), ("place undetermined", &told.nowhere)] {
                @if !names.is_empty() { (row("off", head.to_owned(), names)) }
            }
        }
    }
}

fn figure(told: &Told<'_>, borders: &[BorderShape]) -> Markup {
    let (_, top) = project(0.0, NORTH);
    let (_, bottom) = project(0.0, SOUTH);
    let frame = [0.0, top, WIDTH, bottom - top];
    let wanted: BTreeSet<Country> = told.sole.keys().chain(told.doubtful.keys()).copied().collect();
    let outlines = outlines(borders, &wanted);
    let marks = marks(told, borders);
    let crowded: Vec<&Mark> = marks.iter().filter(|it| inside(EUROPE, it.at)).collect();
    let elsewhere: Vec<&Mark> = marks
        .iter()
        .filter(|it| crowded.len() < CROWDED || !inside(EUROPE, it.at))
        .collect();
    html! {
        figure.map {
            svg viewBox=(view(frame)) role="img" aria-labelledby="map-title map-desc" {
                title id="map-title" { "World map of destinations" }
                desc id="map-desc" {
                    (count(told.sole.len(), "country")) " on which sources agree; "
                    (count(told.doubtful.len(), "country")) " in doubt. The list below says the same in words."
                }
                (hatch("map-hatch", 14))
                g id="world" {
                    @for (country, path) in &outlines {
                        @let class = country.map_or("land", |it| if told.sole.contains_key(&it) { "sole" } else if told.doubtful.contains_key(&it) { "doubtful" } else { "land" });
                        path class=(class) d=(path) {}
                    }
                }
                (labels(&elsewhere, frame, 1.0))
                @if crowded.len() >= CROWDED {
                    @let [_, _, width, height] = EUROPE;
                    rect.window x=(whole(EUROPE[0])) y=(whole(EUROPE[1])) width=(whole(width)) height=(whole(height)) {}
                    svg x="6" y=(whole(bottom - INSET / width * height - 6.0)) width=(whole(INSET)) height=(whole(INSET / width * height)) viewBox=(view(EUROPE)) {
                        rect.paper x=(whole(EUROPE[0])) y=(whole(EUROPE[1])) width=(whole(width)) height=(whole(height)) {}
                        use href="#world" {}
                        (labels(&crowded, EUROPE, INSET / width))
                        rect.window x=(whole(EUROPE[0])) y=(whole(EUROPE[1])) width=(whole(width)) height=(whole(height)) {}
                    }
                }
            }
            figcaption {
                span { span.swatch.sole {} "one country, sources agree" }
                span { span.swatch.doubtful {} "one of several, or too few sources" }
                span.borders { "Robinson projection. Borders are as they are drawn by their source and decide nothing." }
            }
        }
    }
}

/// A part of the map: left, top, width, height. Europe is drawn again, larger, when many marks meet there.
const EUROPE: [f64; 4] = [905.0, 152.0, 270.0, 196.0];
const CROWDED: usize = 2;
/// How wide the enlarged part is drawn.
const INSET: f64 = 520.0;

fn view([left, top, width, height]: [f64; 4]) -> String {
    format!("{left:.0} {top:.0} {width:.0} {height:.0}")
}

fn inside([left, top, width, height]: [f64; 4], (x, y): (f64, f64)) -> bool {
    (left..left + width).contains(&x) && (top..top + height).contains(&y)
}

/// What stands at the middle of a country.
struct Mark {
    at: (f64, f64),
    text: String,
    sole: bool,
}

fn marks(told: &Told<'_>, borders: &[BorderShape]) -> Vec<Mark> {
    let times = |names: &[&str]| {
        if names.len() > 1 {
            format!(" ×{}", names.len())
        } else {
            String::new()
        }
    };
    let sole = told
        .sole
        .iter()
        .map(|(country, names)| (country, format!("{country}{}", times(names)), true));
    let doubtful = told
        .doubtful
        .keys()
        .filter(|it| !told.sole.contains_key(it))
        .map(|country| (country, format!("{country}?"), false));
    sole.chain(doubtful)
        .filter_map(|(country, text, sole)| {
            Some(Mark {
                at: middle(borders, *country)?,
                text,
                sole,
            })
        })
        .collect()
}

/// Dots, and beside each its code where it hides no other. What finds no room stands in the list below the map.
fn labels(marks: &[&Mark], frame: [f64; 4], zoom: f64) -> Markup {
    let (size, reach) = (38.0 / zoom, 20.0 / zoom);
    let mut taken: Vec<[f64; 4]> = marks
        .iter()
        .filter(|it| it.sole)
        .map(|it| [it.at.0 - reach * 0.7, it.at.1 - reach * 0.7, reach * 1.4, reach * 1.4])
        .collect();
    let mut placed = vec![];
    for it in marks {
        let (x, y) = it.at;
        let wide = size * 0.62 * f64::from(u8::try_from(it.text.chars().count()).unwrap_or(u8::MAX));
        let middle = (!it.sole).then_some((x - wide / 2.0, y));
        let beside = [
            (x + reach, y),
            (x - reach - wide, y),
            (x - wide / 2.0, y - size),
            (x - wide / 2.0, y + size),
            (x + reach, y - size),
            (x + reach, y + size),
            (x - reach - wide, y + size),
            (x - reach - wide, y - size),
        ];
        let free = middle
            .into_iter()
            .chain(beside)
            .map(|(left, y)| [left, y - size * 0.5, wide, size])
            .find(|place| {
                let corner = (place[0] + place[2], place[1] + place[3]);
                inside(frame, (place[0], place[1])) && inside(frame, corner) && !taken.iter().any(|other| meet(other, place))
            });
        if let Some(place) = free {
            taken.push(place);
            placed.push((place, &it.text, it.sole));
        }
    }
    html! {
        @for it in marks.iter().filter(|it| it.sole) {
            circle.dot cx=(tenth(it.at.0)) cy=(tenth(it.at.1)) r=(tenth(13.0 / zoom)) stroke-width=(tenth(6.0 / zoom)) {}
        }
        @for ([left, top, ..], text, sole) in &placed {
            text class=(if *sole { "code" } else { "code unsure" }) x=(tenth(*left)) y=(tenth(top + size * 0.84)) font-size=(tenth(size)) stroke-width=(tenth(8.0 / zoom)) { (text) }
        }
    }
}

fn meet(a: &[f64; 4], b: &[f64; 4]) -> bool {
    a[0] < b[0] + b[2] && b[0] < a[0] + a[2] && a[1] < b[1] + b[3] && b[1] < a[1] + a[3]
}

fn tenth(value: f64) -> String {
    format!("{value:.1}")
}

/// A ring that may be drawn.
struct Ring {
    shape: usize,
    points: Vec<(i32, i32)>,
    extent: i32,
    wanted: bool,
}

/// One path a country, largest rings first while the budget lasts.
fn outlines(borders: &[BorderShape], wanted: &BTreeSet<Country>) -> Vec<(Option<Country>, String)> {
    let mut rings: Vec<Ring> = vec![];
    for (index, shape) in borders.iter().enumerate() {
        let is_wanted = shape.country.is_some_and(|it| wanted.contains(&it));
        let largest = shape.rings.iter().map(|ring| extent(&unwrapped(ring))).max().unwrap_or(0);
        for ring in &shape.rings {
            let ring = unwrapped(ring);
            let extent = extent(&ring);
            // A country made of islets keeps its largest, or it would vanish.
            if extent >= ISLET || (extent == largest && is_wanted) {
                rings.push(Ring {
                    shape: index,
                    points: ring,
                    extent,
                    wanted: is_wanted,
                });
            }
        }
    }
    rings.sort_by_key(|it| (!it.wanted, std::cmp::Reverse(it.extent), it.shape));
    let mut left = BUDGET;
    let mut paths: BTreeMap<usize, String> = BTreeMap::new();
    for ring in rings {
        let drawn = drawn(&ring.points);
        let Some(rest) = left.checked_sub(drawn.len()) else { break };
        left = rest;
        paths.entry(ring.shape).or_default().push_str(&drawn);
    }
    paths
        .into_iter()
        .filter_map(|(index, path)| Some((borders.get(index)?.country, path)))
        .filter(|(_, path)| !path.is_empty())
        .collect()
}

/// A ring without jumps: where the source steps over the 180th meridian, it goes on beyond it.
fn unwrapped(ring: &[(i16, i16)]) -> Vec<(i32, i32)> {
    let mut turn = 0_i32;
    let mut before = None;
    let step = |(lon, lat): &(i16, i16)| {
        let lon = i32::from(*lon);
        if let Some(before) = before {
            turn += match lon - before {
                jump if jump > HALF => -2 * HALF,
                jump if jump < -HALF => 2 * HALF,
                _ => 0,
            };
        }
        before = Some(lon);
        (lon + turn, i32::from(*lat))
    };
    ring.iter().map(step).collect()
}

/// The longer side of the box around a ring, in hundredths of a degree.
fn extent(ring: &[(i32, i32)]) -> i32 {
    let side = |of: fn(&(i32, i32)) -> i32| {
        let (low, high) = ring
            .iter()
            .map(of)
            .fold((i32::MAX, i32::MIN), |(low, high), it| (low.min(it), high.max(it)));
        high.saturating_sub(low).max(0)
    };
    side(|point| point.0).max(side(|point| point.1))
}

/// A ring as path data; what lies beyond the 180th meridian is drawn at the other edge of the map.
fn drawn(ring: &[(i32, i32)]) -> String {
    let part = |turn: i32| -> Vec<(i32, i32)> { ring.iter().map(|(lon, lat)| ((lon + turn).clamp(-HALF, HALF), *lat)).collect() };
    let beyond = |turn: i32| ring.iter().any(|(lon, _)| (-HALF..HALF).contains(&(lon + turn)));
    [0, -2 * HALF, 2 * HALF]
        .into_iter()
        .filter(|turn| beyond(*turn))
        .map(|turn| outline(&part(turn)))
        .collect()
}

/// A closed ring as path data, in whole units and relative steps, without the points that would not be seen.
fn outline(ring: &[(i32, i32)]) -> String {
    let small = extent(ring) < FINE.saturating_mul(8);
    let fine = if small { FINE / 4 } else { FINE };
    let mut kept: Vec<(i32, i32)> = vec![];
    let mut before: Option<(i32, i32)> = None;
    for (lon, lat) in ring.iter().copied() {
        if before.is_some_and(|(x, y)| (lon - x).abs() < fine && (lat - y).abs() < fine) || f64::from(lat) < SOUTH * 100.0 - 200.0 {
            continue;
        }
        before = Some((lon, lat));
        let (x, y) = project(f64::from(lon) / 100.0, f64::from(lat) / 100.0);
        kept.push((whole(x), whole(y)));
    }
    kept.dedup();
    let mut points = kept.into_iter();
    let Some((mut x, mut y)) = points.next().filter(|_| points.len() >= 2) else {
        return String::new();
    };
    let mut path = format!("M{x} {y}l");
    for (number, (to_x, to_y)) in points.enumerate() {
        let (dx, dy) = (to_x - x, to_y - y);
        // A minus sign parts two numbers by itself.
        if number > 0 && dx >= 0 {
            path.push(' ');
        }
        path.push_str(&dx.to_string());
        if dy >= 0 {
            path.push(' ');
        }
        path.push_str(&dy.to_string());
        (x, y) = (to_x, to_y);
    }
    path.push('z');
    path
}

/// The middle of a country's largest ring, on the map.
fn middle(borders: &[BorderShape], country: Country) -> Option<(f64, f64)> {
    let shapes = borders.iter().filter(|shape| shape.country == Some(country));
    let ring = shapes
        .flat_map(|shape| &shape.rings)
        .map(|ring| unwrapped(ring))
        .max_by_key(|ring| extent(ring))?;
    let (mut area, mut x_sum, mut y_sum) = (0.0, 0.0, 0.0);
    for (a, b) in ring.iter().zip(ring.iter().cycle().skip(1)) {
        let ((ax, ay), (bx, by)) = ((f64::from(a.0), f64::from(a.1)), (f64::from(b.0), f64::from(b.1)));
        let cross = ax * by - bx * ay;
        area += cross;
        x_sum += (ax + bx) * cross;
        y_sum += (ay + by) * cross;
    }
    if area == 0.0 {
        let (lon, lat) = ring.first()?;
        let (x, y) = project(f64::from(*lon) / 100.0, f64::from(*lat) / 100.0);
        return Some((x, y));
    }
    let (x, y) = project(x_sum / (3.0 * area) / 100.0, y_sum / (3.0 * area) / 100.0);
    Some((x, y))
}

#[expect(clippy::cast_possible_truncation, reason = "the map is 2000 units wide")]
fn whole(value: f64) -> i32 {
    value.round() as i32
}

/// Robinson's table: length of each fifth parallel and its distance from the equator. A table needs no sine, so every
/// machine draws the same map.
const ROBINSON: [(f64, f64); 19] = [
    (1.0, 0.0),
    (0.9986, 0.062),
    (0.9954, 0.124),
    (0.99, 0.186),
    (0.9822, 0.248),
    (0.973, 0.31),
    (0.96, 0.372),
    (0.9427, 0.434),
    (0.9216, 0.4958),
    (0.8962, 0.5571),
    (0.8679, 0.6176),
    (0.835, 0.6769),
    (0.7986, 0.7346),
    (0.7597, 0.7903),
    (0.7186, 0.8435),
    (0.6732, 0.8936),
    (0.6213, 0.9394),
    (0.5722, 0.9761),
    (0.5322, 1.0),
];

fn project(lon: f64, lat: f64) -> (f64, f64) {
    let steps = lat.abs().min(90.0) / 5.0;
    let low = ROBINSON
        .iter()
        .enumerate()
        .rev()
        .find(|(row, _)| f64::from(u8::try_from(*row).unwrap_or(u8::MAX)) <= steps);
    let (row, (length, height)) = low.map_or((0, (1.0, 0.0)), |(row, it)| (row, *it));
    let (next_length, next_height) = ROBINSON.get(row.saturating_add(1)).copied().unwrap_or((length, height));
    let part = steps - f64::from(u8::try_from(row).unwrap_or(u8::MAX));
    let length = length + (next_length - length) * part;
    let height = (height + (next_height - height) * part) * lat.signum();
    // 0.5072 is Robinson's ratio of height to width.
    let scale = WIDTH / 2.0;
    (scale + scale * length * lon / 180.0, scale * 0.5072 * (1.0 - height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn robinson_puts_known_points_where_they_belong() {
        assert_eq!(project(0.0, 0.0), (1000.0, 507.2));
        assert_eq!(project(180.0, 0.0).0, 2000.0);
        assert_eq!(project(-180.0, 90.0), (1000.0 - 532.2, 0.0));
        let (x, y) = project(90.0, -42.5);
        assert!(
            (x - (1000.0 + 454.45)).abs() < 0.01 && (y - 507.2 * 1.52645).abs() < 0.01,
            "{x} {y}"
        );
    }

    #[test]
    fn near_points_are_left_out_and_a_speck_is_nothing() {
        let square = [(0, 0), (10, 0), (1000, 0), (1000, 1000), (1000, 1010), (0, 1000), (0, 0)];
        assert_eq!(outline(&square), "M1000 507l56 0-1-63-55 0 0 63z");
        assert_eq!(outline(&[(0, 0), (1, 1), (0, 0)]), "");
        assert_eq!(outline(&[]), "");
    }

    #[test]
    fn what_lies_beyond_the_edge_is_drawn_at_the_other() {
        let island = [(17_000, 0), (-17_000, 0), (-17_000, 1000), (17_000, 1000), (17_000, 0)];
        let ring = unwrapped(&island);
        assert_eq!(extent(&ring), 2_000);
        let drawn = drawn(&ring);
        assert_eq!(drawn, "M1944 507l56 0-5-63-55 0 4 63zM0 507l56 0 4-63-55 0-5 63z");
    }
}
