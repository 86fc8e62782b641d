//! `POST /api/v1/write`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use silverback_storage::{Submitted, WriteReport};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::body::{Room, Shortage, read_body};
use super::compression::Compression;
use super::receive::fill;
use super::refusal::{Reason, Refusal};
use super::scratch::Scratch;
use super::tally::{LeftOut, Tally};
use super::{Version, headers};
use crate::api::{ApiError, ErrorType};
use crate::app::App;

/// Requests up to this many bytes, once they are decompressed, are worked on where they arrive: of
/// series that are known it takes a millisecond.
const SMALL_BYTES_MAX: usize = 2 << 20;
/// The parameter with which older vmagents ask whether they may send zstd.
const HANDSHAKE: &str = "get_vm_proto_version";
/// The version of VictoriaMetrics's form of remote write that is taken.
const VM_VERSION: &str = "1";
const VM_VERSION_HEADER: &str = "x-victoriametrics-remote-write-version";

/// How many of each a request of version 2.0 left in the database, or were rightly left out of it
/// (by a rule, or as another replica had sent them): its sender counts on it, and takes a request
/// of which nothing was written for one that went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Written {
    samples: u64,
    histograms: u64,
    exemplars: u64,
}

/// A request of which all was stored that was wanted.
struct Stored {
    written: Written,
    /// Why nothing of it was.
    note: Option<String>,
}

/// A request that was not stored, or not all of it, and what was.
struct Failed {
    refusal: Refusal,
    written: Written,
}

/// Stores a request and answers 204 once it is durable.
pub(crate) async fn write(State(app): State<Arc<App>>, request: Request) -> Response {
    if asks_for_version(request.uri()) {
        return VM_VERSION.into_response();
    }
    let version = headers::claimed(request.headers());
    let (written, mut response) = match store(&app, request).await {
        Ok(Stored {
            written,
            note: None,
        }) => (written, StatusCode::NO_CONTENT.into_response()),
        Ok(Stored {
            written,
            note: Some(note),
        }) => (written, (StatusCode::ACCEPTED, note).into_response()),
        Err(Failed { refusal, written }) => {
            let reason = refusal.reason();
            app.metrics.remote_write.failed(reason);
            if !matches!(reason, Reason::BodyBroken | Reason::Busy) {
                tracing::debug!(reason = reason.as_str(), error = %refusal, "remote write refused");
            }
            (written, refusal.into_response())
        }
    };
    // A sender of 2.0 takes an answer without them for one of a server that knows 1.0 alone, and a
    // sender of 1.0 must not get them.
    if version == Version::V2 {
        written.add_to(&mut response);
    }
    response
}

/// `GET /api/v1/write`: vmagent's question, and nothing else.
pub(crate) async fn handshake(uri: Uri) -> Response {
    if asks_for_version(&uri) {
        return VM_VERSION.into_response();
    }
    let refused = ApiError::new(
        ErrorType::MethodNotAllowed,
        format!("method GET is not allowed for {}", uri.path()),
    );
    let mut response = refused.into_response();
    let allowed = HeaderValue::from_static("POST");
    response.headers_mut().insert(header::ALLOW, allowed);
    response
}

fn asks_for_version(uri: &Uri) -> bool {
    let mut parameters = uri.query().unwrap_or_default().split('&');
    parameters.any(|parameter| parameter.split('=').next() == Some(HANDSHAKE))
}

impl Written {
    fn of(report: &WriteReport, left_out: &LeftOut) -> Self {
        let (ruled, replica) = (left_out.relabeled, left_out.replica);
        let floats = report.accepted - report.histograms_accepted;
        Self {
            samples: floats + ruled.floats + replica.floats,
            histograms: report.histograms_accepted + ruled.histograms + replica.histograms,
            exemplars: report.exemplars_accepted + ruled.exemplars + replica.exemplars,
        }
    }

    fn add_to(self, response: &mut Response) {
        for (name, count) in [
            ("x-prometheus-remote-write-samples-written", self.samples),
            (
                "x-prometheus-remote-write-histograms-written",
                self.histograms,
            ),
            (
                "x-prometheus-remote-write-exemplars-written",
                self.exemplars,
            ),
        ] {
            let name = HeaderName::from_static(name);
            response
                .headers_mut()
                .insert(name, HeaderValue::from(count));
        }
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal,
            written: Written::default(),
        }
    }
}

