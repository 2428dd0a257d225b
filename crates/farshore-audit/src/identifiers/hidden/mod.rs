//! Known values, however hidden: up to three layers of encodings are peeled off, and what comes out is looked at for the
//! values, for their digests, and for either under a mask.
//!
//! Layers are escapes and encodings of text ([`escapes`]), base64, compressed [`streams`] and [masks] of one byte;
//! [`containers`] are opened and count as none. [`digests`] are computed beforehand. What cannot be peeled without a guess
//! is looked for as it would stand there. Refused: ciphers, and anything for which the only evidence is that it could be.

mod containers;
mod digests;
mod escapes;
mod masks;
mod murmur;
mod spellings;
mod streams;

use std::ops::Range;

use ahash::HashMap;

use farshore_model::sighting::Disguise;

use super::FieldView;
use super::base64::{self, Alphabet};
use super::known::Known;
use super::scan::{By, Hit, Rules, Work};
use digests::{Digests, Meaning};
use escapes::Plain;
use masks::Masks;
pub(super) use streams::Inflater;

/// Layers that are peeled off, one over another.
const LAYERS: usize = 3;
/// Containers within containers.
const NESTED: usize = 4;
/// Shorter than this nothing that is known can be.
const SHORTEST: usize = 4;
/// Shorter runs of digits of an encoding are words.
const SHORTEST_RUN: usize = 8;
/// Streams without a header are tried under all masks up to this length.
const MASKED_STREAM: usize = 256;
/// A field is never allowed to make less than this.
const LEAST_ROOM: usize = 1 << 16;

/// What is looked for beneath layers.
#[derive(Debug)]
pub(super) struct Hidden {
    masks: Masks,
    /// What each number of the masks is.
    meanings: Vec<Meaning>,
    digests: Digests,
    /// Telephone numbers by their digits.
    phones: HashMap<Vec<u8>, usize>,
}

/// What peeling one field may still use.
pub(super) struct Peeling<'a> {
    bytes: usize,
    attempts: usize,
    /// Nodes that are tried as a stream under each of 255 masks.
    masked_streams: usize,
    inflater: &'a mut Inflater,
    room: Vec<u8>,
}

impl<'a> Peeling<'a> {
    pub fn new(bytes: usize, attempts: usize, inflater: &'a mut Inflater) -> Self {
        Self {
            bytes: bytes.max(LEAST_ROOM),
            attempts,
            masked_streams: attempts / 64,
            inflater,
            room: Vec::new(),
        }
    }
}

/// The steps from a field to some bytes, the last first.
struct Chain<'a> {
    step: &'static str,
    before: Option<&'a Chain<'a>>,
}

impl Chain<'_> {
    fn steps(&self, more: &[&'static str]) -> Vec<&'static str> {
        let mut all = Vec::new();
        let mut next = Some(self);
        while let Some(it) = next {
            if !it.step.is_empty() {
                all.push(it.step);
            }
            next = it.before;
        }
        all.reverse();
        all.extend(more);
        all
    }
}

/// Bytes to be looked at.
struct Node<'a> {
    text: &'a [u8],
    chain: &'a Chain<'a>,
    /// Where in the field its first byte is; `None`: it was made from all of `run`.
    offset: Option<usize>,
    /// The part of the field it was made from.
    run: Range<usize>,
    layers: usize,
    containers: usize,
    /// It is delimited by its format, rather than by where it seemed to begin and end.
    whole: bool,
    /// It is a field, or part of a container, or was made from all of one.
    entire: bool,
    /// Raw payload of a flow.
    payload: bool,
}

impl Node<'_> {
    fn place(&self, range: &Range<usize>) -> Range<usize> {
        match self.offset {
            Some(offset) => offset.saturating_add(range.start)..offset.saturating_add(range.end),
            None => self.run.clone(),
        }
    }
}

