//! Content negotiation: which version of the protocol is it, and how is it compressed?

use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use super::Version;
use super::refusal::{Reason, Refusal};

const MEDIA_TYPE: &str = "application/x-protobuf";

/// The version that a request claims to be, whether or not the rest of it can be read: what is
/// not said is 1.0.
pub(super) fn claimed(headers: &HeaderMap) -> Version {
    version(&text(headers, CONTENT_TYPE.as_str())).unwrap_or(Version::V1)
}

/// Checks the headers before a byte of the body is read.
///
/// # Errors
/// 415 for anything but a message of remote write compressed with snappy, or with zstd, as
/// vmagent sends 1.0.
pub(super) fn check(headers: &HeaderMap) -> Result<Version, Refusal> {
    let version = version(&text(headers, CONTENT_TYPE.as_str()))
        .map_err(|reason| Refusal::new(Reason::ContentType, reason))?;
    check_content_encoding(&text(headers, CONTENT_ENCODING.as_str()), version)
        .map_err(|reason| Refusal::new(Reason::ContentEncoding, reason))?;
    Ok(version)
}

/// The header's text, empty where it is not there. Bytes that are not ASCII cannot be part of
/// what is looked for.
fn text(headers: &HeaderMap, name: &str) -> String {
    headers
        .get(name)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
        .unwrap_or_default()
}

fn version(content_type: &str) -> Result<Version, String> {
    if content_type.is_empty() {
        return Err(format!("no Content-Type; send {MEDIA_TYPE}"));
    }
    let mut parts = content_type.split(';').map(str::trim);
    if !parts
        .next()
        .is_some_and(|media| media.eq_ignore_ascii_case(MEDIA_TYPE))
    {
        return Err(format!(
            "Content-Type {content_type:?} is not supported; send {MEDIA_TYPE}"
        ));
    }
    for part in parts {
        let Some((name, value)) = part.split_once('=') else {
            continue;
        };
        if !name.trim().eq_ignore_ascii_case("proto") {
            continue;
        }
        let message = value.trim().trim_matches('"');
        return Version::ALL
            .into_iter()
            .find(|version| version.message() == message)
            .ok_or_else(|| {
                let [v1, v2] = Version::ALL.map(Version::message);
                format!("protobuf message {message:?} is not known; send {v1} or {v2}")
            });
    }
    Ok(Version::V1)
}

fn check_content_encoding(content_encoding: &str, version: Version) -> Result<(), String> {
    let snappy = "compress the body with snappy (block format)";
    if content_encoding.is_empty() {
        return Err(format!("no Content-Encoding; {snappy}"));
    }
    let is = |encoding| content_encoding.eq_ignore_ascii_case(encoding);
    if is("snappy") || (is("zstd") && version == Version::V1) {
        return Ok(());
    }
    let message = version.message();
    Err(format!(
        "Content-Encoding {content_encoding:?} is not supported for {message}; {snappy}"
    ))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn checked(
        content_type: Option<&str>,
        encoding: Option<&str>,
    ) -> Result<Version, (Reason, String)> {
        let mut headers = HeaderMap::new();
        for (name, value) in [(CONTENT_TYPE, content_type), (CONTENT_ENCODING, encoding)] {
            if let Some(value) = value {
                headers.insert(name, HeaderValue::from_str(value).unwrap());
            }
        }
        check(&headers).map_err(|refusal| (refusal.reason(), refusal.to_string()))
    }

    #[test]
    fn what_senders_send_is_taken() {
        for (content_type, encoding, version) in [
            ("application/x-protobuf", "snappy", Version::V1),
            ("application/x-protobuf", "zstd", Version::V1),
            (
                "application/x-protobuf;proto=prometheus.WriteRequest",
                "snappy",
                Version::V1,
            ),
            (
                "Application/X-Protobuf; charset=utf-8; proto=\"prometheus.WriteRequest\"",
                "Snappy",
                Version::V1,
            ),
            (
                "application/x-protobuf;proto=io.prometheus.write.v2.Request",
                "snappy",
                Version::V2,
            ),
        ] {
            assert_eq!(
                checked(Some(content_type), Some(encoding)),
                Ok(version),
                "{content_type}"
            );
        }
    }

    #[test]
    fn everything_else_is_named() {
        let protobuf = "application/x-protobuf";
        for (content_type, encoding, reason, hint) in [
            (None, Some("snappy"), Reason::ContentType, "no Content-Type"),
            (
                Some("application/json"),
                Some("snappy"),
                Reason::ContentType,
                "application/json",
            ),
            (
                Some("application/x-protobuf;proto=a.B"),
                Some("snappy"),
                Reason::ContentType,
                "a.B",
            ),
            (
                Some(protobuf),
                None,
                Reason::ContentEncoding,
                "no Content-Encoding",
            ),
            (
                Some(protobuf),
                Some("gzip"),
                Reason::ContentEncoding,
                "gzip",
            ),
            (
                Some("application/x-protobuf;proto=io.prometheus.write.v2.Request"),
                Some("zstd"),
                Reason::ContentEncoding,
                "\"zstd\" is not supported for io.prometheus.write.v2.Request",
            ),
        ] {
            let (got, text) = checked(content_type, encoding).unwrap_err();
            assert_eq!(got, reason);
            assert!(text.contains(hint), "{text}");
        }
    }
}
