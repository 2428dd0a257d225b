//! Owns the country outlines: rings of points in hundredths of a degree, from TopoJSON.
//! Refuses to settle who holds what: the outlines are de facto, as Natural Earth draws them.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::columns::{self, leb128, zigzag};

#[derive(Deserialize)]
struct Topology {
    transform: Transform,
    objects: Objects,
    arcs: Vec<Vec<[i64; 2]>>,
}

#[derive(Deserialize)]
struct Transform {
    scale: [f64; 2],
    translate: [f64; 2],
}

#[derive(Deserialize)]
struct Objects {
    countries: Countries,
}

#[derive(Deserialize)]
struct Countries {
    geometries: Vec<Geometry>,
}

#[derive(Deserialize)]
struct Geometry {
    id: Option<String>,
    properties: Properties,
    #[serde(flatten)]
    shape: Shape,
}

#[derive(Deserialize)]
struct Properties {
    name: String,
}

#[derive(Deserialize)]
#[serde(tag = "type", content = "arcs")]
enum Shape {
    Polygon(Vec<Vec<i64>>),
    MultiPolygon(Vec<Vec<Vec<i64>>>),
}

/// A point in hundredths of a degree: longitude, latitude.
type Point = (i64, i64);

/// Columns: lines `code TAB name TAB rings` sorted by code; points a ring (LEB128); points (zigzag deltas in a ring).
pub fn files(path: &Path) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let topology: Topology = serde_json::from_slice(&fs::read(path)?)?;
    let mut countries = Vec::new();
    for geometry in &topology.objects.countries.geometries {
        let polygons = match &geometry.shape {
            Shape::Polygon(polygon) => std::slice::from_ref(polygon),
            Shape::MultiPolygon(polygons) => polygons,
        };
        let mut rings = Vec::new();
        for ring in polygons.iter().flatten() {
            rings.push(topology.ring(ring)?);
        }
        rings.retain(|ring| ring.len() > 3);
        countries.push((geometry.code(), geometry.properties.name.replace('\t', " "), rings));
    }
    countries.sort();

    let (mut index, mut lengths, mut points) = (String::new(), Vec::new(), Vec::new());
    for (code, name, rings) in countries {
        index.push_str(&format!("{code}\t{name}\t{}\n", rings.len()));
        for ring in rings {
            leb128(&mut lengths, ring.len() as u64);
            let mut before = (0, 0);
            for point in ring {
                leb128(&mut points, zigzag(point.0 - before.0));
                leb128(&mut points, zigzag(point.1 - before.1));
                before = point;
            }
        }
    }
    Ok(vec![("borders.bin", columns::pack(&[index.into_bytes(), lengths, points])?)])
}

impl Geometry {
    /// The alpha-2 code of the numeric id; empty where the source gives none, but for Kosovo.
    fn code(&self) -> String {
        match (&self.id, self.properties.name.as_str()) {
            (Some(id), _) => id
                .parse()
                .ok()
                .and_then(rust_iso3166::from_numeric)
                .map(|code| code.alpha2.to_owned())
                .unwrap_or_default(),
            (None, "Kosovo") => "XK".to_owned(),
            (None, _) => String::new(),
        }
    }
}

impl Topology {
    /// Joins the arcs of a ring; `!n` is arc n walked backwards (TopoJSON 1.0, 2.1.4).
    fn ring(&self, arcs: &[i64]) -> Result<Vec<Point>> {
        let mut ring: Vec<Point> = Vec::new();
        for &arc in arcs {
            let index = usize::try_from(if arc < 0 { !arc } else { arc })?;
            let mut points = self.arc(index)?;
            if arc < 0 {
                points.reverse();
            }
            ring.extend(points);
        }
        ring.dedup();
        Ok(ring)
    }

    fn arc(&self, index: usize) -> Result<Vec<Point>> {
        let steps = self.arcs.get(index).context("an arc is missing")?;
        let (mut x, mut y) = (0, 0);
        Ok(steps
            .iter()
            .map(|step| {
                x += step[0];
                y += step[1];
                (self.hundredths(0, x), self.hundredths(1, y))
            })
            .collect())
    }

    fn hundredths(&self, axis: usize, value: i64) -> i64 {
        let degrees = value as f64 * self.transform.scale[axis] + self.transform.translate[axis];
        (degrees * 100.0).round() as i64
    }
}