impl Hidden {
    pub fn new(known: &[Known], most_salted: usize) -> Self {
        let digests = Digests::new(known, most_salted);
        let mut phones = HashMap::default();
        let (mut looked_for, mut meanings) = (Vec::new(), Vec::new());
        for (number, it) in known.iter().enumerate() {
            for preimage in spellings::preimages(it) {
                looked_for.push((preimage.bytes, false));
                meanings.push(Meaning {
                    known: number,
                    steps: Vec::new(),
                });
            }
            if spellings::is_phone(it) {
                for text in spellings::phone(&it.value) {
                    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_digit).collect();
                    phones.entry(digits).or_insert(number);
                }
            }
        }
        for (digest, meaning) in &digests.strong {
            looked_for.push((digest.clone(), true));
            meanings.push(meaning.clone());
        }
        Self {
            masks: Masks::new(looked_for),
            meanings,
            digests,
            phones,
        }
    }

    /// Salted and keyed digests that are not looked for: there were too many pairs of values.
    pub fn left_out(&self) -> u64 {
        self.digests.left_out
    }
}

impl Rules {
    /// Looks for what is hidden in a field; what stands there openly is found by others.
    pub(super) fn hidden(&self, hidden: &Hidden, field: FieldView<'_>, work: &mut Work<'_>) {
        let root = Chain { step: "", before: None };
        let node = Node {
            text: field.value,
            chain: &root,
            offset: Some(0),
            run: 0..field.value.len(),
            layers: 0,
            containers: 0,
            whole: true,
            entire: true,
            payload: field.payload,
        };
        self.node(hidden, &node, false, work);
    }

    /// `fresh`: no one looked at these bytes yet.
    fn node(&self, hidden: &Hidden, node: &Node<'_>, fresh: bool, work: &mut Work<'_>) {
        if node.text.len() < SHORTEST {
            return;
        }
        let textual = is_textual(node.text);
        if fresh {
            self.openly(node, textual, work);
        }
        if !textual || node.layers > 0 || node.containers > 0 {
            self.masked(hidden, node, work);
        }
        if textual && !hidden.phones.is_empty() {
            self.phones(hidden, node, work);
        }
        if node.layers < LAYERS {
            escapes::escaped(node.text, &mut |it| self.peeled(hidden, node, it, work));
        }
        self.runs(hidden, node, textual, work);
        if !textual {
            self.binary(hidden, node, work);
        }
    }

    /// Values in bytes that were peeled.
    fn openly(&self, node: &Node<'_>, textual: bool, work: &mut Work<'_>) {
        self.sieve.find(node.text, |number, at| {
            let Some(variant) = self.variants.get(number) else { return };
            let Some(range) = variant.verify(node.text, at) else { return };
            // Numbers of a few bytes mean nothing among bytes that few others were taken from.
            let few = |range: &Range<usize>| super::scan::is_weak(variant, node.text, range);
            if textual && variant.binary || !textual && few(&range) && !(node.whole && range.len() == node.text.len() && variant.bits >= 40)
            {
                return;
            }
            self.hit(node, &range, variant.known, &variant.decoded_by, Disguise::None, work);
        });
    }

    /// Values under a mask, and digests.
    fn masked(&self, hidden: &Hidden, node: &Node<'_>, work: &mut Work<'_>) {
        let mut room = std::mem::take(&mut work.peeling.room);
        hidden.masks.find(node.text, node.whole, &mut room, |number, range, masked| {
            let Some(meaning) = hidden.meanings.get(number) else { return };
            let mask: &[&'static str] = if masked { &["xor"] } else { &[] };
            let steps = [mask, &meaning.steps].concat();
            let disguise = if meaning.steps.is_empty() {
                Disguise::None
            } else {
                Disguise::Digest
            };
            self.hit(node, &range, meaning.known, &steps, disguise, work);
        });
        work.peeling.room = room;
        let delimited = node.whole && !node.payload && node.layers > 0;
        if let Ok(digest) = <&[u8; 4]>::try_from(node.text)
            && delimited
        {
            self.weak(hidden, node, &(0..4), u32::from_be_bytes(*digest), &[], work);
            self.weak(hidden, node, &(0..4), u32::from_le_bytes(*digest), &[], work);
        }
    }

    fn weak(&self, hidden: &Hidden, node: &Node<'_>, range: &Range<usize>, digest: u32, steps: &[&'static str], work: &mut Work<'_>) {
        for meaning in hidden.digests.weak(digest) {
            let steps = [steps, &meaning.steps].concat();
            self.hit(node, range, meaning.known, &steps, Disguise::WeakDigest, work);
        }
    }

