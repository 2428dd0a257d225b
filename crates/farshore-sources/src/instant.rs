//! Points in time as records spell them: ISO 8601 (RFC 3339 and a little wider), and seconds since 1970 with a fraction.

use farshore_model::Timestamp;

/// Reads `2023-03-29T17:37:42.482-07:00`; a time without a zone is taken as UTC.
pub(crate) fn iso(text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let mut parts = date.splitn(3, '-');
    let mut part = || -> Option<i64> { parts.next()?.parse().ok() };
    let (year, month, day) = (part()?, part()?, part()?);
    if !(1..=9_999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let clock = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = (rest.get(..clock)?, rest.get(clock..)?);
    let (whole, fraction) = clock.split_once(['.', ',']).unwrap_or((clock, ""));
    let mut parts = whole.splitn(3, ':');
    let mut part = |most: i64| -> Option<i64> {
        let number = parts.next().unwrap_or("0").parse().ok()?;
        (0..=most).contains(&number).then_some(number)
    };
    // A leap second is the last of its minute.
    let (hour, minute, second) = (part(23)?, part(59)?, part(60)?);
    let of_day = hour
        .saturating_mul(3_600)
        .saturating_add(minute.saturating_mul(60))
        .saturating_add(second);
    let seconds = days(year, month, day).saturating_mul(86_400).saturating_add(of_day);
    let nanos = fraction
        .bytes()
        .chain(std::iter::repeat(b'0'))
        .take(9)
        .try_fold(0_u64, |sum, digit| {
            let digit = digit.checked_sub(b'0').filter(|it| *it < 10)?;
            Some(sum.saturating_mul(10).saturating_add(u64::from(digit)))
        })?;
    Some(Timestamp::from_parts(seconds.saturating_sub(offset(zone)?), nanos))
}

/// Seconds since 1970, as a decimal number.
pub(crate) fn epoch(seconds: f64) -> Option<Timestamp> {
    // Four thousand years hold no record; nanoseconds of what is left fit the type, which saturates.
    if !seconds.is_finite() || seconds <= 0.0 || seconds > 1e11 {
        return None;
    }
    let whole = seconds.trunc();
    let nanos = ((seconds - whole) * 1e9).round();
    Some(Timestamp::from_parts(whole as i64, nanos as u64))
}

/// A time so many milliseconds later.
pub(crate) fn later(time: Timestamp, milliseconds: f64) -> Timestamp {
    if !milliseconds.is_finite() || milliseconds <= 0.0 {
        return time;
    }
    // A cast from float saturates.
    Timestamp::from_nanos(time.as_nanos().saturating_add((milliseconds * 1e6).round() as i64))
}

/// Seconds east of UTC.
fn offset(zone: &str) -> Option<i64> {
    let (sign, digits) = match zone.as_bytes().first() {
        None | Some(b'Z' | b'z') => return Some(0),
        Some(b'-') => (-1, zone.get(1..)?),
        Some(_) => (1_i64, zone.get(1..)?),
    };
    let digits: String = digits.chars().filter(|it| *it != ':').collect();
    let hours: i64 = digits.get(..2)?.parse().ok()?;
    let minutes: i64 = digits.get(2..4).unwrap_or("00").parse().ok()?;
    Some(sign.saturating_mul(hours.saturating_mul(3_600).saturating_add(minutes.saturating_mul(60))))
}

/// Days from 1970-01-01 (days-from-civil, as in Howard Hinnant's public-domain note). A day that a month does not have is one of
/// the next.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year.saturating_sub(i64::from(month <= 2));
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let from_march = month.saturating_add(9).rem_euclid(12);
    let of_year = from_march
        .saturating_mul(153)
        .saturating_add(2)
        .div_euclid(5)
        .saturating_add(day)
        .saturating_sub(1);
    let of_days = of_era
        .saturating_mul(365)
        .saturating_add(of_era.div_euclid(4))
        .saturating_sub(of_era.div_euclid(100))
        .saturating_add(of_year);
    era.saturating_mul(146_097).saturating_add(of_days).saturating_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_recorders_spell_them() {
        for (text, told) in [
            ("2023-03-29T17:37:42.482-07:00", Some("2023-03-30T00:37:42.482000000Z")),
            ("2016-01-24T15:42:23.303+0100", Some("2016-01-24T14:42:23.303000000Z")),
            ("2000-02-29T00:00:00Z", Some("2000-02-29T00:00:00.000000000Z")),
            ("2023-08-29 13:03:20.1955919999", Some("2023-08-29T13:03:20.195591999Z")),
            ("1969-12-31T23:59Z", Some("1969-12-31T23:59:00.000000000Z")),
            ("2023-13-01T00:00:00Z", None),
            ("2023-12-01T24:00:00Z", None),
            ("2023-12-01T00:00:00.x", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(iso(text.as_bytes()).map(|it| it.to_string()).as_deref(), told, "{text}");
        }
        assert_eq!(epoch(1_468_014_850.25).unwrap().to_string(), "2016-07-08T21:54:10.250000000Z");
        assert_eq!(epoch(f64::NAN), None);
        assert_eq!(later(Timestamp::from_nanos(1), 0.5), Timestamp::from_nanos(500_001));
        assert_eq!(later(Timestamp::from_nanos(1), f64::MAX), Timestamp::from_nanos(i64::MAX));
    }
}
