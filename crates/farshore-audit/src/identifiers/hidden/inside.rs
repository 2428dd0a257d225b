//! What only bytes can be that are no text: containers, UTF-16, compressed streams, and all of these under a mask. It refuses
//! what does not come out as something.

use super::super::scan::{Rules, Work};
use super::streams::{self, Headless};
use super::survey::Survey;
use super::{Chain, Hidden, Inflater, LAYERS, Node, Peel, containers, escapes, masks};

/// Containers within containers.
const NESTED: usize = 4;
/// Streams without a header are tried under all masks up to this length.
const MASKED_STREAM: usize = 256;

impl Rules {
    pub(super) fn in_bytes(&self, hidden: &Hidden, node: &Node<'_>, survey: &Survey, work: &mut Work<'_>) {
        if node.containers < NESTED {
            self.contained(hidden, node, work);
        }
        if node.layers >= LAYERS {
            return;
        }
        if survey.has_zero() {
            escapes::utf16(node.text, &mut |it| self.peeled(hidden, node, it, work));
        }
        self.streams(hidden, node, work);
        let guessed = masks::guesses(node.text).into_iter();
        for mask in guessed.chain(masks::of_utf16(node.text)).chain(masks::of_stream(node.text)) {
            let mut bytes = work.peeling.text();
            bytes.extend(node.text.iter().map(|it| it ^ mask));
            let peel = Peel {
                range: 0..node.text.len(),
                step: "xor",
                bytes: &bytes,
                whole: node.whole,
            };
            self.child(hidden, node, &peel, work);
            work.peeling.done(bytes);
        }
    }

    /// Parts of containers, which are no layer.
    fn contained(&self, hidden: &Hidden, node: &Node<'_>, work: &mut Work<'_>) {
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

    /// Compressed streams, with a header and without one.
    fn streams(&self, hidden: &Hidden, node: &Node<'_>, work: &mut Work<'_>) {
        let mut after = 0;
        for at in streams::headers(node.text) {
            if at < after {
                continue;
            }
            let Some(text) = node.text.get(at..) else { continue };
            if let Some((step, bytes)) = self.unpacked(work, |most, inflater| streams::with_header(text, most, inflater)) {
                // What a stream holds is no further stream; a header by chance gives little.
                after = at.saturating_add(if bytes.len() >= 64 { 32 } else { 1 });
                let range = at..node.text.len();
                self.unpacked_child(hidden, node, Unpacked { range, step, bytes }, work);
            }
        }
        if !node.whole || node.payload && node.containers == 0 {
            return;
        }
        // What only seemed to be digits of an encoding is many words: the quick look must do.
        for unpack in if node.entire { streams::HEADLESS } else { streams::LIKELY } {
            if let Some((step, bytes)) = self.unpacked(work, |most, inflater| unpack(node.text, most, inflater)) {
                let range = 0..node.text.len();
                self.unpacked_child(hidden, node, Unpacked { range, step, bytes }, work);
            }
        }
        if node.entire && node.text.len() <= MASKED_STREAM && node.layers.saturating_add(1) < LAYERS {
            self.masked_stream(hidden, node, work);
        }
    }

    fn unpacked_child(&self, hidden: &Hidden, node: &Node<'_>, it: Unpacked, work: &mut Work<'_>) {
        let peel = Peel {
            range: it.range,
            step: it.step,
            bytes: &it.bytes,
            whole: true,
        };
        self.child(hidden, node, &peel, work);
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
        let all = (1..=255_u8).flat_map(|mask| streams::LIKELY.map(|it: Headless| (mask, it)));
        for (mask, unpack) in all {
            for byte in &mut bytes {
                *byte ^= mask ^ last;
            }
            last = mask;
            let Some((step, plain)) = self.unpacked(work, |most, inflater| unpack(&bytes, most, inflater)) else {
                continue;
            };
            let mut survey = work.peeling.room.surveys.pop().unwrap_or_default();
            survey.look(&plain);
            let likely = survey.textual || streams::headers(&plain).next() == Some(0) || half_zero(&plain);
            work.peeling.room.surveys.push(survey);
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
            let range = 0..bytes.len();
            self.unpacked_child(hidden, &under, Unpacked { range, step, bytes: plain }, work);
        }
    }

    fn unpacked(
        &self,
        work: &mut Work<'_>,
        unpack: impl FnOnce(usize, &mut Inflater) -> Option<(&'static str, Vec<u8>)>,
    ) -> Option<(&'static str, Vec<u8>)> {
        let most = work.peeling.bytes.min(self.options.limits.unpacked_bytes);
        let it = unpack(most, &mut work.peeling.room.inflater)?;
        let Some(left) = work.peeling.attempts.checked_sub(1) else {
            work.budget.count("peel-attempts");
            return None;
        };
        work.peeling.attempts = left;
        Some(it)
    }
}

/// What a stream gave.
struct Unpacked {
    range: std::ops::Range<usize>,
    step: &'static str,
    bytes: Vec<u8>,
}

/// Whether it may be text in UTF-16.
fn half_zero(text: &[u8]) -> bool {
    let zeros = text.iter().filter(|it| **it == 0).count();
    zeros.saturating_mul(2) == text.len()
}