    fn hit(&self, node: &Node<'_>, range: &Range<usize>, known: usize, steps: &[&'static str], disguise: Disguise, work: &mut Work<'_>) {
        let Some(it) = self.known.get(known) else { return };
        let hit = Hit {
            range: node.place(range),
            packed: node.offset.is_none(),
            decoded_by: node.chain.steps(steps),
            canonical: it.value.clone(),
            weak: None,
            disguise,
            by: By::Known(known),
        };
        self.keep(hit, work);
    }

    fn peeled(&self, hidden: &Hidden, node: &Node<'_>, it: Plain, work: &mut Work<'_>) {
        let whole = node.whole && it.range.len() == node.text.len() || is_value(node.text, &it.range);
        self.child(hidden, node, &it.range, it.step, &it.bytes, whole, work);
    }

    #[expect(clippy::too_many_arguments, reason = "one call stands for one layer")]
    fn child(
        &self,
        hidden: &Hidden,
        node: &Node<'_>,
        range: &Range<usize>,
        step: &'static str,
        bytes: &[u8],
        whole: bool,
        work: &mut Work<'_>,
    ) {
        let Some(left) = work.peeling.bytes.checked_sub(bytes.len()) else {
            work.budget.count("peeled-bytes");
            return;
        };
        work.peeling.bytes = left;
        let chain = Chain {
            step,
            before: Some(node.chain),
        };
        let child = Node {
            text: bytes,
            chain: &chain,
            offset: None,
            run: node.place(range),
            layers: node.layers.saturating_add(1),
            containers: node.containers,
            whole,
            entire: node.entire && range.len() == node.text.len(),
            payload: false,
        };
        self.node(hidden, &child, true, work);
    }

    /// What only bytes can be that are no text.
    fn binary(&self, hidden: &Hidden, node: &Node<'_>, work: &mut Work<'_>) {
        if node.containers < NESTED {
            for part in containers::parts(node.text) {
                let (range, unmasked) = (part.range.clone(), part.unmasked.as_deref());
                let Some(text) = unmasked.or_else(|| node.text.get(range.clone())) else {
                    continue;
                };
                let chain = Chain {
                    step: part.step,
                    before: Some(node.chain),
                };
                let child = Node {
                    text,
                    chain: &chain,
                    offset: node.offset.filter(|_| unmasked.is_none()).map(|it| it.saturating_add(range.start)),
                    run: node.place(&range),
                    layers: node.layers,
                    containers: node.containers.saturating_add(1),
                    whole: true,
                    entire: true,
                    payload: false,
                };
                self.node(hidden, &child, unmasked.is_some(), work);
            }
        }
        if node.layers >= LAYERS {
            return;
        }
        escapes::utf16(node.text, &mut |it| self.peeled(hidden, node, it, work));
        let mut after = 0;
        for at in streams::headers(node.text) {
            if at < after {
                continue;
            }
            let Some(text) = node.text.get(at..) else { continue };
            if let Some((name, bytes)) = self.unpacked(work, |most, inflater| streams::with_header(text, most, inflater)) {
                // What a stream holds is no further stream; a header by chance gives little.
                after = at.saturating_add(if bytes.len() >= 64 { 32 } else { 1 });
                self.child(hidden, node, &(at..node.text.len()), name, &bytes, true, work);
            }
        }
        let all = 0..node.text.len();
        if node.whole && !(node.payload && node.containers == 0) {
            // What only seemed to be digits of an encoding is many words: the quick look must do.
            for unpack in if node.entire { streams::HEADLESS } else { streams::LIKELY } {
                if let Some((name, bytes)) = self.unpacked(work, |most, inflater| unpack(node.text, most, inflater)) {
                    self.child(hidden, node, &all, name, &bytes, true, work);
                }
            }
            if node.entire && node.text.len() <= MASKED_STREAM && node.layers.saturating_add(1) < LAYERS {
                self.masked_stream(hidden, node, work);
            }
        }
        let masks = masks::guesses(node.text).into_iter();
        for mask in masks.chain(masks::of_utf16(node.text)).chain(masks::of_stream(node.text)) {
            let bytes: Vec<u8> = node.text.iter().map(|it| it ^ mask).collect();
            self.child(hidden, node, &all, "xor", &bytes, node.whole, work);
        }
    }

    /// A stream without a header, under any mask: what comes out must be text.
    fn masked_stream(&self, hidden: &Hidden, node: &Node<'_>, work: &mut Work<'_>) {
        let Some(left) = work.peeling.masked_streams.checked_sub(1) else {
            work.budget.count("peel-attempts");
            return;
        };
        work.peeling.masked_streams = left;
        let mut bytes = node.text.to_vec();
        let mut last = 0;
        for (mask, unpack) in (1..=255_u8).flat_map(|mask| streams::LIKELY.map(|it| (mask, it))) {
            for byte in &mut bytes {
                *byte ^= mask ^ last;
            }
            last = mask;
            let Some((name, plain)) = self.unpacked(work, |most, inflater| unpack(&bytes, most, inflater)) else {
                continue;
            };
            let likely = is_textual(&plain) || streams::headers(&plain).next() == Some(0) || half_zero(&plain);
            if !likely {
                continue;
            }
            let chain = Chain {
                step: "xor",
                before: Some(node.chain),
            };
            let under = Node {
                text: &bytes,
                chain: &chain,
                offset: None,
                run: node.place(&(0..node.text.len())),
                layers: node.layers.saturating_add(1),
                containers: node.containers,
                whole: true,
                entire: true,
                payload: false,
            };
            self.child(hidden, &under, &(0..bytes.len()), name, &plain, true, work);
        }
    }

    fn unpacked(
        &self,
        work: &mut Work<'_>,
        unpack: impl FnOnce(usize, &mut Inflater) -> Option<(&'static str, Vec<u8>)>,
    ) -> Option<(&'static str, Vec<u8>)> {
        let most = work.peeling.bytes.min(self.options.limits.unpacked_bytes);
        let it = unpack(most, work.peeling.inflater)?;
        let Some(left) = work.peeling.attempts.checked_sub(1) else {
            work.budget.count("peel-attempts");
            return None;
        };
        work.peeling.attempts = left;
        Some(it)
    }

    /// Runs of digits of an encoding, and numbers that may be digests.
    fn runs(&self, hidden: &Hidden, node: &Node<'_>, textual: bool, work: &mut Work<'_>) {
        let mut at = 0_usize;
        let mut lines_until = 0_usize;
        while let Some(rest) = node.text.get(at..).filter(|it| it.len() >= SHORTEST) {
            let mut any = 0_u8;
            let length = rest
                .iter()
                .take_while(|byte| {
                    let class = class(**byte);
                    any |= class;
                    class != 0
                })
                .count();
            let range = at..at.saturating_add(length);
            at = range.end.saturating_add(1);
            if range.len() >= SHORTEST_RUN {
                if range.start >= lines_until
                    && let Some(end) = end_of_lines(node.text, &range)
                {
                    lines_until = end;
                    self.lines(hidden, node, range.start..end, work);
                }
                self.run(hidden, node, range.clone(), any, textual, work);
            }
            if range.len() >= SHORTEST && any & !DECIMAL == 0 {
                self.number(hidden, node, &range, work);
            }
        }
    }

    fn run(&self, hidden: &Hidden, node: &Node<'_>, range: Range<usize>, any: u8, textual: bool, work: &mut Work<'_>) {
        if any & SPECIAL == 0 {
            self.plain_run(hidden, node, range, any, textual, work);
            return;
        }
        self.base64_run(hidden, node, &range, any, textual, work);
        let Some(text) = node.text.get(range.clone()) else { return };
        let mut start = range.start;
        for part in text.split(|byte| base64::is_special(*byte)) {
            let part_range = start..start.saturating_add(part.len());
            start = part_range.end.saturating_add(1);
            if part.len() >= SHORTEST_RUN {
                let any = part.iter().fold(0, |any, byte| any | class(*byte));
                self.plain_run(hidden, node, part_range, any, textual, work);
            }
        }
    }

    /// A run of letters and digits alone.
    fn plain_run(&self, hidden: &Hidden, node: &Node<'_>, range: Range<usize>, any: u8, textual: bool, work: &mut Work<'_>) {
        let Some(run) = node.text.get(range.clone()) else { return };
        if run.starts_with(b"0x") && run.len() >= 10 {
            self.hex_run(hidden, node, range.start.saturating_add(2)..range.end, work);
        }
        let hex = |any: u8| any & !(HEX_LOWER | HEX_UPPER | DECIMAL) == 0;
        if hex(any) {
            if range.len() == 8 && is_value(node.text, &range) {
                let digits = str::from_utf8(run).ok().and_then(|it| u32::from_str_radix(it, 16).ok());
                if let Some(digest) = digits {
                    self.weak(hidden, node, &range, digest, &["hex"], work);
                    self.weak(hidden, node, &range, digest.swap_bytes(), &["hex"], work);
                }
            }
            self.hex_run(hidden, node, range.clone(), work);
        }
        if !textual || !hex(any) {
            // A length before it, or a tag behind it, may look like one of its digits.
            for (skip, cut) in [(1, 0), (0, 1), (1, 1)] {
                let part = range.start.saturating_add(skip)..range.end.saturating_sub(cut);
                let any = node
                    .text
                    .get(part.clone())
                    .unwrap_or(&[])
                    .iter()
                    .fold(0, |any, byte| any | class(*byte));
                if !textual && hex(any) && part.len() >= SHORTEST_RUN {
                    self.hex_run(hidden, node, part, work);
                }
            }
        }
        self.base32_run(hidden, node, &range, textual, work);
        let hex_only = hex(any) && range.len() >= 12;
        if !hex_only {
            self.base64_run(hidden, node, &range, any, textual, work);
        }
    }

    fn hex_run(&self, hidden: &Hidden, node: &Node<'_>, range: Range<usize>, work: &mut Work<'_>) {
        let mut bytes = Vec::new();
        escapes::hex(node.text.get(range.clone()).unwrap_or(&[]), &mut bytes);
        let whole = range.len().is_multiple_of(2);
        self.decoded(hidden, node, &range, "hex", &bytes, whole, work);
    }

    fn base32_run(&self, hidden: &Hidden, node: &Node<'_>, range: &Range<usize>, textual: bool, work: &mut Work<'_>) {
        for skip in 0..=usize::from(!textual) {
            let range = range.start.saturating_add(skip)..range.end;
            let Some(run) = node.text.get(range.clone()) else { return };
            let lower = run.iter().any(u8::is_ascii_lowercase);
            let upper = run.iter().any(u8::is_ascii_uppercase);
            let digits = run.iter().any(u8::is_ascii_digit);
            // A word in lower case is a word.
            if lower && upper || !lower && !upper || lower && !digits && run.len() < 24 && !is_value(node.text, &range) {
                continue;
            }
            let mut bytes = Vec::new();
            escapes::base32(run, &mut bytes);
            if !bytes.is_empty() {
                let padding = padding(node.text, range.end, 6);
                self.decoded(
                    hidden,
                    node,
                    &(range.start..range.end.saturating_add(padding)),
                    "base32",
                    &bytes,
                    true,
                    work,
                );
            }
        }
    }

    fn base64_run(&self, hidden: &Hidden, node: &Node<'_>, range: &Range<usize>, any: u8, textual: bool, work: &mut Work<'_>) {
        for skip in 0..=usize::from(!textual) {
            let range = range.start.saturating_add(skip)..range.end;
            let Some(run) = node.text.get(range.clone()) else { return };
            if is_word(run, any, is_value(node.text, &range)) {
                return;
            }
            let alphabet = if run.iter().any(|it| matches!(it, b'-' | b'_')) {
                Alphabet::Url
            } else {
                Alphabet::Standard
            };
            let bytes = base64::decode_prefix(run, alphabet);
            let padding = padding(node.text, range.end, 2);
            self.decoded(
                hidden,
                node,
                &(range.start..range.end.saturating_add(padding)),
                "base64",
                &bytes,
                true,
                work,
            );
        }
    }

    /// Base64 over several lines (RFC 2045 section 6.8).
    fn lines(&self, hidden: &Hidden, node: &Node<'_>, range: Range<usize>, work: &mut Work<'_>) {
        let text = node.text.get(range.clone()).unwrap_or(&[]);
        let joined: Vec<u8> = text.iter().copied().filter(|it| !matches!(it, b'\r' | b'\n')).collect();
        let bytes = base64::decode_prefix(&joined, Alphabet::Standard);
        self.decoded(hidden, node, &range, "base64", &bytes, true, work);
    }

    /// What a run of digits stands for.
    #[expect(clippy::too_many_arguments, reason = "one call stands for one layer")]
    fn decoded(
        &self,
        hidden: &Hidden,
        node: &Node<'_>,
        range: &Range<usize>,
        step: &'static str,
        bytes: &[u8],
        whole: bool,
        work: &mut Work<'_>,
    ) {
        if node.layers < LAYERS {
            self.child(hidden, node, range, step, bytes, whole, work);
            return;
        }
        // Digests are written in digits: that is no layer of its own.
        let chain = Chain {
            step,
            before: Some(node.chain),
        };
        let last = Node {
            text: bytes,
            chain: &chain,
            offset: None,
            run: node.place(range),
            layers: node.layers.saturating_add(1),
            containers: node.containers,
            whole,
            entire: false,
            payload: false,
        };
        self.masked(hidden, &last, work);
    }

    /// A decimal number that is a value by itself.
    fn number(&self, hidden: &Hidden, node: &Node<'_>, range: &Range<usize>, work: &mut Work<'_>) {
        let Some(run) = node.text.get(range.clone()).filter(|run| run.len() <= 10 && !run.starts_with(b"0")) else {
            return;
        };
        if let Some(digest) = str::from_utf8(run).ok().and_then(|it| it.parse().ok())
            && !hidden.digests.weak(digest).is_empty()
            && is_value(node.text, range)
        {
            self.weak(hidden, node, range, digest, &["decimal"], work);
        }
    }

    /// Telephone numbers with any separators, or none.
    fn phones(&self, hidden: &Hidden, node: &Node<'_>, work: &mut Work<'_>) {
        let groups = groups(node.text);
        if groups.is_empty() {
            return;
        }
        for (first, group) in groups.iter().enumerate() {
            let mut digits: Vec<u8> = Vec::new();
            let mut end = group.start;
            for next in groups.iter().skip(first) {
                let between = node.text.get(end..next.start).unwrap_or(&[]);
                if next.start > group.start && (between.is_empty() || between.len() > 3 || !between.iter().all(is_separator)) {
                    break;
                }
                // A zero in parentheses is dialled within the country only.
                let optional = node.text.get(next.clone()) == Some(b"0") && between.ends_with(b"(");
                if !optional {
                    digits.extend_from_slice(node.text.get(next.clone()).unwrap_or(&[]));
                }
                end = next.end;
                if digits.len() > 17 {
                    break;
                }
                let abroad = digits.strip_prefix(b"00").unwrap_or(&digits);
                let Some(known) = hidden.phones.get(&digits).or_else(|| hidden.phones.get(abroad)) else {
                    continue;
                };
                let range = group.start..end;
                let value = self.known.get(*known).map(|it| it.value.as_bytes());
                // As it is known it is found anyway.
                if node.text.get(range.clone()) != value.map(|it| it.strip_prefix(b"+").unwrap_or(it)) {
                    self.hit(node, &range, *known, &["separators"], Disguise::None, work);
                }
            }
        }
    }
}

