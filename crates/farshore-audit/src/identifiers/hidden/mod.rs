//! Known values, however hidden: up to three layers of encodings are peeled off, and what comes out is looked at for the
//! values, for their digests, and for either under a mask.
//!
//! Each text is [surveyed](survey) once; what stands out is peeled: escapes and encodings of text ([`escapes`]), [runs] of
//! digits, what is [inside] bytes that are no text: containers, compressed [`streams`], [masks] of one byte. [`digests`] are
//! computed beforehand. What cannot be peeled without a guess is looked for as it would stand there. Refused: ciphers, and
//! anything for which the only evidence is that it could be.

mod containers;
mod digests;
mod escapes;
mod faint;
mod found;
mod inside;
mod masks;
mod murmur;
mod phones;
mod runs;
mod spellings;
mod streams;
mod survey;

use std::ops::Range;

use super::FieldView;
use super::forms;
use super::known::Known;
use super::scan::{Rules, Work};
use digests::{Digests, Meaning};
use escapes::Plain;
pub(super) use faint::Faint;
use masks::Masks;
use phones::Phones;
pub(super) use streams::Inflater;
use survey::Survey;

/// Layers that are peeled off, one over another.
const LAYERS: usize = 3;
/// Shorter than this nothing that is known can be.
const SHORTEST: usize = 4;
/// A field is never allowed to make less than this.
const LEAST_ROOM: usize = 1 << 16;

/// What is looked for beneath layers.
#[derive(Debug)]
pub(super) struct Hidden {
    masks: Masks,
    /// What each number of the masks is.
    meanings: Vec<Meaning>,
    /// How many of them are values themselves; the others are digests.
    values: usize,
    faint: Faint,
    digests: Digests,
    phones: Phones,
}

impl Hidden {
    pub fn new(known: &[Known], most_salted: usize) -> Self {
        let digests = Digests::new(known, most_salted);
        let (mut looked_for, mut meanings) = (Vec::new(), Vec::new());
        for (number, it) in known.iter().enumerate() {
            for preimage in spellings::preimages(it) {
                looked_for.push((preimage.bytes, false));
                meanings.push(Meaning {
                    known: number,
                    steps: Vec::new(),
                });
            }
            for (bytes, step) in forms::integers(&it.value) {
                looked_for.push((bytes, false));
                meanings.push(Meaning {
                    known: number,
                    steps: vec![step],
                });
            }
        }
        let values = looked_for.len();
        for (digest, meaning) in &digests.strong {
            looked_for.push((digest.clone(), true));
            meanings.push(meaning.clone());
        }
        Self {
            masks: Masks::new(looked_for),
            meanings,
            values,
            faint: Faint::new(known),
            digests,
            phones: Phones::of(known),
        }
    }

    /// Short values that are looked for under masks.
    pub const fn faint(&self) -> &Faint {
        &self.faint
    }

    /// Salted and keyed digests that are not looked for: there were too many pairs of values.
    pub fn left_out(&self) -> u64 {
        self.digests.left_out
    }
}

/// What peeling one field may still use, and room to work in.
pub(super) struct Peeling<'a> {
    bytes: usize,
    attempts: usize,
    /// Nodes that are tried as a stream under each of 255 masks.
    masked_streams: usize,
    room: &'a mut Room,
}

/// Room that is kept from one field to the next: what is peeled is mostly small, and there is much of it.
#[derive(Debug, Default)]
pub(super) struct Room {
    inflater: Inflater,
    texts: Vec<Vec<u8>>,
    surveys: Vec<Survey>,
}

impl Clone for Room {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<'a> Peeling<'a> {
    pub fn new(bytes: usize, attempts: usize, room: &'a mut Room) -> Self {
        Self {
            bytes: bytes.max(LEAST_ROOM),
            attempts,
            masked_streams: attempts / 64,
            room,
        }
    }

    /// An empty text to write into.
    fn text(&mut self) -> Vec<u8> {
        self.room.texts.pop().unwrap_or_default()
    }

    /// Gives a text back.
    fn done(&mut self, mut text: Vec<u8>) {
        text.clear();
        self.room.texts.push(text);
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

    /// The steps to what a layer covered.
    const fn chain(&self, peel: &Peel<'_>) -> Chain<'_> {
        Chain {
            step: peel.step,
            before: Some(self.chain),
        }
    }

    /// What a layer covered.
    fn beneath<'p>(&self, peel: &Peel<'p>, chain: &'p Chain<'p>, entire: bool) -> Node<'p> {
        Node {
            text: peel.bytes,
            chain,
            offset: None,
            run: self.place(&peel.range),
            layers: self.layers.saturating_add(1),
            containers: self.containers,
            whole: peel.whole,
            entire,
            payload: false,
        }
    }
}

/// One layer taken off a part of a node.
struct Peel<'a> {
    /// The part of the node.
    range: Range<usize>,
    step: &'static str,
    bytes: &'a [u8],
    whole: bool,
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
        if field.payload {
            self.faint(hidden, &node, field.path, work);
        }
    }

    /// `fresh`: no one looked at these bytes yet.
    fn node(&self, hidden: &Hidden, node: &Node<'_>, fresh: bool, work: &mut Work<'_>) {
        if node.text.len() < SHORTEST {
            return;
        }
        let mut survey = work.peeling.room.surveys.pop().unwrap_or_default();
        survey.look(node.text);
        if fresh {
            self.openly(node, survey.textual, work);
        }
        if !survey.textual || node.layers > 0 || node.containers > 0 {
            self.masked(hidden, node, survey.textual, work);
        }
        if survey.textual && !hidden.phones.is_empty() {
            self.phones(hidden, node, &survey, work);
        }
        if node.layers < LAYERS {
            escapes::escaped(node.text, survey.signs(), &mut |it| self.peeled(hidden, node, it, work));
        }
        self.runs(hidden, node, &survey, work);
        if !survey.textual {
            self.in_bytes(hidden, node, &survey, work);
        }
        work.peeling.room.surveys.push(survey);
    }

    fn peeled(&self, hidden: &Hidden, node: &Node<'_>, it: Plain, work: &mut Work<'_>) {
        let peel = Peel {
            whole: node.whole && it.range.len() == node.text.len() || runs::is_value(node.text, &it.range),
            range: it.range,
            step: it.step,
            bytes: &it.bytes,
        };
        self.child(hidden, node, &peel, work);
    }

    /// Looks at what a layer covered.
    fn child(&self, hidden: &Hidden, node: &Node<'_>, peel: &Peel<'_>, work: &mut Work<'_>) {
        let Some(left) = work.peeling.bytes.checked_sub(peel.bytes.len()) else {
            work.budget.count("peeled-bytes");
            return;
        };
        work.peeling.bytes = left;
        let chain = node.chain(peel);
        let entire = node.entire && peel.range.len() == node.text.len();
        self.node(hidden, &node.beneath(peel, &chain, entire), true, work);
    }
}
