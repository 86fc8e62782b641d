//! Times and durations in parameters (Prometheus `web/api/v1/api.go`, `parseTime` and
//! `parseDuration`).

use std::time::Duration;

use super::go_text::quote;
use super::number::parse_float;
use crate::units;

/// The earliest time, the default of an optional `start`, in milliseconds.
pub(super) const MIN_TIME_MS: i64 = (i64::MIN / 1000 + 62_135_596_801) * 1000;
/// The latest time, the default of an optional `end`, in milliseconds.
pub(super) const MAX_TIME_MS: i64 = (i64::MAX / 1000 - 62_135_596_801) * 1000 + 999;
/// The two as Prometheus's own clients write them: RFC 3339 has years of four digits alone.
const MIN_TIME_TEXT: &str = "-292273086-05-16T16:47:06Z";
const MAX_TIME_TEXT: &str = "292277025-08-18T07:12:54.999999999Z";

const SECONDS_PER_DAY: i64 = 86_400;

/// Reads a time: seconds since the Unix epoch, with a fraction rounded to milliseconds, or RFC
/// 3339. Gives milliseconds.
///
/// Not a number, infinity and seconds that an i64 of milliseconds does not hold are errors;
/// Prometheus takes them and answers for some other time.
///
/// # Errors
/// Prometheus's text for whatever else it is.
pub(super) fn parse_time(text: &str) -> Result<i64, String> {
    let known = match parse_float(text) {
        Some(seconds) => ms_of_seconds(seconds),
        None => parse_rfc3339(text),
    };
    let known = known.or(match text {
        MIN_TIME_TEXT => Some(MIN_TIME_MS),
        MAX_TIME_TEXT => Some(MAX_TIME_MS),
        _ => None,
    });
    known.ok_or_else(|| format!("cannot parse {} to a valid timestamp", quote(text)))
}

fn ms_of_seconds(seconds: f64) -> Option<i64> {
    let whole = seconds.trunc();
    // In the order of operations of Go's version, so that the last digit agrees.
    let fraction = (seconds.fract() * 1000.0).round() / 1000.0;
    let nanoseconds = (fraction * 1e9) as i64;
    let fits = whole.abs() < (i64::MAX / 1000) as f64;
    fits.then(|| whole as i64 * 1000 + nanoseconds.div_euclid(1_000_000))
}

