//! One field under all rules at once: one pass for [marks](super::marks), one for known values if
//! there are any, then verification of what they point at.
//!
//! It refuses to report one thing twice: of two findings that claim the same bytes the better one stays.

use std::collections::BTreeMap;
use std::ops::Range;

use farshore_model::sighting::{Disguise, SightedValue};
use farshore_model::{DatumKind, WireText};

use super::chance::{self, Confirmed, STRONG_BITS, Tally, WeakGroup};
use super::checks::{Accepted, Candidate};
use super::forms::{self, Variant};
use super::hidden::{Faint, Hidden, Peeling, Room};
use super::hints;
use super::known::{self, Known, KnownError};
use super::limits::Limits;
use super::marks::{Marker, Marks, PackSet};
use super::members::Members;
use super::pack::{Pack, Ready};
use super::program::Scripts;
use super::sieve::Sieve;
use super::unpacking::{self, Budget, Unpacked};
use super::value;
use super::{DetectorsError, FieldView, Found, Options};

/// Printable runs of a payload shorter than this are noise.
const SHORTEST_TEXT: usize = 6;

/// All that is looked for.
#[derive(Debug)]
pub(super) struct Rules {
    pub known: Vec<Known>,
    pub variants: Vec<Variant>,
    weak_variants: usize,
    pub packs: Vec<Ready>,
    /// Of the variants that are text, by number; empty when nothing is known.
    pub sieve: Sieve,
    /// Of the others, which are looked for only in what is no text.
    pub bytes: Sieve,
    /// What known values look like beneath layers; `None` when nothing is known.
    hidden: Option<Hidden>,
    marker: Marker,
    pub options: Options,
}

/// How a text is searched for what the rules then look at. There is one way; tests hold it against a plain one.
pub(super) trait Search {
    /// See [`Marker::marks`].
    fn marks(rules: &Rules, text: &[u8]) -> Marks;
    /// See [`Marker::named`].
    fn named(rules: &Rules, path: &str) -> PackSet;
    /// The next printable text of some length that has an anchor of the pack, in bytes that are no text as a whole.
    fn anchored_run(rules: &Rules, text: &[u8], marks: &Marks, from: usize, pack: usize) -> Option<Range<usize>>;
    /// See [`unpacking::unpack`].
    fn unpack(text: &[u8], marks: &Marks, limits: &Limits, budget: &mut Budget) -> Vec<Unpacked>;
}

/// The one way.
pub(super) struct Marked;

impl Search for Marked {
    fn marks(rules: &Rules, text: &[u8]) -> Marks {
        rules.marker.marks(text)
    }

    fn named(rules: &Rules, path: &str) -> PackSet {
        rules.marker.named(path)
    }

    fn anchored_run(rules: &Rules, text: &[u8], marks: &Marks, mut from: usize, pack: usize) -> Option<Range<usize>> {
        loop {
            let run = printable_around(text, rules.marker.anchor(text, marks, from, pack)?);
            if run.len() >= SHORTEST_TEXT {
                return Some(run);
            }
            // An anchor may not be printable.
            from = run.end.saturating_add(1);
        }
    }

    fn unpack(text: &[u8], marks: &Marks, limits: &Limits, budget: &mut Budget) -> Vec<Unpacked> {
        unpacking::unpack(text, marks.runs_from, limits, budget)
    }
}

/// Bytes under scrutiny: the field, or what was unpacked from it.
struct Layer<'a> {
    path: &'a str,
    text: &'a [u8],
    payload: bool,
    decoded_by: &'a [&'static str],
    /// The run of the field these bytes came from.
    run: Option<Range<usize>>,
}

/// Whether a name says what a value is, and whether percent signs are escapes there (RFC 3986, section 2.1).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    No,
    Plainly,
    Escaped,
}

impl Named {
    /// The parts of a path under which values stand as in a URL.
    const URLS: [&'static str; 7] = ["query", "form", "cookie", "set-cookie", "path", "url", "uri"];

    /// The value is a field of its own.
    fn by_path(path: &str) -> Self {
        match path.split('.').any(|part| Self::URLS.contains(&part)) {
            true => Self::Escaped,
            false => Self::Plainly,
        }
    }

    /// The value stands in a text: behind `=`, or one escaped, as in a form.
    fn by_key(text: &[u8], value: &Range<usize>) -> Self {
        let before = text.get(..value.start).unwrap_or_default();
        match before.ends_with(b"=") || before.ends_with(b"%3D") || before.ends_with(b"%3d") {
            true => Self::Escaped,
            false => Self::Plainly,
        }
    }
}

/// A finding before it is compared with the others.
pub(super) struct Hit {
    /// In the field.
    pub range: Range<usize>,
    /// It was unpacked from a run, which `range` is.
    pub packed: bool,
    pub decoded_by: Vec<&'static str>,
    pub canonical: String,
    pub weak: Option<WeakGroup>,
    /// What stands there in the place of the value.
    pub disguise: Disguise,
    pub by: By,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Known(usize),
    Pack(usize),
}

/// What one field uses and gives.
pub(super) struct Work<'a> {
    hits: Vec<Hit>,
    pub budget: Budget,
    pub peeling: Peeling<'a>,
    pub tally: &'a mut Tally,
}

