//! Remote write 2.0, as small as tests need it: `io.prometheus.write.v2.Request` written by hand.

use crate::Result;
use crate::api::Reply;
use crate::remote_write::{bytes_field, compress, varint};
use crate::server::Server;

/// The headers a sender of remote write 2.0 sends.
pub const HEADERS: [(&str, &str); 3] = [
    (
        "Content-Type",
        "application/x-protobuf;proto=io.prometheus.write.v2.Request",
    ),
    ("Content-Encoding", "snappy"),
    ("X-Prometheus-Remote-Write-Version", "2.0.0"),
];

/// A request as it is put together.
#[derive(Clone, Debug)]
pub struct Request {
    symbols: Vec<String>,
    series: Vec<u8>,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            symbols: vec![String::new()],
            series: Vec::new(),
        }
    }
}

/// An integer histogram of exponential or custom buckets, all positive, in one span from `offset`.
#[derive(Clone, Debug)]
pub struct Buckets<'b> {
    /// -53 for custom bounds.
    pub schema: i64,
    /// Index of the first bucket.
    pub offset: i64,
    /// Observations by bucket.
    pub counts: &'b [i64],
    /// Custom bounds.
    pub bounds: &'b [f64],
    /// Sum of the observations.
    pub sum: f64,
    /// What the message says that their number is.
    pub count: u64,
}

impl Request {
    fn symbol(&mut self, text: &str) -> u64 {
        let known = self.symbols.iter().position(|symbol| symbol == text);
        let number = known.unwrap_or_else(|| {
            self.symbols.push(text.to_owned());
            self.symbols.len() - 1
        });
        number as u64
    }

    fn refs(&mut self, labels: &[(&str, &str)]) -> Vec<u8> {
        let (mut packed, mut out) = (Vec::new(), Vec::new());
        for (name, value) in labels {
            let (name, value) = (self.symbol(name), self.symbol(value));
            varint(&mut packed, name);
            varint(&mut packed, value);
        }
        bytes_field(&mut out, 1, &packed);
        out
    }

    /// Adds a series: its labels, and what `fields` make of the request.
    pub fn series(&mut self, labels: &[(&str, &str)], fields: &[Field<'_>]) -> &mut Self {
        let mut message = self.refs(labels);
        for field in fields {
            message.extend(self.field(field));
        }
        bytes_field(&mut self.series, 5, &message);
        self
    }

    fn field(&mut self, field: &Field<'_>) -> Vec<u8> {
        let mut message = Vec::new();
        let number = match field {
            Field::Sample(at_ms, start_ms, value) => {
                double_field(&mut message, 1, *value);
                varint_field(&mut message, 2, at_ms.cast_unsigned());
                varint_field(&mut message, 3, start_ms.cast_unsigned());
                2
            }
            Field::Histogram(at_ms, buckets) => {
                histogram(&mut message, *at_ms, buckets);
                3
            }
            Field::Exemplar(labels, at_ms, value) => {
                message = self.refs(labels);
                double_field(&mut message, 2, *value);
                varint_field(&mut message, 3, at_ms.cast_unsigned());
                4
            }
            Field::Metadata(metric_type, help, unit) => {
                let (help, unit) = (self.symbol(help), self.symbol(unit));
                varint_field(&mut message, 1, *metric_type);
                varint_field(&mut message, 3, help);
                varint_field(&mut message, 4, unit);
                5
            }
            Field::Reserved(value) => {
                varint_field(&mut message, 6, *value);
                return message;
            }
        };
        let mut out = Vec::new();
        bytes_field(&mut out, number, &message);
        out
    }

    /// The message.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for symbol in &self.symbols {
            bytes_field(&mut out, 4, symbol.as_bytes());
        }
        out.extend_from_slice(&self.series);
        out
    }

    /// Sends it.
    ///
    /// # Errors
    /// No answer.
    pub fn send(&self, server: &Server) -> Result<Reply> {
        let body = compress(&self.encode())?;
        server.api().post("/api/v1/write", &HEADERS, &body)
    }
}

/// A field of a series.
#[derive(Clone, Debug)]
pub enum Field<'f> {
    /// Time, start (0 for none), value.
    Sample(i64, i64, f64),
    /// Time, histogram.
    Histogram(i64, Buckets<'f>),
    /// Labels, time, value.
    Exemplar(&'f [(&'f str, &'f str)], i64, f64),
    /// Type, help, unit.
    Metadata(u64, &'f str, &'f str),
    /// What once was the created timestamp of a series.
    Reserved(u64),
}

fn histogram(out: &mut Vec<u8>, at_ms: i64, buckets: &Buckets<'_>) {
    varint_field(out, 1, buckets.count);
    double_field(out, 3, buckets.sum);
    varint_field(out, 4, zigzag(buckets.schema));
    let mut span = Vec::new();
    varint_field(&mut span, 1, zigzag(buckets.offset));
    varint_field(&mut span, 2, buckets.counts.len() as u64);
    if !buckets.counts.is_empty() {
        bytes_field(out, 11, &span);
    }
    let (mut deltas, mut before) = (Vec::new(), 0);
    for count in buckets.counts {
        varint(&mut deltas, zigzag(count - before));
        before = *count;
    }
    bytes_field(out, 12, &deltas);
    varint_field(out, 15, at_ms.cast_unsigned());
    let bounds: Vec<u8> = buckets
        .bounds
        .iter()
        .flat_map(|it| it.to_le_bytes())
        .collect();
    bytes_field(out, 16, &bounds);
}

fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

/// The numbers of such fields take one byte with the wire type up to 15.
fn double_field(out: &mut Vec<u8>, number: u8, value: f64) {
    out.push(number << 3 | 1);
    out.extend_from_slice(&value.to_le_bytes());
}

fn varint_field(out: &mut Vec<u8>, number: u8, value: u64) {
    // Proto3 leaves zeros out.
    if value != 0 {
        out.push(number << 3);
        varint(out, value);
    }
}
