//! Remote write 1.0, as small as tests need it: `prometheus.WriteRequest` written by hand and
//! compressed with snappy.

use crate::{Error, Result};

/// The headers a sender of remote write 1.0 sends.
pub const HEADERS: [(&str, &str); 3] = [
    ("Content-Type", "application/x-protobuf"),
    ("Content-Encoding", "snappy"),
    ("X-Prometheus-Remote-Write-Version", "0.1.0"),
];

/// One series of a request.
#[derive(Clone, Debug, Default)]
pub struct TimeSeries {
    /// Names and values, in the order in which they are sent.
    pub labels: Vec<(String, String)>,
    /// Timestamps in milliseconds and values.
    pub samples: Vec<(i64, f64)>,
}

impl TimeSeries {
    /// A series without samples yet.
    pub fn new(labels: &[(&str, &str)]) -> Self {
        let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            labels: labels.iter().map(own).collect(),
            samples: Vec::new(),
        }
    }

    /// The same with one more sample.
    #[must_use]
    pub fn sample(mut self, timestamp_ms: i64, value: f64) -> Self {
        self.samples.push((timestamp_ms, value));
        self
    }
}

/// The protobuf message (`prompb/remote.proto`, `prompb/types.proto` of Prometheus):
/// WriteRequest{1: TimeSeries{1: Label{1: name, 2: value}, 2: Sample{1: double, 2: int64}}}.
pub fn encode(request: &[TimeSeries]) -> Vec<u8> {
    let mut out = Vec::new();
    for series in request {
        let mut message = Vec::new();
        for (name, value) in &series.labels {
            let mut label = Vec::new();
            bytes_field(&mut label, 1, name.as_bytes());
            bytes_field(&mut label, 2, value.as_bytes());
            bytes_field(&mut message, 1, &label);
        }
        for &(timestamp_ms, value) in &series.samples {
            let mut sample = vec![1 << 3 | 1];
            sample.extend_from_slice(&value.to_le_bytes());
            sample.push(2 << 3);
            varint(&mut sample, timestamp_ms.cast_unsigned());
            bytes_field(&mut message, 2, &sample);
        }
        bytes_field(&mut out, 1, &message);
    }
    out
}

/// A body in snappy's block format.
///
/// # Errors
/// More than 4 GiB.
pub fn compress(body: &[u8]) -> Result<Vec<u8>> {
    let compressed = snap::raw::Encoder::new().compress_vec(body);
    compressed.map_err(|e| Error::about("snappy", e))
}

/// A string, a message or a packed list.
pub(crate) fn bytes_field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    varint(out, u64::from(number) << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(crate) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_these_bytes() {
        let series = TimeSeries::new(&[("__name__", "up")]).sample(300, 1.0);
        let expected = [
            &[0x0a, 30][..],                               // TimeSeries
            &[0x0a, 14, 0x0a, 8],                          // Label, name
            b"__name__",                                   //
            &[0x12, 2, b'u', b'p'],                        // value
            &[0x12, 12, 0x09, 0, 0, 0, 0, 0, 0, 0xf0, 63], // Sample, value
            &[0x10, 0xac, 0x02],                           // timestamp
        ]
        .concat();
        assert_eq!(encode(&[series]), expected);
    }

    #[test]
    fn a_negative_timestamp_takes_ten_bytes() {
        let mut out = Vec::new();
        varint(&mut out, (-1_i64).cast_unsigned());
        assert_eq!(
            out,
            [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]
        );
    }
}