impl Rules {
    /// A value that was recognised elsewhere, made ready to leave.
    pub(super) fn value(&self, kind: &DatumKind, canonical: &str) -> SightedValue {
        value::sighted(kind, canonical, self.options.show_pii, self.options.digest_key.as_ref())
    }

    pub fn new(known: &[Known], packs: Vec<Pack>, options: Options) -> Result<Self, DetectorsError> {
        let mut variants = Vec::new();
        for (number, it) in known.iter().enumerate() {
            known::check(it).map_err(|problem| KnownError { problem, span: None })?;
            let first = variants.len();
            variants.extend(forms::variants(number, &it.value));
            forms::pair_integers(&mut variants, first);
        }
        let packs = packs.into_iter().map(Ready::new).collect::<Result<Vec<_>, _>>()?;
        let marker = Marker::new(&packs).map_err(|problem| DetectorsError::TooMuch(problem.to_owned()))?;
        let sieve = |binary: bool| {
            Sieve::new(
                variants
                    .iter()
                    .map(|it| if it.binary == binary { it.pattern.as_slice() } else { &[] }),
            )
        };
        let (sieve, bytes) = (sieve(false), sieve(true));
        Ok(Self {
            known: known.to_vec(),
            weak_variants: variants.iter().filter(|it| it.bits < STRONG_BITS && it.counts_as.is_none()).count(),
            variants,
            packs,
            sieve,
            bytes,
            hidden: (!known.is_empty()).then(|| Hidden::new(known, options.limits.salted_digests)),
            marker,
            options,
        })
    }

    /// Salted and keyed digests that are not looked for.
    pub fn left_out(&self) -> u64 {
        self.hidden.as_ref().map_or(0, Hidden::left_out)
    }

    pub fn looks_for_known(&self) -> bool {
        !self.known.is_empty()
    }

    pub fn judge(&self, tally: &Tally) -> Confirmed {
        let faint = self.hidden.as_ref().map(Hidden::faint);
        tally.judge((self.weak_variants, faint.map_or(0, Faint::len)), |variant| {
            let number = usize::try_from(variant).unwrap_or(usize::MAX);
            match (self.variants.get(number), faint) {
                (Some(it), _) => it.bits,
                (None, Some(faint)) => faint.surprise(number.saturating_sub(self.variants.len())),
                (None, None) => 0,
            }
        })
    }

