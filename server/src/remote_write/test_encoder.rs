//! Writes remote-write requests, for tests.

use super::v1::Sample;

/// A series as a sender would send it.
#[derive(Clone, Debug, Default)]
pub(crate) struct TestSeries {
    pub(crate) labels: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) samples: Vec<Sample>,
    pub(crate) exemplars: usize,
    pub(crate) histograms: usize,
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
        for _ in 0..series.exemplars {
            message.extend(bytes_field(3, &fixed64_field(2, 1.0f64.to_bits())));
        }
        for _ in 0..series.histograms {
            message.extend(bytes_field(4, &varint_field(1, 3)));
        }
        body.extend(bytes_field(1, &message));
    }
    for _ in 0..metadata {
        body.extend(bytes_field(3, &bytes_field(2, b"up")));
    }
    body
}

/// The same, compressed.
pub(crate) fn snappy(body: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(body).unwrap()
}

/// The headers that a sender of version 1.0 sends.
pub(crate) const HEADERS: [(&str, &str); 2] = [
    ("content-type", "application/x-protobuf"),
    ("content-encoding", "snappy"),
];
