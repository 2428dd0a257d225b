//! An audit as text: JSON, NDJSON, HTML, Markdown, SARIF, JUnit, terminal, logs of CI services.
//!
//! A report renders what an [`Audit`] says and nothing else: it refuses to look anything up, to judge anew, to read
//! a clock, and to let text from the wire through unescaped ([`escape`]). [`OUTPUTS`] is the table of renderers; to
//! add one, write a file and add a line there.
//!
//! ```
//! let mut page = Vec::new();
//! let html = farshore_report::output("html").expect("it is in the table");
//! html.render(&farshore_model::Audit::default(), &farshore_report::Options::default(), &mut page)?;
//! assert!(page.starts_with(b"<!DOCTYPE html>"));
//! # Ok::<(), std::io::Error>(())
//! ```

#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod bundle;
pub mod check;
pub mod diff;
pub mod escape;
pub mod github;
pub mod graphml;
pub mod html;
pub mod json;
pub mod junit;
pub mod live;
pub mod markdown;
pub mod rules;
pub mod sarif;
pub mod saved;
pub mod terminal;
pub mod v1;
pub mod who;

mod community;
mod compact;
mod findings;
mod mask;
mod presses;
mod words;

use std::io::{Result, Write};

use farshore_model::{Audit, Country};

/// One way to write an audit down.
pub trait Output: Sync {
    /// The name `--format` takes.
    fn id(&self) -> &'static str;
    /// Writes the whole of it, in many small pieces: `out` wants a buffer.
    fn render(&self, audit: &Audit, options: &Options<'_>, out: &mut dyn Write) -> Result<()>;
}

/// All outputs, sorted by id.
pub static OUTPUTS: &[&dyn Output] = &[
    &check::Check,
    &github::Github,
    &html::Html,
    &json::Json,
    &junit::Junit,
    &markdown::Markdown,
    &json::Ndjson,
    &sarif::Sarif,
    &terminal::Terminal,
];

/// The output of that id.
pub fn output(id: &str) -> Option<&'static dyn Output> {
    OUTPUTS.iter().copied().find(|output| output.id() == id)
}

/// What a renderer may be told beside the audit.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Sections that are written only when asked for.
    pub sections: Sections,
    /// Terminal colours.
    pub color: bool,
    /// Terminal columns.
    pub width: usize,
    /// Outlines for the map; without any, countries are listed.
    pub borders: &'a [BorderShape],
    /// Threads that may write at the same time. The bytes are the same.
    pub jobs: usize,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            sections: Sections::default(),
            color: false,
            width: 100,
            borders: &[],
            jobs: 1,
        }
    }
}

/// Sections that are written only when asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sections {
    /// Every flow.
    pub flows: bool,
    /// Every fact.
    pub observations: bool,
}

/// The outline of one country, or of an area that no country code stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BorderShape {
    /// Its code, if it has one.
    pub country: Option<Country>,
    /// Closed rings of longitude and latitude in hundredths of a degree.
    pub rings: Vec<Vec<(i16, i16)>>,
}
