//! `farshore list`: what is built in and what was imported, with versions, licences and dates.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use farshore::model::Date;
use farshore::policy::pack::Pack;
use farshore::{Datasets, FORMATS, Mistake, PROTOCOLS, policy};
use farshore_report::escape;
use serde_json::{Value, json};

use crate::args::{Atlas, List, ListFormat, Listing};
use crate::shelf::Shelf;
use crate::{atlas, audit, data, output};

/// Runs the verb.
pub(crate) fn run(args: &List) -> anyhow::Result<ExitCode> {
    let (name, columns, rows) = match &args.check {
        None => rows(args.what, args.as_of.as_deref(), !args.no_imported)?,
        Some(path) => {
            anyhow::ensure!(
                args.what == Listing::Packs,
                "--check reads a pack: farshore list packs --check FILE"
            );
            packs([Ok(audit::pack_of(path)?)])?
        }
    };
    show((name, columns, rows), args.format)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a table, or JSON.
pub(crate) fn show((name, columns, rows): Rows, format: ListFormat) -> anyhow::Result<()> {
    output::write(None, false, &mut |out| match format {
        ListFormat::Json => {
            let objects: Vec<Value> = rows
                .iter()
                .map(|row| {
                    columns
                        .iter()
                        .zip(row)
                        .map(|(key, cell)| ((*key).to_owned(), json!(cell)))
                        .collect()
                })
                .collect();
            serde_json::to_writer_pretty(&mut *out, &json!({ "schema": "farshore.list/1", name: objects }))?;
            writeln!(out)
        }
        ListFormat::Terminal => table(columns, &rows, out),
    })
}

pub(crate) type Rows = (&'static str, &'static [&'static str], Vec<Vec<String>>);

/// `157 days` from one day to another.
fn age(as_of: Date, day: Date) -> String {
    match (day.distance(as_of), as_of > day) {
        (1, false) => "1 day".to_owned(),
        (days, false) => format!("{days} days"),
        (days, true) => format!("-{days} days"),
    }
}

fn packs(all: impl IntoIterator<Item = Result<Pack, Mistake>>) -> anyhow::Result<Rows> {
    let mut rows = Vec::new();
    for pack in all {
        let pack = pack?;
        for clause in pack.clauses {
            rows.push(vec![
                pack.id.clone(),
                pack.version.clone(),
                clause.id,
                clause.title,
                clause.citation,
            ]);
        }
    }
    Ok(("packs", &["pack", "version", "clause", "title", "citation"], rows))
}

fn rows(what: Listing, as_of: Option<&str>, imported: bool) -> anyhow::Result<Rows> {
    Ok(match what {
        Listing::Packs => packs(policy::ids().filter_map(policy::built_in))?,
        Listing::Data => {
            let kept = if imported { data::entries()? } else { Vec::new() };
            let atlas = Atlas {
                imported: kept.clone(),
                ..Atlas::default()
            };
            let brought = atlas::brought(&atlas, &Shelf::Disk)?;
            let data = Datasets::embedded().bringing(brought, None).describe();
            let newest = data.iter().filter_map(|it| Date::parse(&it.as_of)).max();
            let day = match as_of {
                Some(text) => Some(Date::parse(text).with_context(|| format!("--as-of {text}: expected YYYY-MM-DD"))?),
                None => newest,
            };
            let rows = data.into_iter().map(|it| {
                let age = Date::parse(&it.as_of).zip(day).map(|(as_of, day)| age(as_of, day));
                let bytes = it.bytes.to_string();
                let told = kept.iter().find(|kept| kept.sha256 == it.sha256);
                let licence = told.map(|kept| kept.licence.clone()).filter(|it| !it.is_empty());
                let source = told.map_or(it.source, |kept| format!("imported as {}", kept.name));
                vec![
                    it.name,
                    it.edition,
                    it.as_of,
                    age.unwrap_or_default(),
                    licence.unwrap_or(it.licence),
                    bytes,
                    source,
                    it.sha256,
                ]
            });
            (
                "data",
                &["name", "edition", "as_of", "age", "licence", "bytes", "source", "sha256"],
                rows.collect(),
            )
        }
        Listing::Protocols => (
            "protocols",
            &["protocol"],
            PROTOCOLS.iter().map(|it| vec![it.id().to_owned()]).collect(),
        ),
        Listing::Formats => ("formats", &["format"], FORMATS.iter().map(|it| vec![it.id().to_owned()]).collect()),
    })
}

/// Columns as wide as their widest cell; digests are cut, JSON has them whole.
fn table(columns: &[&str], rows: &[Vec<String>], out: &mut dyn Write) -> std::io::Result<()> {
    // Imported files name themselves.
    let short = |text: &str| {
        let text = &escape::visible(text);
        if text.len() == 64 {
            text.chars().take(12).collect()
        } else {
            text.to_owned()
        }
    };
    let widths: Vec<usize> = (0..columns.len())
        .map(|at| {
            let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| short(cell).chars().count());
            cells.chain(columns.get(at).map(|it| it.chars().count())).max().unwrap_or_default()
        })
        .collect();
    let mut line = |cells: Vec<String>| {
        let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        writeln!(out, "{}", padded.join("  ").trim_end())
    };
    line(columns.iter().map(|it| it.to_uppercase()).collect())?;
    rows.iter().try_for_each(|row| line(row.iter().map(|cell| short(cell)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_data_set_has_size_and_age() {
        let (_, columns, rows) = rows(Listing::Data, Some("2026-12-01"), false).unwrap();
        let cell = |row: &Vec<String>, name| row[columns.iter().position(|it| *it == name).unwrap()].clone();
        assert!(rows.len() > 10);
        for row in &rows {
            assert!(cell(row, "bytes").parse::<u64>().unwrap() > 100, "{row:?}");
            // Borders are of a year.
            assert!(cell(row, "age").ends_with(" days") || cell(row, "as_of").len() == 4, "{row:?}");
            assert!(!cell(row, "licence").is_empty() && !cell(row, "edition").is_empty(), "{row:?}");
        }
        let asn = rows.iter().find(|row| cell(row, "name") == "asn").unwrap();
        assert_eq!(
            cell(asn, "age"),
            age(Date::parse("2026-06-17").unwrap(), Date::parse("2026-12-01").unwrap())
        );
        assert_eq!(cell(asn, "age"), "167 days");
        assert!(super::rows(Listing::Data, Some("tomorrow"), false).is_err());
    }
}
