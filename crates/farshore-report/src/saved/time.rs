//! Points in time as this program writes them: RFC 3339 in UTC with nanoseconds. It refuses other offsets.

use farshore_model::{Date, Timestamp};

/// Reads what [`Timestamp`] is displayed as.
pub(super) fn read(text: &str) -> Option<Timestamp> {
    let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let number = |digits: &str, most: u64| {
        let well = (1..=9).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit());
        digits.parse::<u64>().ok().filter(|it| well && *it <= most)
    };
    let mut parts = clock.splitn(3, ':');
    let [hour, minute, second] = [23, 59, 60].map(|most| parts.next().filter(|it| it.len() == 2).and_then(|it| number(it, most)));
    let seconds = hour?
        .checked_mul(3600)?
        .checked_add(minute?.checked_mul(60)?)?
        .checked_add(second?)?;
    let scale = 10_u64.checked_pow(u32::try_from(9_usize.checked_sub(fraction.len())?).ok()?)?;
    let nanos = number(fraction, 999_999_999)?.checked_mul(scale)?;
    let epoch = Date::new(1970, 1, 1)?;
    let date = Date::parse(date)?;
    let days = i64::try_from(date.distance(epoch)).ok()?;
    let days = if date < epoch { days.checked_neg()? } else { days };
    let seconds = days.checked_mul(86_400)?.checked_add(i64::try_from(seconds).ok()?)?;
    Some(Timestamp::from_parts(seconds, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for nanos in [i64::MIN, -1, 0, 1, 1_613_088_000_000_000_005, 1_700_000_000_123_456_789, i64::MAX] {
            let at = Timestamp::from_nanos(nanos);
            // The earliest lies within a second of where the seconds can be counted from.
            if nanos != i64::MIN {
                assert_eq!(read(&at.to_string()), Some(at), "{at}");
            }
        }
        assert_eq!(read("2026-11-20T10:00:00.5Z"), read("2026-11-20T10:00:00.500000000Z"));
        assert_eq!(read("2026-11-20T10:00:00Z"), read("2026-11-20T10:00:00.000000000Z"));
        for wrong in [
            "",
            "2026-11-20",
            "2026-11-20T10:00:00",
            "2026-11-20T10:00:00+02:00",
            "2026-02-30T10:00:00Z",
            "2026-11-20T24:00:00Z",
            "2026-11-20T10:00:00.Z",
            "2026-11-20T10:00:00.1234567890Z",
            "2026-11-20T+1:00:00Z",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
