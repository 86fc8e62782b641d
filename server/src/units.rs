//! Durations and sizes as people write them on the command line and in requests.

use std::time::Duration;

const MS_PER_SECOND: u64 = 1000;
const MS_PER_MINUTE: u64 = 60 * MS_PER_SECOND;
const MS_PER_HOUR: u64 = 60 * MS_PER_MINUTE;
const MS_PER_DAY: u64 = 24 * MS_PER_HOUR;

/// Units of a duration, largest first: the order in which they must stand.
const DURATION_UNITS_MS: [(&str, u64); 7] = [
    ("y", 365 * MS_PER_DAY),
    ("w", 7 * MS_PER_DAY),
    ("d", MS_PER_DAY),
    ("h", MS_PER_HOUR),
    ("m", MS_PER_MINUTE),
    ("s", MS_PER_SECOND),
    ("ms", 1),
];

/// Units of a size. Without a unit a number counts bytes.
const SIZE_UNITS_BYTES: [(&str, u64); 10] = [
    ("", 1),
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Parses a duration in Prometheus's form: `1h30m`, `30d`, `500ms`, `0`. Each unit at most once,
/// larger ones first; a year has 365 days. The longest one is what an i64 of nanoseconds holds
/// (292 years), as in Prometheus.
///
/// # Errors
/// A text that is not of this form, or a duration that is too long.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let malformed =
        || format!("{text:?} is not a duration; write it like 30d, 1h30m, 15s, 500ms or 0");
    let mut rest = text;
    let mut units = DURATION_UNITS_MS.iter();
    let mut total_ms: u64 = 0;
    while !rest.is_empty() {
        let (number, after) = split_digits(rest);
        let unit_end = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let &(_, unit_ms) = units
            .find(|(name, _)| *name == unit)
            .ok_or_else(malformed)?;
        if number.is_empty() {
            return Err(malformed());
        }
        total_ms = (number.parse::<u64>().ok())
            .and_then(|count| count.checked_mul(unit_ms))
            .and_then(|ms| ms.checked_add(total_ms))
            .filter(|&ms| ms <= i64::MAX as u64 / 1_000_000)
            .ok_or_else(|| format!("duration {text:?} is out of range: at most 292 years"))?;
        rest = after;
    }
    if text.is_empty() {
        return Err(malformed());
    }
    Ok(Duration::from_millis(total_ms))
}

/// Parses a size in bytes: `256MiB`, `1GB`, `4096`.
///
/// # Errors
/// A text that is not of this form, or a size above 2^64 - 1.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let (number, unit) = split_digits(text);
    let unit_bytes = SIZE_UNITS_BYTES
        .iter()
        .find(|(name, _)| *name == unit.trim_start());
    let (Some((_, unit_bytes)), false) = (unit_bytes, number.is_empty()) else {
        return Err(format!(
            "{text:?} is not a size; write it like 256MiB, 1GiB, 500MB or a number of bytes"
        ));
    };
    (number.parse::<u64>().ok())
        .and_then(|count| count.checked_mul(*unit_bytes))
        .ok_or_else(|| format!("size {text:?} is out of range: at most 2^64 - 1 bytes"))
}

/// A size for people: `12.3 MiB`.
pub(crate) fn format_size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0);
    format!(
        "{value:.digits$} {}",
        UNITS.get(unit).copied().unwrap_or_default()
    )
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_in_prometheus_form() {
        for (text, ms) in [
            ("0", 0),
            ("0s", 0),
            ("5ms", 5),
            ("15s", 15_000),
            ("1m", 60_000),
            ("1h30m", 5_400_000),
            ("30d", 2_592_000_000),
            ("1w", 604_800_000),
            ("1y", 31_536_000_000),
            ("1y2w3d4h5m6s7ms", 33_019_506_007),
            ("007s", 7_000),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(ms)),
                "{text}"
            );
        }
        for text in [
            "", "1", "s", "1x", "1m1h", "1s1s", "-1s", "1.5s", " 1s", "1s ", "1ms1s", "١s",
        ] {
            assert!(
                parse_duration(text)
                    .unwrap_err()
                    .contains("is not a duration"),
                "{text}"
            );
        }
        for text in [
            "293y",
            "99999999999999999999s",
            "9223372036855ms",
            "292y99999999999h",
        ] {
            assert!(
                parse_duration(text).unwrap_err().contains("out of range"),
                "{text}"
            );
        }
        assert_eq!(
            parse_duration("9223372036854ms").unwrap().as_millis(),
            9_223_372_036_854
        );
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("1B", 1),
            ("256MiB", 256 << 20),
            ("1GiB", 1 << 30),
            ("2KiB", 2048),
            ("500MB", 500_000_000),
            ("3 GB", 3_000_000_000),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "MiB", "1mib", "1.5GiB", "-1", "1 K"] {
            assert!(
                parse_size(text).unwrap_err().contains("is not a size"),
                "{text}"
            );
        }
        assert!(
            parse_size("99999999999TiB")
                .unwrap_err()
                .contains("out of range")
        );
    }

    #[test]
    fn sizes_for_people() {
        assert_eq!(format_size(0), "0 B");
        assert_eq!(format_size(1023), "1023 B");
        assert_eq!(format_size(1536), "1.5 KiB");
        assert_eq!(format_size(256 << 20), "256.0 MiB");
        assert_eq!(format_size(u64::MAX), "16777216.0 TiB");
    }
}