fn is_separator(byte: &u8) -> bool {
    matches!(byte, b' ' | b'-' | b'.' | b'/' | b'(' | b')')
}

/// Groups of digits that may belong to a telephone number: seven digits and more, with nothing but separators between them.
fn groups(text: &[u8]) -> Vec<Range<usize>> {
    let mut all: Vec<Range<usize>> = Vec::new();
    let (mut digits, mut first, mut at) = (0_usize, 0_usize, 0_usize);
    while let Some(rest) = text.get(at..) {
        let Some(skipped) = rest.iter().position(u8::is_ascii_digit) else {
            break;
        };
        let apart = skipped > 3 || !rest.iter().take(skipped).all(is_separator);
        if apart {
            // Too few for a number.
            if digits < 7 {
                all.truncate(first);
            }
            (digits, first) = (0, all.len());
        }
        let start = at.saturating_add(skipped);
        let length = rest.iter().skip(skipped).take_while(|it| it.is_ascii_digit()).count();
        digits = digits.saturating_add(length);
        at = start.saturating_add(length);
        all.push(start..at);
    }
    if digits < 7 {
        all.truncate(first);
    }
    all
}

/// Whether it may be text in UTF-16.
fn half_zero(text: &[u8]) -> bool {
    let zeros = text.iter().filter(|it| **it == 0).count();
    zeros.saturating_mul(2) == text.len()
}

