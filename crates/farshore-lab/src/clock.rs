//! Owns the writing of simulated times as dates. Refuses to read any real clock.

use crate::client::{Nanos, SECOND};

/// Year, month, day, hour, minute, second (Hinnant, "chrono-compatible low-level date algorithms").
fn civil(at: Nanos) -> (u64, u64, u64, u64, u64, u64) {
    let seconds = at / SECOND;
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day, rest / 3600, rest / 60 % 60, rest % 60)
}

/// As RFC 3339 writes it, with nanoseconds.
#[must_use]
pub fn rfc3339(at: Nanos) -> String {
    let (year, month, day, hour, minute, second) = civil(at);
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:09}Z",
        at % SECOND
    )
}

/// As HTTP writes it (RFC 9110 section 5.6.7).
#[must_use]
pub fn http_date(at: Nanos) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (year, month, day, hour, minute, second) = civil(at);
    let (weekday, month) = (DAYS[(at / SECOND / 86_400 % 7) as usize], MONTHS[month as usize - 1]);
    format!("{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(rfc3339(1_613_066_400 * SECOND + 7), "2021-02-11T18:00:00.000000007Z");
        assert_eq!(http_date(784_111_777 * SECOND), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(rfc3339(951_782_400 * SECOND), "2000-02-29T00:00:00.000000000Z");
    }
}
