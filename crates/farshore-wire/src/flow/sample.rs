//! How the first bytes of a direction are spread, when no protocol reads them. It owns the counting and refuses to
//! conclude anything: even bytes are what ciphers give, and what compression gives.

use farshore_model::flow::Randomness;

/// Payload bytes sampled per direction.
const SAMPLE: usize = 4096;
/// So many are kept as they are, since most flows have few; more are kept as counts.
const FEW: usize = 512;
/// Fewer say nothing.
pub(super) const LEAST: usize = 256;

/// What was sampled of one direction.
#[derive(Debug)]
pub(super) enum Sample {
    /// The bytes themselves.
    Few(Vec<u8>),
    /// How often each byte stood there.
    Counted(Box<Counts>),
}

/// How often each byte stood there, and how many bytes that were.
#[derive(Debug)]
pub(super) struct Counts {
    of: [u16; 256],
    total: u16,
}

impl Default for Sample {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Counts {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if let Some(count) = self.of.get_mut(usize::from(*byte)) {
                *count = count.saturating_add(1);
            }
        }
        self.total = self.total.saturating_add(u16::try_from(bytes.len()).unwrap_or(u16::MAX));
    }

    fn of(bytes: &[u8]) -> Self {
        let mut counts = Self { of: [0; 256], total: 0 };
        counts.add(bytes);
        counts
    }
}

impl Sample {
    /// Bytes that are still taken.
    pub(super) fn room(&self) -> usize {
        SAMPLE.saturating_sub(match self {
            Self::Few(bytes) => bytes.len(),
            Self::Counted(counts) => usize::from(counts.total),
        })
    }

    /// Takes as many of these bytes as there is room for.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let bytes = bytes.get(..self.room()).unwrap_or(bytes);
        match self {
            Self::Few(kept) if kept.len().saturating_add(bytes.len()) <= FEW => kept.extend_from_slice(bytes),
            Self::Few(kept) => {
                let mut counts = Box::new(Counts::of(kept));
                counts.add(bytes);
                *self = Self::Counted(counts);
            }
            Self::Counted(counts) => counts.add(bytes),
        }
    }

    /// Entropy and chi-square of single bytes. Too few bytes say nothing.
    pub(super) fn randomness(&self) -> Option<Randomness> {
        let few;
        let counts = match self {
            Self::Few(bytes) if bytes.len() < LEAST => return None,
            Self::Few(bytes) => {
                few = Counts::of(bytes);
                &few
            }
            Self::Counted(counts) => counts,
        };
        let total = f64::from(counts.total);
        let expected = total / 256.0;
        let (mut entropy, mut chi_square) = (0.0, 0.0);
        // Many bytes stand there equally often: each share is worked out once.
        let mut shares = [None; 64];
        for count in counts.of {
            let share = || {
                let share = f64::from(count) / total;
                share * share.log2()
            };
            if count > 0 {
                entropy -= match shares.get_mut(usize::from(count)) {
                    Some(known) => *known.get_or_insert_with(share),
                    None => share(),
                };
            }
            chi_square += (f64::from(count) - expected).powi(2) / expected;
        }
        Some(Randomness {
            sampled: u64::from(counts.total),
            entropy,
            chi_square,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same bytes in any pieces give the same figures, and no more than the sample is taken.
    #[test]
    fn pieces_make_no_difference() {
        let bytes: Vec<u8> = (0..6_000_u32).map(|it| ((it * it) >> 3) as u8).collect();
        for length in [0, 255, 256, 511, 512, 513, 4095, 4096, 4097, 6_000] {
            let bytes = &bytes[..length];
            let told = |size: usize| {
                let mut sample = Sample::default();
                bytes.chunks(size).for_each(|it| sample.take(it));
                (sample.room(), sample.randomness())
            };
            let whole = told(length.max(1));
            assert_eq!(whole.0, SAMPLE - length.min(SAMPLE));
            assert_eq!(
                whole.1.as_ref().map_or(0, |it| it.sampled),
                if length < 256 { 0 } else { length.min(SAMPLE) as u64 }
            );
            for size in [1, 7, 300, 513] {
                assert_eq!(told(size), whole, "{length} bytes by {size}");
            }
        }
    }

    #[test]
    fn every_byte_as_often_as_any_other_is_eight_bits_of_entropy() {
        let mut sample = Sample::default();
        (0..4).for_each(|_| sample.take(&(0..=u8::MAX).collect::<Vec<_>>()));
        let it = sample.randomness().unwrap();
        assert_eq!((it.sampled, it.entropy, it.chi_square), (1024, 8.0, 0.0));
    }
}