/// Whether it is UTF-8 without control characters but those of lines.
fn is_textual(text: &[u8]) -> bool {
    let (mut control, mut high) = (false, false);
    for byte in text {
        control |= *byte < 0x20 && !matches!(byte, b'\t' | b'\r' | b'\n') || *byte == 0x7f;
        high |= *byte >= 0x80;
    }
    !control && (!high || str::from_utf8(text).is_ok())
}

const HEX_LOWER: u8 = 1;
const LOWER: u8 = 2;
const HEX_UPPER: u8 = 4;
const UPPER: u8 = 8;
const DECIMAL: u8 = 16;
const SPECIAL: u8 = 32;

/// What a byte can be a digit of; nothing: of no encoding.
fn class(byte: u8) -> u8 {
    static CLASSES: [u8; 256] = classes();
    CLASSES.get(usize::from(byte)).copied().unwrap_or(0)
}

#[expect(clippy::indexing_slicing, reason = "computed by the compiler, which refuses a place outside")]
const fn classes() -> [u8; 256] {
    let mut all = [0; 256];
    let mut byte = 0_u8;
    loop {
        all[byte as usize] = match byte {
            b'a'..=b'f' => HEX_LOWER,
            b'g'..=b'z' => LOWER,
            b'A'..=b'F' => HEX_UPPER,
            b'G'..=b'Z' => UPPER,
            b'0'..=b'9' => DECIMAL,
            b'+' | b'/' | b'-' | b'_' => SPECIAL,
            _ => 0,
        };
        let Some(next) = byte.checked_add(1) else { return all };
        byte = next;
    }
}