/// Milliseconds of `2006-01-02T15:04:05.999999999Z` or the same with an offset. Digits below
/// the millisecond are cut.
fn parse_rfc3339(text: &str) -> Option<i64> {
    let mut rest = text;
    let year = digits(&mut rest, 4)?;
    let month = digits(literal(&mut rest, "-")?, 2)?;
    let day = digits(literal(&mut rest, "-")?, 2)?;
    let hour = digits(literal(&mut rest, "T")?, 2)?;
    let minute = digits(literal(&mut rest, ":")?, 2)?;
    let second = digits(literal(&mut rest, ":")?, 2)?;
    let ms = match rest.strip_prefix(['.', ',']) {
        None => 0,
        Some(fraction) => {
            let len = fraction.bytes().take_while(u8::is_ascii_digit).count();
            let (fraction, after) = fraction.split_at(len);
            rest = after;
            let ms = fraction.bytes().chain([b'0'; 3]).take(3);
            (len > 0).then(|| ms.fold(0, |ms, digit| ms * 10 + i64::from(digit - b'0')))?
        }
    };
    let offset_seconds = parse_offset(rest)?;
    let month_days = [
        31,
        28 + i64::from(is_leap(year)),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let days_max = *month_days.get(usize::try_from(month - 1).ok()?)?;
    if !(1..=days_max).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds =
        days_since_epoch(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second
            - offset_seconds;
    Some(seconds * 1000 + ms)
}

/// Seconds east of Greenwich of `Z` or `+02:30`.
fn parse_offset(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let (sign, mut rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let hours = digits(&mut rest, 2)?;
    let minutes = digits(literal(&mut rest, ":")?, 2)?;
    // Go takes 24 and 60, too.
    (rest.is_empty() && hours <= 24 && minutes <= 60)
        .then_some(sign * (hours * 3600 + minutes * 60))
}

/// Takes a number of exactly `count` digits off the front.
fn digits(rest: &mut &str, count: usize) -> Option<i64> {
    let (number, after) = rest.split_at_checked(count)?;
    *rest = after;
    number
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| number.parse().ok())?
}

/// Takes a text off the front and hands the rest on.
fn literal<'a, 'b>(rest: &'a mut &'b str, text: &str) -> Option<&'a mut &'b str> {
    *rest = rest.strip_prefix(text)?;
    Some(rest)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days from 1970-01-01 in the Gregorian calendar, for years from 0. A year begins in March here, so
/// that the leap day is its last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    const DAYS_TO_EPOCH: i64 = 719_468;
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
        - DAYS_TO_EPOCH
}

/// A duration parameter in nanoseconds: seconds with a fraction, or Prometheus's form.
///
/// # Errors
/// Prometheus's texts for what is neither, or does not fit.
pub(super) fn parse_duration_ns(text: &str) -> Result<i64, String> {
    if let Some(seconds) = parse_float(text) {
        let nanoseconds = seconds * 1e9;
        if nanoseconds > i64::MAX as f64 || nanoseconds < i64::MIN as f64 {
            return Err(format!(
                "cannot parse {} to a valid duration. It overflows int64",
                quote(text)
            ));
        }
        if !nanoseconds.is_nan() {
            return Ok(nanoseconds as i64);
        }
    }
    units::parse_duration(text)
        .ok()
        .and_then(|duration| i64::try_from(duration.as_nanos()).ok())
        .ok_or_else(|| format!("cannot parse {} to a valid duration", quote(text)))
}

/// A time limit in nanoseconds as a `Duration`; none where there is no time left.
pub(super) fn positive(nanoseconds: i64) -> Option<Duration> {
    u64::try_from(nanoseconds)
        .ok()
        .filter(|&ns| ns > 0)
        .map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected values from Prometheus 3.5.3, asked over HTTP.
    #[test]
    fn times_as_prometheus_reads_them() {
        for (text, ms) in [
            ("4", 4000),
            ("1_000", 1_000_000),
            ("-1.0015", -1002),
            ("1.0005", 1000),
            ("1.9996", 2000),
            (".5", 500),
            ("1e3", 1_000_000),
            ("1795231940.5", 1_795_231_940_500),
            ("2020-01-01T00:00:00Z", 1_577_836_800_000),
            ("2020-01-01T00:00:00.123456789+02:30", 1_577_827_800_123),
            ("2020-01-01T00:00:00,5Z", 1_577_836_800_500),
            ("2000-02-29T23:59:59Z", 951_868_799_000),
            ("1969-12-31T23:59:59.25-00:00", -750),
            ("0001-01-01T00:00:00Z", -62_135_596_800_000),
            ("-292273086-05-16T16:47:06Z", MIN_TIME_MS),
            ("292277025-08-18T07:12:54.999999999Z", MAX_TIME_MS),
        ] {
            assert_eq!(parse_time(text), Ok(ms), "{text}");
        }
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "x",
            "0x10",
            "1e400",
            "NaN",
            "Inf",
            "1e17",
            "2020-01-01",
            "2020-01-01t00:00:00z",
            "2020-02-30T00:00:00Z",
            "2019-02-29T00:00:00Z",
            "2020-13-01T00:00:00Z",
            "2020-00-01T00:00:00Z",
            "2020-01-01T24:00:00Z",
            "2020-01-01T00:00:60Z",
            "2020-01-01T00:00:00",
            "2020-01-01T00:00:00.Z",
            "2020-01-01T00:00:00+1:00",
            "2020-01-01T00:00:00Z ",
            "é020-01-01T00:00:00Z",
        ] {
            let expected = format!("cannot parse \"{text}\" to a valid timestamp");
            assert_eq!(parse_time(text), Err(expected));
        }
    }

    #[test]
    fn durations_as_prometheus_reads_them() {
        for (text, ns) in [
            ("15", 15_000_000_000),
            ("0.5", 500_000_000),
            ("-1", -1_000_000_000),
            ("0", 0),
            ("1h30m", 5_400_000_000_000),
            ("1500ms", 1_500_000_000),
            ("0.0001", 100_000),
        ] {
            assert_eq!(parse_duration_ns(text), Ok(ns), "{text}");
        }
        for text in ["", "x", "1ns", "1e400", "NaN"] {
            let expected = format!("cannot parse \"{text}\" to a valid duration");
            assert_eq!(parse_duration_ns(text), Err(expected));
        }
        assert_eq!(
            parse_duration_ns("1e30").unwrap_err(),
            "cannot parse \"1e30\" to a valid duration. It overflows int64"
        );
        assert_eq!(positive(-1), None);
        assert_eq!(positive(0), None);
        assert_eq!(positive(1), Some(Duration::from_nanos(1)));
    }
}
