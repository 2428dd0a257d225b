//! `farshore who`: what is known of parties by their names, or of each line of standard input.

use std::fmt::{self, Write};
use std::io::{self, BufRead, BufReader, Read};
use std::net::IpAddr;
use std::process::ExitCode;

use anyhow::Context;
use farshore::model::Date;
use farshore::parties::{Answer, Stretches};
use farshore::{Datasets, Inquirer, Inquiry, inquiry};
use farshore_report::{json, who};

use crate::args::{self, WhoFormat};
use crate::{atlas, message, output};

/// No name has as many bytes; what is longer is read past.
const LONGEST: usize = 4096;

/// Lines from which on all sets are put together.
const MANY: usize = 1000;
/// Bytes of written answers that are kept.
const MOST_KEPT: usize = 256 << 20;

/// Runs the verb.
pub(crate) fn run(args: &args::Who) -> anyhow::Result<ExitCode> {
    output::check(args.output.as_deref(), args.force)?;
    let as_of = args
        .as_of
        .as_deref()
        .map(|it| Date::parse(it).with_context(|| format!("--as-of {it}: expected YYYY-MM-DD")))
        .transpose()?;
    let data = &*atlas::with(Datasets::embedded(), &args.atlas)?;
    let inquirer = Inquirer::new(data, as_of);
    match args.names.as_slice() {
        [only] if only == "-" => lines(inquirer, data, args),
        names => {
            anyhow::ensure!(
                !names.iter().any(|it| it == "-"),
                "`-` (standard input) stands alone, without further names"
            );
            named(inquirer, data, names, args)
        }
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Answers what was named on the command line; a question that cannot be answered stops it.
fn named(mut inquirer: Inquirer<'_>, data: &Datasets, names: &[String], args: &args::Who) -> anyhow::Result<()> {
    let answer = |name: &String| {
        let answered = name.parse().and_then(|asked: Inquiry| inquirer.answer(&asked));
        answered.with_context(|| name.clone())
    };
    let parties: Vec<_> = names.iter().map(answer).collect::<anyhow::Result<_>>()?;
    let (color, width) = (output::color(args.color, args.output.is_some()), output::width());
    let hosts = |it| inquiry::hosts(it, data);
    output::write(args.output.as_deref(), args.force, &mut |out| match args.format {
        Some(WhoFormat::Json) => json::who(&parties, out),
        Some(WhoFormat::Ndjson) => (0..).zip(&parties).try_for_each(|(index, it)| json::who_line(index, it, out)),
        Some(WhoFormat::Tsv) => parties.iter().try_for_each(|party| {
            let hosts = &hosts(party);
            who::tsv(who::Known { party, hosts }, out)
        }),
        Some(WhoFormat::Terminal) | None => parties.iter().enumerate().try_for_each(|(index, party)| {
            if index > 0 {
                writeln!(out)?;
            }
            let hosts = &hosts(party);
            who::terminal(who::Known { party, hosts }, color, width, out)
        }),
    })
}

/// Answers each line of standard input with a line, in order. A line that is no question is known by nobody.
fn lines(inquirer: Inquirer<'_>, data: &Datasets, args: &args::Who) -> anyhow::Result<()> {
    let tsv = match args.format {
        Some(WhoFormat::Tsv) => true,
        // One object a line is what JSON means here: there may be no end of lines.
        Some(WhoFormat::Ndjson | WhoFormat::Json) | None => false,
        Some(WhoFormat::Terminal) => {
            anyhow::bail!("standard input is answered line by line: --format ndjson (the default) or tsv")
        }
    };
    let mut answering = Answering::new(inquirer, data, tsv);
    output::write(args.output.as_deref(), args.force, &mut |out| {
        let mut input = BufReader::with_capacity(1 << 18, io::stdin());
        let mut line = Vec::new();
        for index in 0.. {
            // Whoever waits for an answer before asking again gets it.
            if input.buffer().is_empty() {
                out.flush()?;
            }
            if !next(&mut input, &mut line)? {
                break;
            }
            answering.line(index, &line, out)?;
        }
        Ok(())
    })?;
    if !args.quiet {
        answering.unread.tell();
    }
    Ok(())
}

/// Answers lines, and keeps what is known of addresses that share it.
struct Answering<'a> {
    inquirer: Inquirer<'a>,
    data: &'a Datasets,
    tsv: bool,
    unread: Unread,
    /// Written answers by their number.
    patterns: Vec<Option<Pattern>>,
    /// How many bytes they take.
    kept: usize,
}

/// Nearly a whole line.
enum Pattern {
    Json(json::WhoPattern),
    Tsv(Vec<u8>),
}

impl Pattern {
    fn write(&self, index: usize, address: &str, out: &mut dyn io::Write) -> io::Result<()> {
        match self {
            Self::Json(pattern) => pattern.write(index, address, out),
            Self::Tsv(rest) => {
                out.write_all(address.as_bytes())?;
                out.write_all(rest)
            }
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Json(pattern) => pattern.bytes(),
            Self::Tsv(rest) => rest.len(),
        }
    }
}

impl<'a> Answering<'a> {
    fn new(inquirer: Inquirer<'a>, data: &'a Datasets, tsv: bool) -> Self {
        Self {
            inquirer,
            data,
            tsv,
            unread: Unread::default(),
            patterns: Vec::new(),
            kept: 0,
        }
    }

    fn line(&mut self, index: usize, line: &[u8], out: &mut dyn io::Write) -> io::Result<()> {
        let text = String::from_utf8_lossy(line);
        let address: Option<IpAddr> = text.trim().parse().ok();
        // Putting all sets together pays off for many questions only, and what was brought is not among them.
        let shared = address
            .filter(|_| index >= MANY && self.data.is_built_in())
            .and_then(|it| Some((it, Stretches::embedded().answer(it)?)));
        if let Some((address, answer)) = shared {
            return self.shared(index, address, answer, out);
        }
        let answered = text.parse().and_then(|asked: Inquiry| self.inquirer.answer(&asked));
        let party = match answered {
            Ok(party) => party,
            Err(error) => {
                self.unread.note(index, &error);
                self.inquirer.nobody(text.trim())
            }
        };
        if self.tsv {
            let hosts = &inquiry::hosts(&party, self.data);
            who::tsv(who::Known { party: &party, hosts }, out)
        } else {
            json::who_line(index, &party, out)
        }
    }

    /// An address of which the same is known as of others.
    fn shared(&mut self, index: usize, address: IpAddr, answer: Answer, out: &mut dyn io::Write) -> io::Result<()> {
        let mut spelled = Spelled { bytes: [0; 48], used: 0 };
        // An address has fewer characters than that.
        let _ = write!(spelled, "{address}");
        if let Some(Some(pattern)) = self.patterns.get(answer.number()) {
            return pattern.write(index, spelled.text(), out);
        }
        let pattern = if self.tsv {
            let party = self.inquirer.placed(address);
            let mut rest = Vec::new();
            let hosts = &inquiry::hosts(&party, self.data);
            who::tsv_rest(who::Known { party: &party, hosts }, &mut rest)?;
            Pattern::Tsv(rest)
        } else {
            let party = self.inquirer.about(address);
            match json::WhoPattern::of(&party)? {
                Some(pattern) => Pattern::Json(pattern),
                None => return json::who_line(index, &party, out),
            }
        };
        pattern.write(index, spelled.text(), out)?;
        if self.kept > MOST_KEPT {
            self.patterns.clear();
            self.kept = 0;
        }
        if self.patterns.len() <= answer.number() {
            self.patterns.resize_with(answer.number().saturating_add(1), || None);
        }
        self.kept = self.kept.saturating_add(pattern.bytes());
        if let Some(place) = self.patterns.get_mut(answer.number()) {
            *place = Some(pattern);
        }
        Ok(())
    }
}

/// An address as text, without a string of its own on the heap.
struct Spelled {
    bytes: [u8; 48],
    used: usize,
}

impl Spelled {
    fn text(&self) -> &str {
        let used = self.bytes.get(..self.used).unwrap_or_default();
        std::str::from_utf8(used).unwrap_or_default()
    }
}

impl Write for Spelled {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.used.saturating_add(text.len());
        let room = self.bytes.get_mut(self.used..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.used = end;
        Ok(())
    }
}

/// The next line without its end; of one that is too long its beginning. `false` at the end of the input.
fn next(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let most = u64::try_from(LONGEST).unwrap_or(u64::MAX);
    if input.by_ref().take(most).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() == LONGEST {
        input.skip_until(b'\n')?;
    }
    Ok(true)
}

/// Lines that were no question.
#[derive(Default)]
struct Unread {
    lines: u64,
    first: Option<(usize, String)>,
}

impl Unread {
    fn note(&mut self, index: usize, error: &inquiry::InquiryError) {
        self.lines = self.lines.saturating_add(1);
        self.first.get_or_insert_with(|| (index.saturating_add(1), error.to_string()));
    }

    fn tell(&self) {
        if let Some((line, why)) = &self.first {
            let lines = if self.lines == 1 { "line was" } else { "lines were" };
            message::say(&format!(
                "warning: {} {lines} answered with nothing known, the first being line {line}: {why}",
                self.lines
            ));
        }
    }
}
