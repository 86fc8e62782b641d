//! Answers byte for byte as Prometheus writes them. The same table runs against a real
//! Prometheus (`peers::answers`), which is what makes its bodies true.

mod cardinality;
mod table;

use silverback_tests::Result;
use silverback_tests::api::{Api, seconds};
use silverback_tests::remote_write::{self, TimeSeries};
use silverback_tests::server::Server;

use table::{ERRORS, METADATA, NEWER, QUERIES};

/// Bits of Prometheus's stale marker (`model/value` of Prometheus).
const STALE_MARKER_BITS: u64 = 0x7ff0_0000_0000_0002;

/// What the table asks about.
fn stored(base_ms: i64) -> Vec<TimeSeries> {
    let series = TimeSeries::new;
    let a = [("__name__", "up"), ("instance", "x:1"), ("job", "a")];
    let b = [("__name__", "up"), ("instance", "y:2"), ("job", "b")];
    let text = [
        ("__name__", "text"),
        ("value", "\"\\\n\t<&>é\u{2028}\u{7f}"),
    ];
    let mut request = vec![
        series(&a)
            .sample(base_ms, 1.0)
            .sample(base_ms + 15_000, 1.0)
            .sample(base_ms + 30_500, 0.0),
        series(&b)
            .sample(base_ms, 1.0)
            .sample(base_ms + 15_000, f64::from_bits(STALE_MARKER_BITS)),
        series(&text).sample(base_ms, 1.0),
    ];
    let floats = [
        0.1 + 0.2,
        -0.0,
        1e-6,
        9.99e-7,
        1e20,
        1e21,
        1.5e300,
        5e-324,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        16_777_217.0,
    ];
    let mut floats_series = series(&[("__name__", "floats")]);
    for (second, value) in (0..).zip(floats) {
        floats_series = floats_series.sample(base_ms + second * 1000, value);
    }
    request.push(floats_series);
    request
}

/// The Prometheus whose answers are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Version {
    /// The reference, which Silverback follows.
    V3_14,
    /// The peer that Debian has.
    V3_5,
}

/// Stores the data and compares every answer.
pub(crate) fn check(api: &Api, version: Version) -> Result<()> {
    let base_ms = super::base_ms();
    let body = remote_write::compress(&remote_write::encode(&stored(base_ms)))?;
    let written = api.post("/api/v1/write", &remote_write::HEADERS, &body)?;
    assert_eq!((written.status, written.body.as_str()), (204, ""));
    cardinality::check(api, version, base_ms)?;
    let mut wrong = Vec::new();
    let newer = if version == Version::V3_5 { &[] } else { NEWER };
    for row in [QUERIES, METADATA, ERRORS, newer].into_iter().flatten() {
        let params: Vec<(&str, String)> = row
            .params
            .iter()
            .map(|&(name, value)| (name, fill_in(value, base_ms)))
            .collect();
        let params: Vec<(&str, &str)> = params.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let expected = fill_in(row.body, base_ms);
        let mut replies = vec![("GET", api.get(row.path, &params)?)];
        if !row.path.ends_with("/values") {
            replies.push(("POST", api.post_form(row.path, &params)?));
        }
        for (method, reply) in replies {
            let kind = reply.headers.get("content-type").map(String::as_str);
            if (reply.status, reply.body.trim_end()) != (row.status, expected.as_str())
                || kind != Some("application/json")
            {
                wrong.push(format!(
                    "{method} {} {params:?}\n  expected {} {expected}\n  got      {} {} ({kind:?})",
                    row.path, row.status, reply.status, reply.body
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Puts times in the place of `<T>` and `<T+7.5>`, written as the API writes them.
fn fill_in(template: &str, base_ms: i64) -> String {
    let mut parts = template.split("<T");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (offset, rest) = part.split_once('>').unwrap();
        let offset_s: f64 = if offset.is_empty() {
            0.0
        } else {
            offset.parse().unwrap()
        };
        let time = seconds(base_ms + (offset_s * 1000.0).round() as i64);
        out.push_str(time.trim_end_matches(".000"));
        out.push_str(rest);
    }
    out
}

#[test]
fn answers_are_prometheus_s_to_the_byte() -> Result<()> {
    check(&Server::start()?.api(), Version::V3_14)
}
