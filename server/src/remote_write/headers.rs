//! Content negotiation: is this a request that version 1.0 of the protocol describes?

use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use super::refusal::{Reason, Refusal};

const MEDIA_TYPE: &str = "application/x-protobuf";
const PROTO_V1: &str = "prometheus.WriteRequest";
const PROTO_V2: &str = "io.prometheus.write.v2.Request";

/// Checks the headers before a byte of the body is read.
///
/// # Errors
/// 415 for anything but snappy-compressed `prometheus.WriteRequest` messages.
pub(super) fn check(headers: &HeaderMap) -> Result<(), Refusal> {
    check_content_type(&text(headers, CONTENT_TYPE.as_str()))
        .map_err(|reason| Refusal::new(Reason::ContentType, reason))?;
    check_content_encoding(&text(headers, CONTENT_ENCODING.as_str()))
        .map_err(|reason| Refusal::new(Reason::ContentEncoding, reason))
}

/// The header's text, empty where it is not there. Bytes that are not ASCII cannot be part of
/// what is looked for.
fn text(headers: &HeaderMap, name: &str) -> String {
    headers
        .get(name)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
        .unwrap_or_default()
}

fn check_content_type(content_type: &str) -> Result<(), String> {
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
        return match value.trim().trim_matches('"') {
            PROTO_V1 => Ok(()),
            PROTO_V2 => Err(format!(
                "remote write 2.0 ({PROTO_V2}) is not supported yet; send {PROTO_V1} (remote write 1.0)"
            )),
            other => Err(format!(
                "protobuf message {other:?} is not known; send {PROTO_V1}"
            )),
        };
    }
    Ok(())
}

fn check_content_encoding(content_encoding: &str) -> Result<(), String> {
    match content_encoding {
        "" => Err("no Content-Encoding; compress the body with snappy (block format)".to_owned()),
        encoding if encoding.eq_ignore_ascii_case("snappy") => Ok(()),
        other => Err(format!(
            "Content-Encoding {other:?} is not supported; compress the body with snappy (block format)"
        )),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn checked(content_type: Option<&str>, encoding: Option<&str>) -> Result<(), (Reason, String)> {
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
        for content_type in [
            "application/x-protobuf",
            "application/x-protobuf;proto=prometheus.WriteRequest",
            "Application/X-Protobuf; charset=utf-8; proto=\"prometheus.WriteRequest\"",
        ] {
            assert_eq!(
                checked(Some(content_type), Some("snappy")),
                Ok(()),
                "{content_type}"
            );
        }
    }

    #[test]
    fn everything_else_is_named() {
        for (content_type, encoding, reason, hint) in [
            (None, Some("snappy"), Reason::ContentType, "no Content-Type"),
            (
                Some("application/json"),
                Some("snappy"),
                Reason::ContentType,
                "application/json",
            ),
            (
                Some("application/x-protobuf;proto=io.prometheus.write.v2.Request"),
                Some("snappy"),
                Reason::ContentType,
                "2.0 (io.prometheus.write.v2.Request) is not supported yet",
            ),
            (
                Some("application/x-protobuf;proto=a.B"),
                Some("snappy"),
                Reason::ContentType,
                "a.B",
            ),
            (
                Some("application/x-protobuf"),
                None,
                Reason::ContentEncoding,
                "no Content-Encoding",
            ),
            (
                Some("application/x-protobuf"),
                Some("gzip"),
                Reason::ContentEncoding,
                "gzip",
            ),
        ] {
            let (got, text) = checked(content_type, encoding).unwrap_err();
            assert_eq!(got, reason);
            assert!(text.contains(hint), "{text}");
        }
    }
}
