//! Whether a server that had accepted a TCP connection fell silent once the client said something: the client's first bytes sent again
//! and again, and none of them acknowledged. It owns what counts as sent again, and refuses to say why nobody answered: a machine that
//! died does it, a path that broke, and a filter that drops what it does not like.

use farshore_model::ledger::{Anomaly, Severity};
use farshore_model::{Direction, Few, Flow, FlowId, InputId, Locus, Span, Timestamp};

use super::live::Track;

/// The first sending, and those that have to follow. Systems wait twice as long each time.
const SENT: u8 = 4;
/// Its count once a silence is told.
const TOLD: u8 = 63;
/// Nanoseconds between two copies that are not one packet captured twice.
const APART: u64 = 100_000_000;
/// Nanoseconds from the connection's first packet to the latest copy: farther than any round trip.
const PATIENCE: u64 = 1_000_000_000;

/// What the client sent for so long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Silent {
    flow: FlowId,
    /// The copy at which patience ended.
    span: Span,
    /// Nanoseconds since the connection's first packet.
    after: u64,
}

/// Takes a packet of a client that has had no answer; `before` is the time of the packet before it.
pub(crate) fn packet(flow: &Flow, track: &mut Track, id: FlowId, sequence: u32, before: Option<Timestamp>, span: Span) -> Option<Silent> {
    if track.unheard() == TOLD || track.unheard_from() != Some(sequence) {
        return None;
    }
    let now = track.latest();
    let since = |then: Option<Timestamp>| now.zip(then).and_then(|(now, then)| now.since(then)).unwrap_or_default();
    if track.unheard() > 0 && since(before) < APART {
        return None;
    }
    let (sent, after) = (track.unheard().saturating_add(1).min(SENT), since(flow.first));
    let told = sent == SENT && after >= PATIENCE;
    track.set_unheard(if told { TOLD } else { sent });
    told.then_some(Silent { flow: id, span, after })
}

impl Silent {
    pub(crate) const fn flow(&self) -> FlowId {
        self.flow
    }

    /// The capture has ended: what is told, if nobody answered to the end.
    pub(crate) fn told(&self, flow: &Flow, track: &Track, input: InputId) -> Option<Anomaly> {
        let answered = flow.down.payload > 0 || track.unheard_from().is_none() || *Direction::Down.of(&track.closed);
        (!answered).then(|| Anomaly {
            kind: "silence-after-request",
            severity: Severity::Warning,
            because: format!(
                "the server accepted the connection, and acknowledged nothing of what the client then said: frame {} sends it for at least \
                 the {SENT}th time, {}.{} s after the first packet",
                self.span.frame,
                self.after / 1_000_000_000,
                self.after / 100_000_000 % 10,
            ),
            flow: Some(self.flow),
            evidence: vec![Locus {
                input,
                span: self.span,
                layers: ["tcp"].into(),
                decoded_by: Few::none(),
            }],
        })
    }
}
