//! Writes remote-write requests, for tests.

use silverback_storage::model::{BucketSpan, Histogram, HistogramCounts, ResetHint};

use super::v1::Sample;

pub(crate) mod v2;

/// A series as a sender would send it.
#[derive(Clone, Debug, Default)]
pub(crate) struct TestSeries {
    pub(crate) labels: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) samples: Vec<Sample>,
    /// Messages, as [`exemplar`] makes them.
    pub(crate) exemplars: Vec<Vec<u8>>,
    /// Messages, as [`histogram`] makes them.
    pub(crate) histograms: Vec<Vec<u8>>,
}

impl TestSeries {
    pub(crate) fn new(labels: &[(&str, &str)], samples: &[(i64, f64)]) -> Self {
        Self {
            labels: labels
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
            samples: samples
                .iter()
                .map(|&(timestamp_ms, value)| Sample {
                    timestamp_ms,
                    value,
                })
                .collect(),
            ..Self::default()
        }
    }
}

/// What an empty message is.
pub(crate) fn zero_sample() -> Sample {
    Sample {
        timestamp_ms: 0,
        value: 0.0,
    }
}

pub(crate) fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn tag(number: u32, wire_type: u8) -> Vec<u8> {
    varint(u64::from(number) << 3 | u64::from(wire_type))
}

pub(crate) fn varint_field(number: u32, value: u64) -> Vec<u8> {
    [tag(number, 0), varint(value)].concat()
}

pub(crate) fn fixed64_field(number: u32, bits: u64) -> Vec<u8> {
    [tag(number, 1), bits.to_le_bytes().to_vec()].concat()
}

pub(crate) fn bytes_field(number: u32, bytes: &[u8]) -> Vec<u8> {
    [tag(number, 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

/// A sample as proto3 writes it: values that are 0 (to the bit) are left out.
fn sample(sample: &Sample) -> Vec<u8> {
    let mut out = Vec::new();
    if sample.value.to_bits() != 0 {
        out.extend(fixed64_field(1, sample.value.to_bits()));
    }
    if sample.timestamp_ms != 0 {
        out.extend(varint_field(2, sample.timestamp_ms.cast_unsigned()));
    }
    out
}

/// A `prometheus.WriteRequest` of these series and as many metadata messages as said.
pub(crate) fn write_request(series: &[TestSeries], metadata: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for series in series {
        let mut message = Vec::new();
        for (name, value) in &series.labels {
            message.extend(bytes_field(
                1,
                &[bytes_field(1, name), bytes_field(2, value)].concat(),
            ));
        }
        for one in &series.samples {
            message.extend(bytes_field(2, &sample(one)));
        }
        for exemplar in &series.exemplars {
            message.extend(bytes_field(3, exemplar));
        }
        for histogram in &series.histograms {
            message.extend(bytes_field(4, histogram));
        }
        body.extend(bytes_field(1, &message));
    }
    for _ in 0..metadata {
        body.extend(bytes_field(3, &bytes_field(2, b"up")));
    }
    body
}

/// An exemplar of version 1.0.
pub(crate) fn exemplar(labels: &[(&str, &str)], timestamp_ms: i64, value: f64) -> Vec<u8> {
    let mut message = Vec::new();
    for (name, value) in labels {
        let label = [
            bytes_field(1, name.as_bytes()),
            bytes_field(2, value.as_bytes()),
        ];
        message.extend(bytes_field(1, &label.concat()));
    }
    message.extend(fixed64_field(2, value.to_bits()));
    message.extend(varint_field(3, timestamp_ms.cast_unsigned()));
    message
}

/// What 1.0 says of a metric family.
pub(crate) fn metadata(family: &str, metric_type: u8, help: &str, unit: &str) -> Vec<u8> {
    let message = [
        varint_field(1, metric_type.into()),
        bytes_field(2, family.as_bytes()),
        bytes_field(4, help.as_bytes()),
        bytes_field(5, unit.as_bytes()),
    ];
    bytes_field(3, &message.concat())
}

fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

fn spans(number: u32, spans: &[BucketSpan]) -> Vec<u8> {
    let message = |span: &BucketSpan| {
        let offset = varint_field(1, zigzag(span.offset.into()));
        bytes_field(
            number,
            &[offset, varint_field(2, span.length.into())].concat(),
        )
    };
    spans.iter().flat_map(message).collect()
}

fn deltas(number: u32, deltas: &[i64]) -> Vec<u8> {
    let packed: Vec<u8> = deltas
        .iter()
        .flat_map(|&delta| varint(zigzag(delta)))
        .collect();
    bytes_field(number, &packed)
}

fn doubles(number: u32, values: &[f64]) -> Vec<u8> {
    let packed: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    bytes_field(number, &packed)
}

/// A histogram of no observation.
pub(crate) fn empty_histogram() -> Histogram {
    Histogram {
        schema: 0,
        zero_threshold: 0.0,
        sum: 0.0,
        reset_hint: ResetHint::Unknown,
        positive_spans: Vec::new(),
        negative_spans: Vec::new(),
        custom_bounds: Vec::new(),
        counts: HistogramCounts::Integer {
            count: 0,
            zero_count: 0,
            positive_deltas: Vec::new(),
            negative_deltas: Vec::new(),
        },
    }
}

/// A histogram as senders write it, in either version.
pub(crate) fn histogram(histogram: &Histogram, timestamp_ms: i64, start_ms: i64) -> Vec<u8> {
    let mut message = Vec::new();
    match &histogram.counts {
        HistogramCounts::Integer {
            count,
            zero_count,
            positive_deltas,
            negative_deltas,
        } => {
            message.extend(varint_field(1, *count));
            message.extend(varint_field(6, *zero_count));
            message.extend(deltas(9, negative_deltas));
            message.extend(deltas(12, positive_deltas));
        }
        HistogramCounts::Float {
            count,
            zero_count,
            positive,
            negative,
        } => {
            message.extend(fixed64_field(2, count.to_bits()));
            message.extend(fixed64_field(7, zero_count.to_bits()));
            message.extend(doubles(10, negative));
            message.extend(doubles(13, positive));
        }
    }
    message.extend(fixed64_field(3, histogram.sum.to_bits()));
    message.extend(varint_field(4, zigzag(histogram.schema.into())));
    message.extend(fixed64_field(5, histogram.zero_threshold.to_bits()));
    message.extend(spans(8, &histogram.negative_spans));
    message.extend(spans(11, &histogram.positive_spans));
    message.extend(varint_field(14, histogram.reset_hint as u64));
    message.extend(varint_field(15, timestamp_ms.cast_unsigned()));
    message.extend(doubles(16, &histogram.custom_bounds));
    if start_ms != 0 {
        message.extend(varint_field(17, start_ms.cast_unsigned()));
    }
    message
}

/// The same, compressed.
#[cfg(test)]
pub(crate) fn snappy(body: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(body).unwrap()
}

/// The headers that a sender of version 1.0 sends.
pub(crate) const HEADERS: [(&str, &str); 2] = [
    ("content-type", "application/x-protobuf"),
    ("content-encoding", "snappy"),
];
