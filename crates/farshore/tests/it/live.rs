//! What was read so far of a capture that still comes is what reading that much alone gives, but for what flows tell as they end.

use std::io::{self, Read};
use std::sync::Mutex;

use farshore::{Detecting, Detectors, Ledger, Live, Reading, read};
use farshore_lab::Edition;

use crate::clubhouse::record;

/// Hands out bytes up to a place, has a look, and hands out the rest.
struct Looking<'a> {
    before: &'a [u8],
    after: &'a [u8],
    live: &'a Live<'a>,
    seen: &'a Mutex<Option<Ledger>>,
}

impl Read for Looking<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.before.is_empty() {
            let mut seen = self.seen.lock().unwrap();
            if seen.is_none() {
                *seen = self.live.so_far();
            }
            return self.after.read(buffer);
        }
        self.before.read(buffer)
    }
}

#[test]
fn what_was_read_so_far_is_what_less_of_it_tells() {
    let recording = record(Edition::Leaky);
    let capture = &recording.captures[0].bytes;
    let detectors = Detectors::new(&[], Detecting::default()).unwrap();
    let how = Reading::default();
    let whole = read(&capture[..], "capture", &how, &detectors, &mut |_| {}).unwrap();
    for part in [2, 3, 5, 9] {
        let (before, after) = capture.split_at(capture.len() / part);
        let (live, seen) = (Live::new("capture", &how), Mutex::new(None));
        let looking = Looking {
            before,
            after,
            live: &live,
            seen: &seen,
        };
        let all = live.read(looking, &detectors).unwrap();
        // Having looked changes nothing.
        assert_eq!(all.inputs, whole.inputs);
        assert_eq!(all.observations, whole.observations);
        assert_eq!(all.sightings, whole.sightings);
        assert_eq!(all.coverage, whole.coverage);
        assert!(live.so_far().is_none());

        let seen = seen.into_inner().unwrap().expect("frames had come");
        let less = read(before, "capture", &how, &detectors, &mut |_| {}).unwrap();
        assert_eq!(seen.coverage.frames.total, less.coverage.frames.total);
        assert_eq!(
            (&seen.inputs[0].name, seen.inputs[0].last),
            (&less.inputs[0].name, less.inputs[0].last)
        );
        assert_eq!(seen.inputs[0].world, less.inputs[0].world);
        let flows = |it: &Ledger| it.flows.iter().map(|it| (it.client, it.server, it.up, it.down)).collect::<Vec<_>>();
        assert_eq!(flows(&seen), flows(&less));
        // What is known of a flow is right, though it may be less.
        for (so_far, ended) in seen.flows.iter().zip(&less.flows) {
            assert!(
                so_far.protocols.iter().all(|it| ended.protocols.contains(it)),
                "{so_far:?} {ended:?}"
            );
        }
        assert!(!seen.observations.is_empty());
        assert!(seen.observations.iter().zip(&less.observations).all(|(a, b)| a == b));
        assert!(seen.observations.len() <= less.observations.len());
        assert!(
            seen.sightings
                .iter()
                .zip(&less.sightings)
                .all(|(a, b)| a.value == b.value && a.field == b.field)
        );
    }
}