    /// Scans one field; gives back the ceilings it hit.
    pub fn scan<S: Search>(
        &self,
        field: FieldView<'_>,
        tally: &mut Tally,
        room: &mut Room,
        found: &mut dyn FnMut(Found),
    ) -> BTreeMap<&'static str, u64> {
        let limits = &self.options.limits;
        let mut work = Work {
            hits: Vec::new(),
            budget: Budget::of(limits),
            peeling: Peeling::new(field.value.len().saturating_mul(limits.peeled_bytes), limits.peel_attempts, room),
            tally,
        };
        let layer = Layer {
            path: field.path,
            text: field.value,
            payload: field.payload,
            decoded_by: &[],
            run: None,
        };
        self.layer::<S>(&layer, &mut work);
        if let Some(hidden) = &self.hidden {
            self.hidden(hidden, field, &mut work);
        }
        if !work.hits.is_empty() {
            let hits = self.distinct(work.hits);
            let mut members = Members::of(field.value);
            for hit in hits {
                let member = members.at(hit.range.start);
                found(self.found(hit, member));
            }
        }
        work.budget.hit
    }

    fn layer<S: Search>(&self, layer: &Layer<'_>, work: &mut Work<'_>) {
        let text = layer.text;
        if text.is_empty() {
            return;
        }
        let marks = S::marks(self, text);
        let opaque = layer.payload || !marks.textual;
        if self.looks_for_known() {
            let place = opaque.then(|| self.count(layer, work));
            let mut content = None;
            for sieve in [Some(&self.sieve), opaque.then_some(&self.bytes)].into_iter().flatten() {
                sieve.find(text, |number, range| self.known_at(number, layer, range, place, &mut content, work));
            }
        }
        self.by_path(layer, S::named(self, layer.path), opaque, work);
        self.by_key(layer, &marks.keys, opaque, work);
        self.by_anchor::<S>(layer, &marks, opaque, work);
        self.inside::<S>(layer, &marks, work);
    }

    /// Counts opaque bytes for the judgement of chance; gives the place's digest.
    fn count(&self, layer: &Layer<'_>, work: &mut Work<'_>) -> u64 {
        let mut parts = vec![layer.path.as_bytes()];
        parts.extend(layer.decoded_by.iter().map(|step| step.as_bytes()));
        let place = chance::digest(&parts);
        let chance = self.weak_variants > 0 || self.hidden.as_ref().is_some_and(|it| !it.faint().is_empty());
        if chance && !work.tally.scanned(place, layer.text.len(), self.options.limits.weak_places) {
            work.budget.count("weak-places");
        }
        place
    }

    fn known_at(
        &self,
        number: usize,
        layer: &Layer<'_>,
        at: Range<usize>,
        place: Option<u64>,
        content: &mut Option<u64>,
        work: &mut Work<'_>,
    ) {
        let Some(variant) = self.variants.get(number) else {
            return;
        };
        let offset = at.start;
        let Some(range) = variant.verify(layer.text, at) else {
            return;
        };
        let weak = place.filter(|_| is_weak(variant, layer.text, &range)).map(|place| {
            let (stands_for, shift) = variant.counts_as.unwrap_or((number, 0));
            let group = WeakGroup {
                variant: u32::try_from(stands_for).unwrap_or(u32::MAX),
                mask: 0,
                place,
                offset: u64::try_from(offset.saturating_add(shift)).unwrap_or(u64::MAX),
            };
            let content = *content.get_or_insert_with(|| chance::digest(&[layer.text]));
            if !work.tally.hit(group, content, self.options.limits.weak_places) {
                work.budget.count("weak-places");
            }
            group
        });
        let Some(known) = self.known.get(variant.known) else {
            return;
        };
        let hit = Hit {
            canonical: known.value.clone(),
            weak,
            by: By::Known(variant.known),
            ..layer.hit(range, &variant.decoded_by)
        };
        self.keep(hit, work);
    }

    /// The field's path names what its whole value is.
    fn by_path(&self, layer: &Layer<'_>, named: PackSet, opaque: bool, work: &mut Work<'_>) {
        if named.is_empty() {
            return;
        }
        let whole = trimmed(layer.text);
        if whole.is_empty() || whole.len() > hints::LONGEST_VALUE {
            return;
        }
        for number in named.iter() {
            if self.packs.get(number).is_some_and(|ready| ready.looks_under(layer.path)) {
                self.try_value(number, layer, whole.clone(), Named::by_path(layer.path), opaque, work);
            }
        }
    }

    /// A key name inside the text says what the value behind it is.
    fn by_key(&self, layer: &Layer<'_>, keys: &[(usize, Range<usize>)], opaque: bool, work: &mut Work<'_>) {
        let most = layer
            .text
            .len()
            .saturating_mul(self.options.limits.hinted_bytes)
            .max(hints::LONGEST_VALUE);
        let mut left = most;
        let mut scripts = Scripts::default();
        for (number, key) in keys {
            let Some(ready) = self.packs.get(*number) else { continue };
            let Some(range) = hints::value_after(layer.text, key, ready.pack.spaces) else {
                continue;
            };
            let Some(rest) = left.checked_sub(range.len()) else {
                work.budget.count("hinted-bytes");
                return;
            };
            left = rest;
            if ready.looks_under(layer.path) && !scripts.hold_expression(layer.text, key, &range) {
                let named = Named::by_key(layer.text, &range);
                self.try_value(*number, layer, range, named, opaque, work);
            }
        }
    }

    /// Free text in which an anchor occurs.
    fn by_anchor<S: Search>(&self, layer: &Layer<'_>, marks: &Marks, opaque: bool, work: &mut Work<'_>) {
        if marks.anchored.is_empty() {
            return;
        }
        for number in marks.anchored.iter() {
            let Some(ready) = self.packs.get(number).filter(|ready| ready.looks_under(layer.path)) else {
                continue;
            };
            if marks.textual {
                self.in_run(number, ready, layer, 0..layer.text.len(), opaque, work);
                continue;
            }
            let mut from = 0;
            while let Some(run) = S::anchored_run(self, layer.text, marks, from, number) {
                from = run.end;
                self.in_run(number, ready, layer, run, opaque, work);
            }
        }
    }

    /// The matches of a pack in free text.
    fn in_run(&self, number: usize, ready: &Ready, layer: &Layer<'_>, run: Range<usize>, opaque: bool, work: &mut Work<'_>) {
        let Some(text) = layer.text.get(run.clone()) else {
            return;
        };
        for it in ready.anywhere.compiled().into_iter().flat_map(|it| it.find_iter(text)) {
            let beside = |place: Option<usize>| {
                let byte = place.and_then(|i| text.get(i));
                byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_' || ready.pack.not_beside.as_bytes().contains(b))
            };
            if beside(it.start().checked_sub(1)) || beside(Some(it.end())) {
                continue;
            }
            let range = run.start.saturating_add(it.start())..run.start.saturating_add(it.end());
            self.try_value(number, layer, range, Named::No, opaque, work);
        }
    }

    fn try_value(&self, number: usize, layer: &Layer<'_>, range: Range<usize>, how: Named, opaque: bool, work: &mut Work<'_>) {
        let Some((ready, raw)) = self.packs.get(number).zip(layer.text.get(range.clone())) else {
            return;
        };
        let named = how != Named::No;
        let decoded = match how {
            Named::No => None,
            // Nobody escapes here, so a percent sign is one, unless nothing fits but what it would stand for.
            Named::Plainly if !raw.contains(&b'%') || ready.whole.is_match(raw) => None,
            Named::Plainly | Named::Escaped => hints::percent_decoded(raw),
        };
        let value = decoded.as_deref().unwrap_or(raw);
        // What was found by the pattern as it stands needs no second look: patterns do not look around.
        if named && !ready.whole.is_match(value) || ready.refuse.as_ref().is_some_and(|refuse| refuse.is_match(value)) {
            return;
        }
        let candidate = Candidate {
            value,
            before: layer.text.get(..range.start).unwrap_or(&[]),
            path: layer.path,
            around: layer.text,
            named,
            opaque,
        };
        let accepted = match ready.check {
            Some(check) => check(&candidate),
            None => Some(Accepted::plainly(WireText::from_bytes(value).as_str())),
        };
        let Some(accepted) = accepted else { return };
        let part = accepted.part.filter(|_| decoded.is_none());
        let range = match part {
            Some(part) => range.start.saturating_add(part.start)..range.start.saturating_add(part.end),
            None => range,
        };
        let mut steps: Vec<&'static str> = Vec::new();
        if decoded.is_some() {
            steps.push("url");
        }
        steps.extend(accepted.decoded_by);
        let hit = Hit {
            canonical: accepted.canonical,
            by: By::Pack(number),
            ..layer.hit(range, &steps)
        };
        self.keep(hit, work);
    }

    /// What is packed inside is looked at in the same way.
    fn inside<S: Search>(&self, layer: &Layer<'_>, marks: &Marks, work: &mut Work<'_>) {
        let limits = &self.options.limits;
        let deepest = layer.decoded_by.len() >= limits.unpack_depth;
        for it in S::unpack(layer.text, marks, limits, &mut work.budget) {
            if deepest {
                work.budget.count("unpack-depth");
                return;
            }
            let decoded_by: Vec<&'static str> = layer.decoded_by.iter().copied().chain(it.decoded_by).collect();
            let inner = Layer {
                path: layer.path,
                text: &it.bytes,
                payload: false,
                decoded_by: &decoded_by,
                run: Some(layer.run.clone().unwrap_or(it.range)),
            };
            self.layer::<S>(&inner, work);
        }
    }

    pub(super) fn keep(&self, hit: Hit, work: &mut Work<'_>) {
        if work.hits.len() < self.options.limits.findings {
            work.hits.push(hit);
        } else {
            work.budget.count("findings");
        }
    }

    /// Of findings that claim the same bytes the best: a known value before a pattern, an earlier pack before a
    /// later one, the longer encoding of a value before the shorter that is part of it.
    fn distinct(&self, mut hits: Vec<Hit>) -> Vec<Hit> {
        hits.sort_by_key(|hit| {
            let rank = match hit.by {
                By::Known(_) => 0,
                By::Pack(number) => number.saturating_add(1),
            };
            let length = usize::MAX.saturating_sub(hit.range.len());
            (hit.disguise, rank, hit.packed, length, hit.range.start, hit.decoded_by.len())
        });
        let mut kept: Vec<Hit> = Vec::new();
        for hit in hits {
            if !kept.iter().any(|better| self.repeats(&hit, better)) {
                kept.push(hit);
            }
        }
        kept.sort_by(|a, b| (a.range.start, a.range.end, &a.canonical).cmp(&(b.range.start, b.range.end, &b.canonical)));
        kept
    }

    fn repeats(&self, hit: &Hit, better: &Hit) -> bool {
        let overlap = hit.range.start < better.range.end && better.range.start < hit.range.end;
        if !overlap {
            return false;
        }
        let same = hit.canonical.eq_ignore_ascii_case(&better.canonical);
        if hit.packed || better.packed {
            // Several values share one run; `user:password` is one, though it looks like a name and a value.
            let part = matches!((hit.by, better.by), (By::Pack(_), By::Pack(_))) && better.decoded_by == ["base64"] && !better.packed;
            return same || part && hit.packed && better.canonical.contains(&hit.canonical);
        }
        match (hit.by, better.by) {
            (By::Known(one), By::Known(other)) => one == other,
            // What may be something else is told besides.
            _ if hit.disguise == Disguise::WeakDigest => matches!(better.by, By::Known(_)),
            (By::Pack(_), By::Known(_)) => {
                let inside = better.range.start <= hit.range.start && hit.range.end <= better.range.end;
                inside || self.kind(hit.by) == self.kind(better.by)
            }
            _ => true,
        }
    }

    fn kind(&self, by: By) -> DatumKind {
        match by {
            By::Known(number) => self.known.get(number).map(|it| it.kind.clone()),
            By::Pack(number) => self.packs.get(number).map(|it| DatumKind::named(&it.pack.kind)),
        }
        .unwrap_or(DatumKind::CONTENT)
    }

    fn found(&self, hit: Hit, member: String) -> Found {
        let kind = self.kind(hit.by);
        let known = match hit.by {
            By::Known(number) => self.known.get(number),
            By::Pack(_) => None,
        };
        let pack = match hit.by {
            By::Pack(number) => self.packs.get(number),
            By::Known(_) => None,
        };
        Found {
            value: self.value(&kind, &hit.canonical),
            kind,
            detector: pack.map_or_else(|| "known".to_owned(), |it| it.pack.id.clone()),
            known_as: known.map(|it| it.name.clone()),
            member,
            range: hit.range,
            decoded_by: hit.decoded_by,
            weak: hit.weak,
            disguise: hit.disguise,
        }
    }
}

