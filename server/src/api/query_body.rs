//! The body of a query's answer, written piece by piece as the client takes it, so that the
//! text of a large result never stands in memory as a whole.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::vec;

use axum::body::{Body, HttpBody};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::Frame;
use silverback_query::{
    FloatHistogram, InstantSample, QueryResult, RangeSeries, Reservation, Value,
};

use super::response::{SUCCESS, finish};
use super::run::{GiveBack, Turn};
use super::{histogram, json};

/// About how long a piece is, in bytes.
const PIECE_BYTES: usize = 64 << 10;

/// Writes an answer in pieces.
#[derive(Debug)]
pub(super) struct QueryBody {
    unsent: Unsent,
    /// Written, and not taken yet.
    piece: Vec<u8>,
    /// What stands after the result.
    tail: Vec<u8>,
    done: bool,
    _give_back: Option<GiveBack>,
    /// Held likewise; a client that reads slowly holds it long.
    _turn: Turn,
}

/// What is still to be written, and what the result takes of the memory for all queries, as long
/// as it is there.
#[derive(Debug)]
struct Unsent {
    rest: Rest,
    memory: Reservation,
}

/// What an answer holds at least to be freed on a thread of its own when its client is gone, in
/// bytes: the threads of the runtime have no milliseconds for it.
const FREED_BEHIND_MIN: u64 = 1 << 20;

impl Drop for Unsent {
    fn drop(&mut self) {
        if self.memory.bytes() >= FREED_BEHIND_MIN {
            let rest = std::mem::replace(&mut self.rest, Rest::Nothing);
            std::mem::take(&mut self.memory).free_behind(rest);
        }
    }
}

/// The part of the result that is still to be written.
#[derive(Debug)]
enum Rest {
    Nothing,
    Vector(vec::IntoIter<InstantSample>),
    Matrix {
        series: vec::IntoIter<RangeSeries>,
        open: Option<OpenSeries>,
    },
    List(List),
}

/// Writes the next element; false at the end.
type WriteNext = Box<dyn FnMut(&mut Vec<u8>) -> bool + Send>;

/// What is left of a list, written by a function of its own.
pub(super) struct List {
    next: WriteNext,
    open: u8,
    close: u8,
}

impl List {
    /// An array; `write` writes an element.
    pub(super) fn array<T: Send + 'static>(
        elements: Vec<T>,
        write: impl Fn(&mut Vec<u8>, &T) + Send + 'static,
    ) -> Self {
        Self::of(elements, [b'[', b']'], write)
    }

    /// An object; `write` writes a name, a colon and a value.
    pub(super) fn object<T: Send + 'static>(
        elements: Vec<T>,
        write: impl Fn(&mut Vec<u8>, &T) + Send + 'static,
    ) -> Self {
        Self::of(elements, [b'{', b'}'], write)
    }

    fn of<T: Send + 'static>(
        elements: Vec<T>,
        [open, close]: [u8; 2],
        write: impl Fn(&mut Vec<u8>, &T) + Send + 'static,
    ) -> Self {
        let mut elements = elements.into_iter();
        let next = move |out: &mut Vec<u8>| {
            let Some(element) = elements.next() else {
                return false;
            };
            write(out, &element);
            separate(out, elements.len());
            true
        };
        Self {
            next: Box::new(next),
            open,
            close,
        }
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List").finish_non_exhaustive()
    }
}

/// A series whose points are being written.
#[derive(Debug)]
struct OpenSeries {
    points: std::iter::Zip<vec::IntoIter<i64>, vec::IntoIter<f64>>,
    histograms: vec::IntoIter<(i64, Arc<FloatHistogram>)>,
}

