//! What reading a flow came to, in short: where that is all there is, neither a reader nor a record of its own need be kept. It refuses
//! to leave anything out.

use farshore_model::Direction;

use super::reading::{Outcome, Reading, State, Talk};
use crate::protocols::PROTOCOLS;

/// What a flow speaks, and who is the client by its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resting {
    /// By place in [`PROTOCOLS`].
    protocol: u8,
    client: Option<Direction>,
    /// Whether its reader was [owed](crate::protocols::Dissector::is_owed) something.
    pub(crate) owed: bool,
}

impl Resting {
    fn talk(self) -> Talk {
        let mut talk = Talk {
            client: self.client,
            ..Talk::default()
        };
        if let Some(protocol) = PROTOCOLS.get(usize::from(self.protocol)) {
            talk.names(protocol.id());
            talk.protection = Some(protocol.protection());
        }
        talk
    }

    /// What it came to.
    pub(crate) fn outcome(self) -> Outcome {
        Reading::from(self).outcome()
    }
}

/// It goes on from there.
impl From<Resting> for Reading {
    fn from(it: Resting) -> Self {
        Self {
            talk: Some(Box::new(it.talk())),
            ..Self::default()
        }
    }
}

impl Reading {
    /// What it came to in short, where what is read of it later does not rest on what was read before.
    pub(crate) fn at_rest(&self) -> Option<Resting> {
        let State::Read(chain) = &self.state else { return None };
        let owed = chain.dissector.is_owed();
        let may = chain.dissector.may_rest() && chain.inner.is_empty();
        self.in_short().filter(|_| may).map(|it| Resting { owed, ..it })
    }

    /// What it came to in short; `None` if that is not all that is known.
    pub(crate) fn in_short(&self) -> Option<Resting> {
        let (Some(talk), None) = (&self.talk, &self.samples) else {
            return None;
        };
        let spoken = talk.protocols.first()?;
        let protocol = PROTOCOLS.iter().position(|it| it.id() == *spoken)?;
        let short = Resting {
            protocol: u8::try_from(protocol).ok()?,
            client: talk.client,
            owed: false,
        };
        (**talk == short.talk()).then_some(short)
    }
}
