//! Points in time as a capture tells them. Nothing here reads a clock.

use std::fmt;
use std::num::NonZeroU64;

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
const SIGN: u64 = 1 << 63;

/// Nanoseconds since 1970-01-01T00:00:00Z, from year 1677 to 2262; anything beyond saturates.
///
/// Displayed as RFC 3339 UTC with nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(
    /// Counted from the earliest there is, which leaves 0 to say that there is none: millions of rows may have one.
    NonZeroU64,
);

impl Timestamp {
    const EARLIEST: i64 = i64::MIN + 1;

    /// From nanoseconds since the epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        let nanos = if nanos < Self::EARLIEST { Self::EARLIEST } else { nanos };
        // In unsigned order, as if counted from i64::MIN.
        match NonZeroU64::new(nanos.cast_unsigned() ^ SIGN) {
            Some(it) => Self(it),
            None => Self(NonZeroU64::MIN),
        }
    }

    /// From whole seconds and a fraction in nanoseconds (which may exceed one second: some captures do).
    pub const fn from_parts(seconds: i64, nanos: u64) -> Self {
        let nanos = if nanos > i64::MAX as u64 { i64::MAX } else { nanos as i64 };
        Self::from_nanos(seconds.saturating_mul(NANOS_PER_SECOND).saturating_add(nanos))
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> i64 {
        (self.0.get() ^ SIGN).cast_signed()
    }

    /// Nanoseconds from `earlier` to `self`; `None` when the clock stepped back.
    pub const fn since(self, earlier: Self) -> Option<u64> {
        match self.as_nanos().checked_sub(earlier.as_nanos()) {
            Some(gap) if gap >= 0 => Some(gap as u64),
            _ => None,
        }
    }

    /// This point plus whole seconds, saturating.
    pub const fn plus_seconds(self, seconds: u32) -> Self {
        Self::from_nanos(self.as_nanos().saturating_add((seconds as i64).saturating_mul(NANOS_PER_SECOND)))
    }

    /// The UTC day this point lies in.
    pub const fn date(self) -> Date {
        Date::from_days(self.as_nanos().div_euclid(NANOS_PER_SECOND).div_euclid(SECONDS_PER_DAY))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (
            self.as_nanos().div_euclid(NANOS_PER_SECOND),
            self.as_nanos().rem_euclid(NANOS_PER_SECOND),
        );
        let of_day = seconds.rem_euclid(SECONDS_PER_DAY);
        let (hour, minute, second) = (of_day.div_euclid(3600), of_day.div_euclid(60).rem_euclid(60), of_day.rem_euclid(60));
        write!(f, "{}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z", self.date())
    }
}

/// A calendar day (proleptic Gregorian), for dated facts: `2021-02-12`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: i32,
    month: u8,
    day: u8,
}

impl Date {
    /// A day that exists, or `None`.
    pub fn new(year: i32, month: u8, day: u8) -> Option<Self> {
        let leap = year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0);
        let last = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            _ => return None,
        };
        (1..=last).contains(&day).then_some(Self { year, month, day })
    }

    /// Reads `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-');
        let year = parts.next().filter(|p| p.len() == 4)?.parse().ok()?;
        let month = parts.next().filter(|p| p.len() == 2)?.parse().ok()?;
        let day = parts.next().filter(|p| p.len() == 2)?.parse().ok()?;
        Self::new(year, month, day)
    }

    /// Days from `other` to this day, either way.
    pub const fn distance(self, other: Self) -> u64 {
        self.days().abs_diff(other.days())
    }

    /// Days since 1970-01-01. Days-from-civil, as in the same note.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "years are at most 9999, or come out of 64-bit nanoseconds"
    )]
    const fn days(self) -> i64 {
        let year = self.year as i64 - if self.month <= 2 { 1 } else { 0 };
        let era = year.div_euclid(400);
        let yoe = year.rem_euclid(400);
        let month = (self.month as i64 + 9) % 12;
        let doy = (153 * month + 2) / 5 + self.day as i64 - 1;
        era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
    }

    /// The day `days` after 1970-01-01. Civil-from-days, as in Howard Hinnant's public-domain note.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "a day count out of 64-bit nanoseconds is at most 106,752 either way"
    )]
    const fn from_days(days: i64) -> Self {
        let z = days.saturating_add(719_468);
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = (doy - (153 * mp + 2) / 5 + 1) as u8;
        let month = (if mp < 10 { mp + 3 } else { mp - 9 }) as u8;
        let year = (yoe + era * 400 + if month <= 2 { 1 } else { 0 }) as i32;
        Self { year, month, day }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_rfc_3339() {
        assert_eq!(
            Timestamp::from_parts(1_613_088_000, 5).to_string(),
            "2021-02-12T00:00:00.000000005Z"
        );
        assert_eq!(Timestamp::from_nanos(-1).to_string(), "1969-12-31T23:59:59.999999999Z");
        assert_eq!(Timestamp::from_parts(951_782_400, 0).to_string(), "2000-02-29T00:00:00.000000000Z");
        assert_eq!(Timestamp::from_parts(i64::MAX, u64::MAX).date().to_string(), "2262-04-11");
    }

    #[test]
    fn times_are_in_order_and_none_takes_no_room() {
        let times = [i64::MIN, i64::MIN + 1, -5, -1, 0, 1, i64::MAX].map(Timestamp::from_nanos);
        assert!(times.is_sorted());
        assert_eq!(times.map(Timestamp::as_nanos), [i64::MIN + 1, i64::MIN + 1, -5, -1, 0, 1, i64::MAX]);
        assert_eq!(size_of::<Option<Timestamp>>(), 8);
    }

    #[test]
    fn a_step_back_is_no_duration() {
        let (a, b) = (Timestamp::from_nanos(5), Timestamp::from_nanos(9));
        assert_eq!(b.since(a), Some(4));
        assert_eq!(a.since(b), None);
    }

    #[test]
    fn days_are_counted_as_the_calendar_has_them() {
        let between = |one, other| Some(Date::parse(one)?.distance(Date::parse(other)?));
        for days in [-719_468, -1, 0, 59, 60, 10_957, 11_016, 20_000, 100_000] {
            assert_eq!(Date::from_days(days).days(), days);
        }
        assert_eq!(between("2026-08-22", "2026-11-20"), Some(90));
        assert_eq!(between("2024-03-01", "2024-02-28"), Some(2));
    }

    #[test]
    fn days_that_do_not_exist_are_refused() {
        assert_eq!(Date::parse("2024-02-29").map(|d| d.to_string()).as_deref(), Some("2024-02-29"));
        for bad in ["2023-02-29", "2023-13-01", "2023-1-01", "23-01-01", "2023-00-10", "", "2023-01-32"] {
            assert_eq!(Date::parse(bad), None, "{bad}");
        }
    }
}