impl QueryBody {
    /// Of a result, and what stands beside it by name, as JSON.
    pub(super) fn new(
        result: QueryResult,
        extras: Vec<(&'static str, Vec<u8>)>,
        turn: Turn,
    ) -> Self {
        let mut piece = SUCCESS.to_vec();
        let mut tail = Vec::new();
        let rest = match result.value {
            Value::Scalar {
                timestamp_ms,
                value,
            } => {
                piece.extend_from_slice(br#"{"resultType":"scalar","result":["#);
                json::float_timestamp(&mut piece, timestamp_ms);
                piece.push(b',');
                json::plain_float(&mut piece, value);
                tail.push(b']');
                Rest::Nothing
            }
            Value::String {
                timestamp_ms,
                value,
            } => {
                piece.extend_from_slice(br#"{"resultType":"string","result":["#);
                json::float_timestamp(&mut piece, timestamp_ms);
                piece.push(b',');
                json::html_string(&mut piece, &value);
                tail.push(b']');
                Rest::Nothing
            }
            Value::Vector(samples) => {
                piece.extend_from_slice(br#"{"resultType":"vector","result":["#);
                tail.push(b']');
                Rest::Vector(samples.into_iter())
            }
            Value::Matrix(series) => {
                piece.extend_from_slice(br#"{"resultType":"matrix","result":["#);
                tail.push(b']');
                Rest::Matrix {
                    series: series.into_iter(),
                    open: None,
                }
            }
        };
        for (name, json) in extras {
            tail.extend_from_slice(format!(",\"{name}\":").as_bytes());
            tail.extend_from_slice(&json);
        }
        tail.push(b'}');
        finish(&mut tail, &result.warnings, &result.infos);
        Self::of_rest(rest, piece, tail, (result.memory, turn))
    }

    /// Of a list, which holds `memory` and its turn until it is sent.
    pub(super) fn of_list(
        list: List,
        warnings: &[String],
        memory: Reservation,
        turn: Turn,
    ) -> Self {
        let mut piece = SUCCESS.to_vec();
        piece.push(list.open);
        let mut tail = vec![list.close];
        finish(&mut tail, warnings, &[]);
        Self::of_rest(Rest::List(list), piece, tail, (memory, turn))
    }

    fn of_rest(
        rest: Rest,
        piece: Vec<u8>,
        tail: Vec<u8>,
        (memory, turn): (Reservation, Turn),
    ) -> Self {
        let mut body = Self {
            unsent: Unsent { rest, memory },
            piece,
            tail,
            done: false,
            _give_back: None,
            _turn: turn,
        };
        body.fill();
        body
    }

    /// The same, with memory given back to the system when it is done.
    pub(super) fn giving_back(self, give_back: GiveBack) -> Self {
        Self {
            _give_back: Some(give_back),
            ..self
        }
    }

    /// Writes until the piece is long enough or the answer ends.
    fn fill(&mut self) {
        let Self {
            unsent: Unsent { rest, .. },
            piece,
            tail,
            done,
            _give_back: _,
            _turn: _,
        } = self;
        while piece.len() < PIECE_BYTES {
            let more = match rest {
                Rest::Nothing => false,
                Rest::Vector(samples) => write_sample(piece, samples),
                Rest::Matrix { series, open } => write_points(piece, series, open),
                Rest::List(list) => (list.next)(piece),
            };
            if !more {
                piece.append(tail);
                *done = true;
                return;
            }
        }
    }

    /// The whole of a short answer; a longer one in pieces.
    pub(super) fn into_response(self) -> Response {
        let body = if self.done {
            Body::from(self.piece)
        } else {
            Body::new(self)
        };
        ([(header::CONTENT_TYPE, "application/json")], body).into_response()
    }
}

/// Writes the next sample of a vector; false at the end.
fn write_sample(out: &mut Vec<u8>, samples: &mut vec::IntoIter<InstantSample>) -> bool {
    let Some(sample) = samples.next() else {
        return false;
    };
    out.extend_from_slice(br#"{"metric":"#);
    json::labels(out, sample.labels.iter());
    let name: &[u8] = match &sample.histogram {
        None => br#","value":["#,
        Some(_) => br#","histogram":["#,
    };
    out.extend_from_slice(name);
    json::timestamp(out, sample.timestamp_ms);
    out.push(b',');
    match &sample.histogram {
        None => json::float(out, sample.value),
        Some(histogram) => histogram::write(out, histogram),
    }
    out.extend_from_slice(b"]}");
    separate(out, samples.len());
    true
}

/// Writes the head of the next series, or a run of points of the open one; false at the end.
fn write_points(
    out: &mut Vec<u8>,
    series: &mut vec::IntoIter<RangeSeries>,
    open: &mut Option<OpenSeries>,
) -> bool {
    let Some(current) = open else {
        let Some(next) = series.next() else {
            return false;
        };
        out.extend_from_slice(br#"{"metric":"#);
        json::labels(out, next.labels.iter());
        if next.values.is_empty() && next.histograms.is_empty() {
            out.push(b'}');
            separate(out, series.len());
            return true;
        }
        let name: &[u8] = match next.values.len() {
            0 => br#","histograms":["#,
            _ => br#","values":["#,
        };
        out.extend_from_slice(name);
        *open = Some(OpenSeries {
            points: next.timestamps_ms.into_iter().zip(next.values),
            histograms: next.histograms.into_iter(),
        });
        return true;
    };
    while out.len() < PIECE_BYTES {
        let Some((timestamp_ms, value)) = current.points.next() else {
            break;
        };
        out.push(b'[');
        json::timestamp(out, timestamp_ms);
        out.push(b',');
        json::float(out, value);
        out.push(b']');
        separate(out, current.points.len());
        if current.points.len() == 0 && current.histograms.len() > 0 {
            out.extend_from_slice(br#"],"histograms":["#);
        }
    }
    if current.points.len() > 0 {
        return true;
    }
    while out.len() < PIECE_BYTES {
        let Some((timestamp_ms, histogram)) = current.histograms.next() else {
            break;
        };
        out.push(b'[');
        json::timestamp(out, timestamp_ms);
        out.push(b',');
        histogram::write(out, &histogram);
        out.push(b']');
        separate(out, current.histograms.len());
    }
    if current.histograms.len() == 0 {
        out.extend_from_slice(b"]}");
        separate(out, series.len());
        *open = None;
    }
    true
}

fn separate(out: &mut Vec<u8>, left: usize) {
    if left > 0 {
        out.push(b',');
    }
}

impl HttpBody for QueryBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.piece.is_empty() && !self.done {
            self.piece.reserve(PIECE_BYTES);
            self.fill();
        }
        if self.piece.is_empty() {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Ok(Frame::data(
            std::mem::take(&mut self.piece).into(),
        ))))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use silverback_query::Labels;

    use super::*;

    async fn written(value: Value, warnings: &[&str]) -> String {
        let warnings = warnings.iter().map(|&text| text.to_owned()).collect();
        let result = QueryResult {
            value,
            warnings,
            infos: Vec::new(),
            stats: None,
            plan: Vec::new(),
            memory: Reservation::default(),
        };
        let turns = Arc::new(tokio::sync::Semaphore::new(1));
        let turn = Arc::clone(&turns).try_acquire_owned().unwrap();
        let response = QueryBody::new(result, Vec::new(), turn).into_response();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(turns.available_permits(), 1);
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    fn series(labels: &[(&str, &str)], points: &[(i64, f64)]) -> RangeSeries {
        RangeSeries {
            labels: Labels::from_pairs(labels.iter().copied()),
            timestamps_ms: points.iter().map(|point| point.0).collect(),
            values: points.iter().map(|point| point.1).collect(),
            histograms: Vec::new(),
        }
    }

    // The expected bytes are what Prometheus 3.5.3 answered.

    #[tokio::test]
    async fn scalars_and_strings() {
        assert_eq!(
            written(
                Value::Scalar {
                    timestamp_ms: 4000,
                    value: 1.0
                },
                &[]
            )
            .await,
            r#"{"status":"success","data":{"resultType":"scalar","result":[4,"1"]}}"#
        );
        let value = Value::String {
            timestamp_ms: 4250,
            value: "a<b".to_owned(),
        };
        assert_eq!(
            written(value, &[]).await,
            r#"{"status":"success","data":{"resultType":"string","result":[4.25,"a\u003cb"]}}"#
        );
    }

    #[tokio::test]
    async fn vectors() {
        let sample = |i: &str, value| InstantSample {
            labels: Labels::from_pairs([("__name__", "vals"), ("i", i)]),
            timestamp_ms: 1_795_231_940_000,
            value,
            histogram: None,
        };
        assert_eq!(
            written(
                Value::Vector(vec![sample("00", 0.0), sample("<", -0.0)]),
                &["results truncated due to limit"]
            )
            .await,
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"vals","i":"00"},"value":[1795231940,"0"]},{"metric":{"__name__":"vals","i":"<"},"value":[1795231940,"-0"]}]},"warnings":["results truncated due to limit"]}"#
        );
        assert_eq!(
            written(Value::Vector(Vec::new()), &[]).await,
            r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#
        );
    }

    #[tokio::test]
    async fn matrices() {
        let esc2 = series(
            &[("__name__", "esc2"), ("v", "plain")],
            &[
                (1_795_231_940_000, 4.0),
                (1_795_231_941_500, 4.0),
                (1_795_231_943_000, 4.0),
            ],
        );
        assert_eq!(
            written(Value::Matrix(vec![esc2, series(&[], &[(0, 1.0)])]), &[]).await,
            r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"esc2","v":"plain"},"values":[[1795231940,"4"],[1795231941.500,"4"],[1795231943,"4"]]},{"metric":{},"values":[[0,"1"]]}]}}"#
        );
        assert_eq!(
            written(Value::Matrix(Vec::new()), &[]).await,
            r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#
        );
    }

    #[tokio::test]
    async fn histograms_stand_beside_floats() {
        let histogram = Arc::new(FloatHistogram {
            count: 3.0,
            sum: 4.5,
            positive: vec![(1, 3.0)],
            ..FloatHistogram::default()
        });
        let one = r#"{"count":"3","sum":"4.5","buckets":[[0,"1","2","3"]]}"#;
        let sample = InstantSample {
            labels: Labels::from_pairs([("a", "b")]),
            timestamp_ms: 1500,
            value: f64::NAN,
            histogram: Some(Arc::clone(&histogram)),
        };
        let head = r#"{"status":"success","data":{"resultType":"#;
        assert_eq!(
            written(Value::Vector(vec![sample]), &[]).await,
            format!(
                r#"{head}"vector","result":[{{"metric":{{"a":"b"}},"histogram":[1.500,{one}]}}]}}}}"#
            )
        );
        let mut mixed = series(&[("a", "b")], &[(1000, 1.0)]);
        mixed.histograms = vec![(2000, Arc::clone(&histogram)), (3000, histogram)];
        let mut alone = mixed.clone();
        (alone.timestamps_ms, alone.values) = (Vec::new(), Vec::new());
        let both = format!(r#""histograms":[[2,{one}],[3,{one}]]"#);
        assert_eq!(
            written(Value::Matrix(vec![mixed, alone]), &[]).await,
            format!(
                r#"{head}"matrix","result":[{{"metric":{{"a":"b"}},"values":[[1,"1"]],{both}}},{{"metric":{{"a":"b"}},{both}}}]}}}}"#
            )
        );
    }

    #[tokio::test]
    async fn an_answer_in_many_pieces_is_the_same() {
        let points: Vec<(i64, f64)> = (0..11_000).map(|i| (i * 1000, i as f64 / 7.0)).collect();
        let many = Value::Matrix((0..5).map(|_| series(&[("a", "b")], &points)).collect());
        let text = written(many, &[]).await;
        assert!(text.len() > 10 * PIECE_BYTES);
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
        let result = parsed["data"]["result"].as_array().unwrap();
        assert_eq!(result.len(), 5);
        for series in result {
            let values = series["values"].as_array().unwrap();
            assert_eq!(values.len(), points.len());
            for (value, &(ms, expected)) in values.iter().zip(&points) {
                assert_eq!(value[0].as_f64().unwrap() * 1000.0, ms as f64);
                assert_eq!(value[1].as_str().unwrap().parse::<f64>().unwrap(), expected);
            }
        }
    }
}
