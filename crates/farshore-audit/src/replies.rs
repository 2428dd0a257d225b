//! What others say against what was found: a vendor's statement, an authority's answer, dated and with its source. Owns the reading of the file
//! and what a statement is about. Refuses to weigh it: no verdict moves by it, and one that is about nothing here is told all the same.

use farshore_model::{Audit, Date, Reply};
use serde::Deserialize;
use toml::Spanned;

use crate::policy::covers::Covers;
use crate::written::{Mistake, date};

/// The statements of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replies(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    by: String,
    date: Date,
    statement: String,
    source: Option<String>,
    pack: Option<String>,
    clause: Option<String>,
    subject: Option<(String, Covers)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    reply: Vec<Spanned<Row>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    by: Spanned<String>,
    date: Spanned<toml::value::Datetime>,
    statement: Spanned<String>,
    source: Option<String>,
    pack: Option<String>,
    clause: Option<Spanned<String>>,
    subject: Option<Spanned<String>>,
}

impl Replies {
    /// Reads a file of `[[reply]]` entries.
    pub fn read(text: &str) -> Result<Self, Mistake> {
        let file: File = toml::from_str(text).map_err(Mistake::from_toml)?;
        file.reply.into_iter().map(Entry::read).collect::<Result<_, _>>().map(Self)
    }

    /// Each of them, with what in an audit it is about.
    pub fn about(&self, audit: &Audit) -> Vec<Reply> {
        self.0.iter().map(|it| it.about(audit)).collect()
    }
}

impl Entry {
    fn read(row: Spanned<Row>) -> Result<Self, Mistake> {
        let fail = |message: String, span| Err(Mistake::at(message, span));
        let whole = row.span();
        let row = row.into_inner();
        for (key, it) in [("by", &row.by), ("statement", &row.statement)] {
            if it.get_ref().trim().is_empty() {
                return fail(format!("`{key}` is empty"), it.span());
            }
        }
        let Some(day) = date(row.date.get_ref()) else {
            return fail(
                "`date` is the day on which it was said; expected one such as 2026-12-31".to_owned(),
                row.date.span(),
            );
        };
        if let (Some(clause), None) = (&row.clause, &row.pack) {
            return fail("`clause` is one of a pack: name it too, pack = \"…\"".to_owned(), clause.span());
        }
        if row.pack.is_none() && row.subject.is_none() {
            return fail(
                "it does not say what it is about; expected `subject` (as in waivers: host=, org=, kind=, field=, d3, x7), or `pack` and `clause`".to_owned(),
                whole,
            );
        }
        let subject = match row.subject {
            None => None,
            Some(it) => match Covers::read(it.get_ref()) {
                Ok(covers) => Some((it.into_inner(), covers)),
                Err(message) => return fail(message, it.span()),
            },
        };
        Ok(Self {
            by: row.by.into_inner(),
            date: day,
            statement: row.statement.into_inner(),
            source: row.source,
            pack: row.pack,
            clause: row.clause.map(Spanned::into_inner),
            subject,
        })
    }

    fn about(&self, audit: &Audit) -> Reply {
        let covers = self.subject.as_ref().map(|(_, it)| it);
        let is_meant = |wanted: &Option<String>, it: &str| wanted.as_ref().is_none_or(|wanted| wanted == it);
        let verdicts = audit.verdicts.iter().enumerate().filter(|(_, it)| {
            let of_clause = is_meant(&self.pack, &it.pack) && is_meant(&self.clause, &it.clause);
            let of_subject = |covers: &Covers| {
                it.findings
                    .iter()
                    .any(|it| covers.finding(it, &audit.exposures, &audit.destinations))
            };
            of_clause && covers.is_none_or(of_subject)
        });
        let destinations = covers.map(|it| it.destinations(&audit.exposures, &audit.destinations));
        Reply {
            by: self.by.clone(),
            date: self.date,
            statement: self.statement.clone(),
            source: self.source.clone(),
            pack: self.pack.clone(),
            clause: self.clause.clone(),
            subject: self.subject.as_ref().map(|(text, _)| text.clone()),
            verdicts: verdicts.map(|(index, _)| index).collect(),
            destinations: destinations.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[[reply]]\nby = \"Agora\"\ndate = 2021-02-13\nstatement = \"We store none.\"\nsource = \"https://agora.example\"\nsubject = \"org=agora\"\n";

    #[test]
    fn a_mistake_is_told_with_its_place() {
        assert!(Replies::read(GOOD).is_ok() && Replies::read("").is_ok());
        for (from, to, wanted, at) in [
            ("by = \"Agora\"\n", "", "missing field `by`", "[[reply]]"),
            ("\"Agora\"", "\" \"", "`by` is empty", "\" \""),
            ("\"We store none.\"", "\"\"", "`statement` is empty", "\"\""),
            ("2021-02-13", "2021-02-13T10:00:00Z", "the day on which", "2021-02-13T"),
            ("subject = \"org=agora\"\n", "", "what it is about", "[[reply]]"),
            ("subject = \"org=agora\"", "clause = \"c\"", "name it too", "\"c\""),
            ("org=agora", "owner=agora", "owner=", "\"owner"),
            ("org=agora", "host=*", "a star stands", "\"host"),
            ("by", "of", "unknown field `of`", "of"),
        ] {
            let text = GOOD.replacen(from, to, 1);
            let error = Replies::read(&text).unwrap_err();
            assert!(error.message.contains(wanted), "{to}: {error}");
            let span = error.span.unwrap();
            assert!(text[span.clone()].starts_with(at), "{to}: {:?}", &text[span]);
        }
    }
}
