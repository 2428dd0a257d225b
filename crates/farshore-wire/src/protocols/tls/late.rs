//! Records found in the middle of a stream whose beginning was not captured: each tells by its length where the next one begins. It owns
//! that test and its error, and refuses to read records: it says where one begins.
//!
//! A header of application data at any place, then two more where the length of each says, of the same version and of application data or
//! an alert; or one more, if its record ends exactly where a segment does. Even bytes have the first at 5.0e-8 a place and each further
//! one at 1.7e-8 (`headers_are_as_rare_as_is_said` counts them), so three of them begin somewhere in the 128 KiB that are searched of a
//! side once in 5e17 times. Two of them do once in 9e9, before the end of a segment is asked for. Records that another protocol carries
//! with nothing of its own between them are found as well: there they are what they say.

/// Bytes of a record header.
const HEADER: usize = 5;
const APPLICATION_DATA: u8 = 23;
const ALERT: u8 = 21;

/// What has to agree: headers in a row, or all but one of them and the end of a segment.
const CHAIN: u8 = 3;

/// Looks for records in one direction of a stream.
#[derive(Debug, Default)]
pub(crate) struct Late {
    /// Bytes searched, those inside records and those that are missing included.
    seen: usize,
    /// Headers that follow each other by their lengths, up to here; the last of them.
    links: u8,
    header: [u8; HEADER],
    /// Bytes up to where the next one has to begin.
    left: usize,
    /// The beginning of what may be one.
    begun: [u8; HEADER],
    filled: usize,
}

/// Records that were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The header of the last one.
    pub(crate) header: [u8; HEADER],
    /// Bytes of its content in this segment and those before it that are passed.
    pub(crate) passed: usize,
    /// How far into this segment that is.
    pub(crate) at: usize,
}

impl Late {
    /// Whether no more than `most` bytes were searched.
    pub(crate) const fn searches(&self, most: usize) -> bool {
        self.seen < most
    }

    /// Bytes are missing.
    pub(crate) fn gap(&mut self, length: u64) {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        self.seen = self.seen.saturating_add(length);
        match self.left.checked_sub(length) {
            Some(left) if self.links > 0 && self.filled == 0 => self.left = left,
            _ => (self.links, self.left, self.filled) = (0, 0, 0),
        }
    }

    /// Takes the next segment; `whole` if it ends where its sender ended it.
    pub(crate) fn segment(&mut self, bytes: &[u8], whole: bool) -> Option<Found> {
        self.seen = self.seen.saturating_add(bytes.len());
        let mut at = 0_usize;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            if self.left > 0 {
                let within = self.left.min(rest.len());
                self.left = self.left.saturating_sub(within);
                at = at.saturating_add(within);
                let ends = self.left == 0 && at == bytes.len() && whole;
                if ends && self.links.saturating_add(1) >= CHAIN {
                    let passed = content(self.header, APPLICATION_DATA)?;
                    return Some(self.found(passed, at));
                }
                continue;
            }
            if self.links == 0 && self.filled == 0 {
                at = at.saturating_add(memchr::memchr(APPLICATION_DATA, rest)?);
            }
            let taken = self.gather(bytes.get(at..).unwrap_or_default())?;
            if self.follows() {
                at = at.saturating_add(taken);
                if self.links >= CHAIN {
                    return Some(self.found(0, at));
                }
            } else {
                // One may begin inside what was taken for one.
                let passed = if taken == HEADER { 1 } else { taken };
                at = at.saturating_add(passed);
            }
        }
        None
    }

    const fn found(&self, passed: usize, at: usize) -> Found {
        Found {
            header: self.header,
            passed,
            at,
        }
    }

    /// Adds bytes to what may be a header; once it is whole, says how many of them it took.
    fn gather(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut taken = 0_usize;
        for (place, byte) in self.begun.iter_mut().skip(self.filled).zip(bytes) {
            *place = *byte;
            taken = taken.saturating_add(1);
        }
        self.filled = self.filled.saturating_add(taken);
        let whole = self.filled == HEADER;
        if whole {
            self.filled = 0;
        }
        whole.then_some(taken)
    }

    /// Whether what was gathered is the next header of the chain, or the first of one.
    fn follows(&mut self) -> bool {
        let first = self.links == 0;
        let of_version = |[_, major, minor, ..]: [u8; HEADER]| [major, minor];
        let kinds = if first {
            &[APPLICATION_DATA][..]
        } else {
            &[APPLICATION_DATA, ALERT]
        };
        let length = kinds.iter().find_map(|kind| content(self.begun, *kind));
        let Some(length) = length.filter(|_| first || of_version(self.begun) == of_version(self.header)) else {
            self.links = 0;
            return false;
        };
        self.links = self.links.saturating_add(1);
        self.header = self.begun;
        self.left = length;
        true
    }
}

