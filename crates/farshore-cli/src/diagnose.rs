//! Mistakes in users' files, drawn with the line they stand in.

use std::ops::Range;
use std::path::Path;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::message;

/// An error that shows where in the file the mistake stands.
pub(crate) fn mistake(path: &Path, text: &str, what: &str, span: Option<Range<usize>>) -> anyhow::Error {
    let shown = message::shown(path);
    let Some(span) = span.filter(|it| it.end <= text.len() && text.is_char_boundary(it.start) && text.is_char_boundary(it.end)) else {
        return anyhow::anyhow!("{shown}: {what}");
    };
    let snippet = Snippet::source(text).path(&shown).annotation(AnnotationKind::Primary.span(span));
    let report = [Level::ERROR.primary_title(what).element(snippet)];
    anyhow::anyhow!("{shown}\n{}", Renderer::plain().render(&report))
}