/// Whether a run is words or a number rather than base64: nothing of the one case, or of it only how words begin.
/// `value`: it is all of a value, where words are fewer.
fn is_word(run: &[u8], any: u8, value: bool) -> bool {
    let digits = any & DECIMAL != 0;
    let lower = any & (LOWER | HEX_LOWER) != 0;
    let upper = any & (UPPER | HEX_UPPER) != 0;
    if !lower && !upper {
        return true;
    }
    if run.len() >= 256 {
        return false;
    }
    match (lower, upper) {
        (true, true) if digits => false,
        (true, true) => {
            let begins = |place: usize| place == 0 || run.get(place.wrapping_sub(1)).is_some_and(|it| base64::is_special(*it));
            let inside = run.iter().enumerate().any(|(place, it)| it.is_ascii_uppercase() && !begins(place));
            !inside && !run.contains(&b'+')
        }
        _ => !(digits && value),
    }
}

fn padding(text: &[u8], at: usize, most: usize) -> usize {
    text.get(at..)
        .unwrap_or(&[])
        .iter()
        .take(most)
        .take_while(|it| **it == b'=')
        .count()
}

/// Where the lines end of which this run is the first.
fn end_of_lines(text: &[u8], run: &Range<usize>) -> Option<usize> {
    if run.len() < 60 || !run.len().is_multiple_of(4) {
        return None;
    }
    let mut end = run.end;
    loop {
        let rest = text.get(end..)?;
        let line = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n"));
        let Some(line) = line else { break };
        let length = line.iter().take_while(|it| class(**it) != 0).count();
        if length == 0 {
            break;
        }
        end = text.len().saturating_sub(line.len()).saturating_add(length);
        if length != run.len() {
            break;
        }
    }
    (end > run.end).then_some(end)
}

/// Whether a run is all of a value: of a parameter, a header, a string or a number of JSON, or of the whole text.
fn is_value(text: &[u8], range: &Range<usize>) -> bool {
    let before = range.start.checked_sub(1).and_then(|at| text.get(at));
    let after = text.get(range.end);
    let spaced = || text.get(..range.start).is_some_and(|it| it.ends_with(b": "));
    let begins = matches!(before, None | Some(b'"' | b'\'' | b'=' | b':' | b'>')) || spaced();
    begins && matches!(after, None | Some(b'"' | b'\'' | b'&' | b';' | b',' | b'}' | b'<' | b'\r' | b'\n'))
}