/// Whether a hit among opaque bytes says little. Text that goes on around it makes an accident less likely.
pub(super) fn is_weak(variant: &Variant, text: &[u8], at: &Range<usize>) -> bool {
    if variant.binary || variant.bits >= STRONG_BITS {
        return variant.bits < STRONG_BITS;
    }
    let missing = STRONG_BITS.saturating_sub(variant.bits);
    // 95 of 256 bytes are printable: each neighbour that is adds log2(256 / 95) = 1.43 bits.
    let neighbours = usize::try_from(missing.saturating_mul(100) / 143)
        .unwrap_or(usize::MAX)
        .saturating_add(1);
    let printable = |b: &&u8| b.is_ascii_graphic() || **b == b' ';
    let before = text
        .get(..at.start)
        .unwrap_or(&[])
        .iter()
        .rev()
        .take(neighbours)
        .take_while(printable)
        .count();
    let after = text
        .get(at.end..)
        .unwrap_or(&[])
        .iter()
        .take(neighbours)
        .take_while(printable)
        .count();
    before.saturating_add(after) < neighbours
}

impl Layer<'_> {
    /// A hit at a range of this layer, told in terms of the field.
    fn hit(&self, range: Range<usize>, steps: &[&'static str]) -> Hit {
        Hit {
            packed: self.run.is_some(),
            range: self.run.clone().unwrap_or(range),
            decoded_by: self.decoded_by.iter().chain(steps).copied().collect(),
            canonical: String::new(),
            weak: None,
            disguise: Disguise::None,
            by: By::Pack(usize::MAX),
        }
    }
}

/// The value without white space and one pair of quotes around it.
fn trimmed(text: &[u8]) -> Range<usize> {
    let outer = |b: &u8| b.is_ascii_whitespace() || *b == b'"';
    let start = text.iter().take_while(|b| outer(b)).count();
    let end = text.len().saturating_sub(text.iter().rev().take_while(|b| outer(b)).count());
    start..end.max(start)
}

/// The printable text around a place.
fn printable_around(text: &[u8], place: usize) -> Range<usize> {
    let printable = |b: &&u8| b.is_ascii_graphic() || **b == b' ';
    let before = text.get(..place).unwrap_or(&[]).iter().rev().take_while(printable).count();
    let after = text.get(place..).unwrap_or(&[]).iter().take_while(printable).count();
    place.saturating_sub(before)..place.saturating_add(after)
}