/// Bytes of a sealed record of that kind (RFC 8446 section 5.2, RFC 5246 section 6.2.3): it has a tag at least; of an alert, its two bytes
/// and what ciphers of older versions add.
fn content([kind, major, minor, high, low]: [u8; HEADER], of: u8) -> Option<usize> {
    let length = u16::from_be_bytes([high, low]);
    let most = if of == ALERT { 320 } else { (1 << 14) + 2048 };
    let fits = kind == of && major == 3 && matches!(minor, 1..=3) && (16..=most).contains(&length);
    fits.then_some(length.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Even bytes (xorshift64).
    struct Even(u64);

    impl Even {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0
        }

        fn bytes(&mut self, length: usize) -> Vec<u8> {
            (0..length).map(|_| self.next().to_be_bytes()[0]).collect()
        }
    }

    fn record(kind: u8, length: usize, even: &mut Even) -> Vec<u8> {
        let mut it = vec![kind, 3, 3];
        it.extend((length as u16).to_be_bytes());
        it.extend(even.bytes(length));
        it
    }

    /// The end of a record, then records of these lengths; where each begins.
    fn stream(lengths: &[usize], even: &mut Even) -> (Vec<u8>, Vec<usize>) {
        let mut it = even.bytes(5_000);
        let mut begins = Vec::new();
        for length in lengths {
            begins.push(it.len());
            it.extend(record(APPLICATION_DATA, *length, even));
        }
        (it, begins)
    }

    /// Feeds it in segments of that size; where the last header of what is found begins.
    fn find(bytes: &[u8], size: usize) -> Option<usize> {
        let mut late = Late::default();
        for (number, segment) in bytes.chunks(size).enumerate() {
            if let Some(found) = late.segment(segment, true) {
                let end = number * size + found.at;
                let begin = end - found.passed - HEADER;
                assert_eq!(found.header, bytes[begin..begin + HEADER]);
                return Some(begin);
            }
        }
        None
    }

    #[test]
    fn the_third_record_in_a_row_tells_however_the_stream_is_cut() {
        let mut even = Even(9);
        let (bytes, begins) = stream(&[16_401, 16_401, 16_401, 40], &mut even);
        for size in [1, 2, 3, 5, 7, 536, 1_440, 1_448, 9_000, 65_536, 1 << 20] {
            // Where the second one ends with a segment, nothing more is waited for.
            let told = if begins[2].is_multiple_of(size) { begins[1] } else { begins[2] };
            assert_eq!(find(&bytes[..begins[3]], size), Some(told), "in segments of {size}");
        }
        // An alert at the end is one of them; another version is not, nor is what does not follow.
        let (mut bytes, begins) = stream(&[100, 200, 26, 40], &mut even);
        assert_eq!(find(&bytes, 1_448), Some(begins[2]));
        bytes[begins[2]] = ALERT;
        assert_eq!(find(&bytes, 1_448), Some(begins[2]));
        bytes[begins[2] + 2] = 1;
        assert_eq!(find(&bytes, 1_448), None);
        bytes[begins[2] + 2] = 3;
        bytes.insert(begins[2], 0);
        assert_eq!(find(&bytes, 1_448), None);
    }

    #[test]
    fn the_second_tells_where_it_ends_with_a_segment() {
        let mut even = Even(77);
        let (bytes, begins) = stream(&[600, 700], &mut even);
        assert_eq!(find(&bytes, 1_440), Some(begins[1]));
        assert_eq!(find(&bytes[..bytes.len() - 1], 1_440), None);
        let mut late = Late::default();
        assert_eq!(late.segment(&bytes, false), None, "what was cut there does not end there");
        assert_eq!(find(&bytes[..begins[1]], 1_440), None, "one alone does not");
    }

    #[test]
    fn what_is_missing_inside_a_record_breaks_no_chain() {
        let (bytes, begins) = stream(&[16_000, 16_000, 16_000], &mut Even(5));
        let mut late = Late::default();
        assert_eq!(late.segment(&bytes[..begins[0] + 50], true), None);
        late.gap(15_955);
        assert_eq!(late.segment(&bytes[begins[1]..begins[1] + 1_000], true), None);
        late.gap(15_005);
        assert!(late.segment(&bytes[begins[2]..], true).is_some_and(|it| it.at == HEADER));
        let mut late = Late::default();
        late.segment(&bytes[..begins[1] + 50], true);
        late.gap(15_956);
        assert_eq!(late.segment(&bytes[begins[2] + 1..], true), None, "a header is missing");
    }

    /// The chance of a header in even bytes, as the module says it, by counting all five bytes there can be.
    #[test]
    fn headers_are_as_rare_as_is_said() {
        let count = |of: u8| {
            (0..=u16::MAX)
                .filter(|it| content([of, 3, 3, (it >> 8) as u8, *it as u8], of).is_some())
                .count() as f64
        };
        let all = 256_f64.powi(5);
        let first = 3.0 * count(APPLICATION_DATA) / all;
        let next = (count(APPLICATION_DATA) + count(ALERT)) / all;
        let side = f64::from(1 << 17);
        assert!(
            (5.0e-8..5.1e-8).contains(&first) && (1.69e-8..1.71e-8).contains(&next),
            "{first:e} {next:e}"
        );
        assert!((8.5e9..9.5e9).contains(&(1.0 / (side * first * next))));
        assert!(1.0 / (side * first * next * next) > 5e17);
        // Wherever a first one is planted, even bytes hold no second one in its place.
        let mut even = Even(3);
        for _ in 0..200 {
            let bytes = [record(APPLICATION_DATA, 100, &mut even), even.bytes(20_000)].concat();
            assert_eq!(find(&bytes, 1_440), None);
        }
    }
}
