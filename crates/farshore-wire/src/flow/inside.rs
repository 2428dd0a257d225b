//! What runs inside a protocol: the dissectors it handed bytes to, and a stream of which nobody has said yet what it is. It owns
//! that question alone, and answers it by the same first bytes as for a flow of its own.

use farshore_model::Direction;

use super::opening::Beginning;
use super::reading::Chain;

/// Bytes each way of a stream that nothing reads which are shown to detectors all the same: logins come first.
const SHOWN: usize = 4096;

/// What runs inside a protocol: of most, nothing does.
#[derive(Default)]
pub(crate) struct Inside(Option<Box<Within>>);

#[derive(Default)]
struct Within {
    chains: Vec<Chain>,
    stream: Stream,
}

impl Inside {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn chains(&mut self) -> &mut [Chain] {
        self.0.as_mut().map_or(&mut [], |it| &mut it.chains)
    }

    pub(super) fn begin(&mut self, chain: Chain) {
        self.0.get_or_insert_default().chains.push(chain);
    }

    pub(super) fn stream(&mut self) -> &mut Stream {
        &mut self.0.get_or_insert_default().stream
    }

    /// The reader of that protocol, and of that stream if it is one of several.
    pub(super) fn chain(&mut self, hint: &str, number: Option<u64>) -> Option<&mut Chain> {
        let mut chains = self.chains().iter_mut();
        chains.find(|chain| chain.hint == hint && chain.number.map(|(it, _)| it) == number)
    }

    /// Takes out the reader of a stream that is over.
    pub(super) fn over(&mut self, number: u64, direction: Direction) -> Option<Chain> {
        let of = |chain: &Chain| chain.number.is_some_and(|(it, _)| it == number);
        let chains = &mut self.0.as_mut()?.chains;
        let at = chains.iter().position(of)?;
        let (_, [up, down]) = chains.get_mut(at)?.number.as_mut()?;
        match direction {
            Direction::Up => *up = true,
            Direction::Down => *down = true,
        }
        (*up && *down).then(|| chains.remove(at))
    }
}

/// A stream inside.
#[derive(Default)]
pub(super) enum Stream {
    /// Nothing of it was seen.
    #[default]
    Silent,
    /// Its first bytes tell nothing so far.
    Undecided(Box<Beginning>),
    /// It is of this protocol.
    Named(&'static str),
    /// It is of none; so many bytes were shown, each way.
    Unknown { up: usize, down: usize },
}

impl Stream {
    /// How many of these bytes are to be shown, the stream being of no known protocol.
    pub(super) fn show(&mut self, direction: Direction, bytes: usize) -> usize {
        let Self::Unknown { up, down } = self else { return 0 };
        let shown = match direction {
            Direction::Up => up,
            Direction::Down => down,
        };
        let now = SHOWN.saturating_sub(*shown).min(bytes);
        *shown = shown.saturating_add(now);
        now
    }

    /// Whether everything that is shown by itself was shown.
    pub(super) const fn is_spent(&self) -> bool {
        matches!(
            self,
            Self::Unknown {
                up: SHOWN..,
                down: SHOWN..
            }
        )
    }
}
