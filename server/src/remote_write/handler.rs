//! `POST /api/v1/write`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use silverback_storage::Submitted;

use super::body::{BODY_BYTES_MAX, Shortage, read_body};
use super::refusal::{Reason, Refusal};
use super::scratch::Scratch;
use super::tally::{LeftOut, Tally};
use super::{headers, v1};
use crate::app::App;

/// Stores a request and answers 204 once it is durable.
pub(crate) async fn write(State(app): State<Arc<App>>, request: Request) -> Response {
    match store(&app, request).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => {
            let reason = refusal.reason();
            app.metrics.remote_write.failed(reason);
            if !matches!(reason, Reason::BodyBroken | Reason::Busy) {
                tracing::debug!(reason = reason.as_str(), error = %refusal, "remote write refused");
            }
            refusal.into_response()
        }
    }
}

async fn store(app: &App, request: Request<Body>) -> Result<(), Refusal> {
    let (parts, body) = request.into_parts();
    headers::check(&parts.headers)?;
    let body = read_body(&app.write_limits, body, BODY_BYTES_MAX).await?;
    let decoded_bytes = decoded_len(&body.bytes)?;
    let room = app
        .write_limits
        .room_to_decode(decoded_bytes)
        .await
        .ok_or_else(|| {
            Refusal::new(
                Reason::Busy,
                "too many requests in flight: no room to decode this one",
            )
        })?;
    let (tally, submitted) = app
        .write_scratch
        .with(|scratch| submit(app, &body.bytes, decoded_bytes, scratch))?;
    drop(body);
    submitted.commit.await?;
    // Until now the write's rows were in memory: a disk that stalls must not let them pile up.
    drop(room);
    app.metrics
        .remote_write
        .stored(&submitted.report, tally.left_out);
    tell_once(app, tally.left_out);
    match tally.complaint(&submitted.report) {
        None => Ok(()),
        Some(complaint) => Err(Refusal::new(Reason::Partial, complaint)),
    }
}

/// Says once per process what is left out of requests that succeed.
fn tell_once(app: &App, left_out: LeftOut) {
    if left_out.metadata > 0 {
        app.metadata_told.call_once(|| {
            tracing::info!("remote write sends metadata, which this version does not keep");
        });
    }
    if left_out.exemplars > 0 {
        app.exemplars_told.call_once(|| {
            tracing::info!("remote write sends exemplars, which this version does not keep");
        });
    }
}

/// The length of the decompressed body, from its header: checked before anything is decompressed.
fn decoded_len(body: &[u8]) -> Result<usize, Refusal> {
    let len = snap::raw::decompress_len(body).map_err(|error| not_snappy(&error))?;
    if len > BODY_BYTES_MAX {
        return Err(Refusal::new(
            Reason::TooLarge,
            format!("request body decodes to {len} bytes, more than the limit of {BODY_BYTES_MAX}"),
        ));
    }
    Ok(len)
}

fn submit(
    app: &App,
    body: &[u8],
    decoded_bytes: usize,
    scratch: &mut Scratch,
) -> Result<(Tally, Submitted), Refusal> {
    let Scratch { decoded, batch } = scratch;
    if decoded.len() < decoded_bytes {
        decoded.resize(decoded_bytes, 0);
    }
    let written = snap::raw::Decoder::new()
        .decompress(body, decoded)
        .map_err(|error| not_snappy(&error))?;
    let decoded = decoded.get(..written).unwrap_or_default();
    let mut tally = Tally::default();
    tally.left_out.metadata = v1::decode(decoded, |series| tally.take(&series, batch))
        .map_err(|error| Refusal::new(Reason::Protobuf, error.to_string()))?;
    let submitted = app.db.submit(batch)?;
    Ok((tally, submitted))
}

fn not_snappy(error: &snap::Error) -> Refusal {
    Refusal::new(
        Reason::Snappy,
        format!("request body is not snappy (block format): {error}"),
    )
}

impl From<Shortage> for Refusal {
    fn from(shortage: Shortage) -> Self {
        let reason = match shortage {
            Shortage::TooLarge(_) => Reason::TooLarge,
            Shortage::Late(_) => Reason::BodyTimeout,
            Shortage::Busy => Reason::Busy,
            Shortage::Broken(_) => Reason::BodyBroken,
        };
        Self::new(reason, shortage.to_string())
    }
}
