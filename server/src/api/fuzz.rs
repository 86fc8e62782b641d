//! What holds of parameters of any text.

use super::form::{Form, Plus, percent_decode};
use super::go_text::{quote, quote_bytes, unescape_name};
use super::number::{parse_float, parse_limit};
use super::time::{parse_duration_ns, parse_time};
use crate::units::{parse_duration, parse_size};

/// A query string, and the same text as each kind of parameter. What is read of one comes back
/// from what it is written as.
pub(crate) fn parameters(data: &[u8]) -> bool {
    let mut form = Form::default();
    form.add(data);
    for name in ["query", "start", "", "match[]"] {
        let first = form.get(name);
        assert!(first.is_empty() || !data.is_empty());
    }
    assert_eq!(
        form.all("match[]").next().unwrap_or_default(),
        form.get("match[]")
    );
    if let Ok(decoded) = percent_decode(data, Plus::IsPlus) {
        assert!(decoded.len() <= data.len());
    }
    let escaped: String = data.iter().map(|byte| format!("%{byte:02x}")).collect();
    for plus in [Plus::IsPlus, Plus::IsSpace] {
        assert_eq!(
            percent_decode(escaped.as_bytes(), plus).as_deref(),
            Ok(data)
        );
    }
    assert!(quote_bytes(data).len() >= data.len() + 2);
    let Ok(text) = std::str::from_utf8(data) else {
        return form.error().is_none();
    };
    assert_eq!(quote(text), quote_bytes(data));
    let _any_text = unescape_name(text);
    times(text);
    numbers(text);
    form.error().is_none()
}

fn times(text: &str) {
    match parse_time(text) {
        // Whole seconds and milliseconds of these are exact as a float.
        Ok(ms) if ms.unsigned_abs() < 1 << 52 => {
            let sign = if ms < 0 { "-" } else { "" };
            let (seconds, rest) = (ms.unsigned_abs() / 1000, ms.unsigned_abs() % 1000);
            let written = format!("{sign}{seconds}.{rest:03}");
            assert_eq!(parse_time(&written), Ok(ms), "{text:?} {written}");
        }
        Ok(_) => {}
        Err(why) => assert!(why.contains("valid timestamp"), "{why}"),
    }
    if let Err(why) = parse_duration_ns(text) {
        assert!(why.contains("valid duration"), "{why}");
    }
    if let Ok(duration) = parse_duration(text) {
        let written = format!("{}ms", duration.as_millis());
        assert_eq!(parse_duration(&written), Ok(duration), "{text:?}");
        // The same text as a parameter; `0` is a number first.
        assert_eq!(
            parse_duration_ns(text),
            Ok(duration.as_nanos() as i64),
            "{text:?}"
        );
    }
}

fn numbers(text: &str) {
    if let Ok(bytes) = parse_size(text) {
        assert_eq!(parse_size(&bytes.to_string()), Ok(bytes), "{text:?}");
    }
    if let Ok(Some(limit)) = parse_limit(text) {
        assert!(limit > 0);
        assert_eq!(parse_limit(&limit.to_string()), Ok(Some(limit)), "{text:?}");
    }
    if let Some(value) = parse_float(text) {
        let again = parse_float(&format!("{value:e}"));
        let is_same = again.is_some_and(|again| again.to_bits() == value.to_bits());
        assert!(is_same || value.is_nan(), "{text:?} {value}");
    }
}

pub(crate) fn parameters_seeds() -> Vec<Vec<u8>> {
    [
        "query=up%7Ba%3D%22b%22%7D&time=1700000000.123&limit=10",
        "match[]=up&match[]=a+b&start=2023-11-14T22:13:20.5%2B02:30",
        "2023-11-14T22:13:20.123456Z",
        "2024-02-29T00:00:00-24:60",
        "1700000000.123",
        "-292273086-05-16T16:47:06Z",
        "1h30m",
        "15s",
        "0",
        "1e-3",
        "256MiB",
        "U__http_2e_requests",
        "1_000",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