async fn store(app: &Arc<App>, request: Request<Body>) -> Result<Stored, Failed> {
    let (parts, body) = request.into_parts();
    let version = check(&parts)?;
    let body = read_body(&app.write_limits, body, app.write_limits.body_bytes_max())
        .await
        .map_err(Refusal::from)?;
    let compression = Compression::of(&body.bytes);
    let metrics = &app.metrics.remote_write;
    metrics.received(version.number(), compression.name());
    let decoded_bytes =
        compression.decoded_len(&body.bytes, app.write_limits.decoded_bytes_max())?;
    let mut room = app
        .write_limits
        .room_to_decode(decoded_bytes)
        .await
        .ok_or_else(|| busy("to decode this one"))?;
    let (mut tally, submitted) = aside_if_large(decoded_bytes, || {
        app.write_scratch.with(|scratch| {
            let request = Compressed {
                version,
                compression,
                body: &body.bytes,
                decoded_bytes,
            };
            submit(app, &request, &mut room, scratch)
        })
    })?;
    drop(body);
    app.gathering.watch(app, &app.tasks);
    submitted.commit.await.map_err(Refusal::from)?;
    // Until now the write's rows were in memory: a disk that stalls must not let them pile up.
    drop(room);
    tally.note_said(&app.write_rules);
    let report = &submitted.report;
    metrics.stored(report, &tally.left_out);
    let written = Written::of(report, &tally.left_out);
    match tally.complaint(report, version) {
        None => Ok(Stored {
            written,
            note: tally
                .is_of_other_replica(report)
                .map(|why| format!("{why}\n")),
        }),
        Some(complaint) => Err(Failed {
            refusal: Refusal::new(Reason::Partial, complaint),
            written,
        }),
    }
}

/// Checks all that can be checked before the body is read.
fn check(parts: &Parts) -> Result<Version, Refusal> {
    let version = headers::check(&parts.headers)?;
    match parts.headers.get(VM_VERSION_HEADER) {
        Some(other) if other != VM_VERSION => Err(Refusal::new(
            Reason::ContentType,
            format!("{VM_VERSION_HEADER} {other:?} is not known; send {VM_VERSION}"),
        )),
        _ => Ok(version),
    }
}

/// Does the work on a request. One that is large may take long: meanwhile another thread takes over
/// from this one, so that no other connection waits. For small ones that would cost too much.
fn aside_if_large<T>(decoded_bytes: usize, work: impl FnOnce() -> T) -> T {
    let flavor = Handle::try_current().map(|runtime| runtime.runtime_flavor());
    match flavor {
        Ok(RuntimeFlavor::MultiThread) if decoded_bytes > SMALL_BYTES_MAX => {
            tokio::task::block_in_place(work)
        }
        // A runtime of one thread, as tests have, has none that could.
        _ => work(),
    }
}

/// A request as it came.
struct Compressed<'a> {
    version: Version,
    compression: Compression,
    body: &'a [u8],
    decoded_bytes: usize,
}

fn submit(
    app: &App,
    request: &Compressed<'_>,
    room: &mut Room,
    scratch: &mut Scratch,
) -> Result<(Tally, Submitted), Refusal> {
    let Scratch {
        decoded,
        batch,
        row_bytes,
    } = scratch;
    let (compression, bytes) = (request.compression, request.decoded_bytes);
    let decoded = compression.decode(request.body, bytes, decoded)?;
    let (mut tally, rules) = (Tally::default(), &app.write_rules);
    let filled = fill(&app.db, rules, request.version, decoded, batch, &mut tally);
    *row_bytes = tally.row_bytes;
    filled.map_err(|error| {
        let message = request.version.message();
        let text = format!("request body is not the protobuf message {message}: {error}");
        Refusal::new(Reason::Protobuf, text)
    })?;
    if tally.is_too_large(rules) {
        let max = rules.row_bytes_max();
        let text = format!(
            "request takes more than {max} bytes of memory once it is read (half of --remote-write-max-in-flight); send fewer samples at once"
        );
        return Err(Refusal::new(Reason::TooLarge, text));
    }
    // Rows can be many times as long in memory as they are in the body.
    if !room.grow(&app.write_limits, tally.row_bytes) {
        return Err(busy("for the rows of this one"));
    }
    let submitted = app.db.gather(batch)?;
    Ok((tally, submitted))
}

fn busy(what: &str) -> Refusal {
    Refusal::new(
        Reason::Busy,
        format!("too many requests in flight: no room {what} (--remote-write-max-in-flight)"),
    )
}

impl From<Shortage> for Refusal {
    fn from(shortage: Shortage) -> Self {
        let reason = match shortage {
            Shortage::TooLarge(_) => Reason::TooLarge,
            Shortage::Late(_) => Reason::BodyTimeout,
            Shortage::Busy(_) => Reason::Busy,
            Shortage::Broken(_) => Reason::BodyBroken,
        };
        let flag = match reason {
            Reason::TooLarge => " (--remote-write-max-body-size)",
            Reason::BodyTimeout => " (--remote-write-body-timeout)",
            _ => "",
        };
        Self::new(reason, format!("{shortage}{flag}"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_large_request_leaves_its_thread_to_others() {
        let met = tokio::spawn(async {
            let (send, receive) = mpsc::channel();
            tokio::spawn(async move { send.send(()) });
            aside_if_large(SMALL_BYTES_MAX + 1, || {
                receive.recv_timeout(Duration::from_secs(60))
            })
        });
        assert_eq!(met.await.unwrap(), Ok(()));
    }
}
