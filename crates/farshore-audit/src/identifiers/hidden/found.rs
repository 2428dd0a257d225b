//! What is told of bytes that were peeled: values that stand there openly, values and digests under a mask, and digests of 32
//! bits, which are weak. It refuses to peel anything.

use std::ops::Range;

use farshore_model::sighting::Disguise;

use super::super::scan::{self, By, Hit, Rules, Work};
use super::{Hidden, Node};

impl Rules {
    /// Values in bytes that were peeled.
    pub(super) fn openly(&self, node: &Node<'_>, textual: bool, work: &mut Work<'_>) {
        // Bytes that a value stands for mean nothing in a text.
        for sieve in [Some(&self.sieve), (!textual).then_some(&self.bytes)].into_iter().flatten() {
            sieve.find(node.text, |number, at| {
                let Some(variant) = self.variants.get(number) else { return };
                let Some(range) = variant.verify(node.text, at) else { return };
                // Numbers of a few bytes mean nothing among bytes that few others were taken from.
                let few = |range: &Range<usize>| scan::is_weak(variant, node.text, range);
                let all_of_it = node.whole && range.len() == node.text.len() && variant.bits >= 40;
                if textual || !few(&range) || all_of_it {
                    self.hit(node, &range, (variant.known, &variant.decoded_by, Disguise::None), work);
                }
            });
        }
    }

    /// Values under a mask, and digests.
    pub(super) fn masked(&self, hidden: &Hidden, node: &Node<'_>, textual: bool, work: &mut Work<'_>) {
        let mut room = work.peeling.text();
        hidden
            .masks
            .find((node.text, textual), node.whole, &mut room, |number, range, masked| {
                let Some(meaning) = hidden.meanings.get(number) else { return };
                let mask: &[&'static str] = if masked { &["xor"] } else { &[] };
                let steps = [mask, &meaning.steps].concat();
                let disguise = if number < hidden.values { Disguise::None } else { Disguise::Digest };
                self.hit(node, &range, (meaning.known, &steps, disguise), work);
            });
        work.peeling.done(room);
        let delimited = node.whole && !node.payload && node.layers > 0;
        if let Ok(digest) = <&[u8; 4]>::try_from(node.text)
            && delimited
        {
            self.weak(hidden, node, &(0..4), (u32::from_be_bytes(*digest), &[]), work);
            self.weak(hidden, node, &(0..4), (u32::from_le_bytes(*digest), &[]), work);
        }
    }

    /// A number of 32 bits, and how it is written, that may be a digest.
    pub(super) fn weak(
        &self,
        hidden: &Hidden,
        node: &Node<'_>,
        range: &Range<usize>,
        (digest, steps): (u32, &[&'static str]),
        work: &mut Work<'_>,
    ) {
        for meaning in hidden.digests.weak(digest) {
            let steps = [steps, &meaning.steps].concat();
            self.hit(node, range, (meaning.known, &steps, Disguise::WeakDigest), work);
        }
    }

    pub(super) fn hit(
        &self,
        node: &Node<'_>,
        range: &Range<usize>,
        (known, steps, disguise): (usize, &[&'static str], Disguise),
        work: &mut Work<'_>,
    ) {
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
}
