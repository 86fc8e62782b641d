//! Requests of remote write 1.0, as a Prometheus writes them: `prometheus.WriteRequest` of
//! `prompb/remote.proto` and `prompb/types.proto`, in snappy's block format.
//!
//! WriteRequest{1: TimeSeries{1: Label{1: name, 2: value}, 2: Sample{1: double, 2: int64}}}

use super::Labels;
use super::movable::{self, Stamp};
use super::request_file::RequestWriter;
use crate::error::{About, Result};

/// Samples in a request: what Prometheus sends at most by default.
pub(crate) const SAMPLES_PER_REQUEST: usize = 2_000;

/// The labels of a series, sorted and encoded: the part of each of its messages that stays.
#[derive(Clone, Debug)]
pub(crate) struct EncodedLabels(Vec<u8>);

impl EncodedLabels {
    /// Sorts the labels by name and encodes them.
    pub(crate) fn new(mut labels: Labels) -> Self {
        labels.sort();
        let mut out = Vec::new();
        let mut label = Vec::new();
        for (name, value) in &labels {
            label.clear();
            bytes_field(&mut label, 1, name.as_bytes());
            bytes_field(&mut label, 2, value.as_bytes());
            bytes_field(&mut out, 1, &label);
        }
        Self(out)
    }
}

/// Gathers series of one sample each to requests of [`SAMPLES_PER_REQUEST`].
#[derive(Debug)]
pub(crate) struct Batcher {
    body: Vec<u8>,
    samples: usize,
    compressor: snap::raw::Encoder,
    out: RequestWriter,
    /// Where the timestamps are, where the requests shall be [`movable`].
    stamps: Option<Vec<Stamp>>,
}

impl Batcher {
    pub(crate) fn new(out: RequestWriter, movable: bool) -> Self {
        Self {
            stamps: movable.then(Vec::new),
            body: Vec::new(),
            samples: 0,
            compressor: snap::raw::Encoder::new(),
            out,
        }
    }

    /// Adds a sample.
    ///
    /// # Errors
    /// Those of the file.
    pub(crate) fn push(
        &mut self,
        labels: &EncodedLabels,
        timestamp_ms: i64,
        value: f64,
    ) -> Result<()> {
        let at = time_series(&mut self.body, labels, timestamp_ms, value);
        if let Some(stamps) = &mut self.stamps {
            stamps.push(Stamp { at, timestamp_ms });
        }
        self.samples += 1;
        if self.samples == SAMPLES_PER_REQUEST {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes what is left and ends the file.
    ///
    /// # Errors
    /// Those of the file.
    pub(crate) fn finish(mut self) -> Result<RequestWriter> {
        self.flush()?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn flush(&mut self) -> Result<()> {
        if self.samples > 0 {
            let (compressed, patches) = match &mut self.stamps {
                Some(stamps) => {
                    let compressed = movable::compress(&self.body, stamps)?;
                    stamps.clear();
                    compressed
                }
                None => {
                    let compressed = self.compressor.compress_vec(&self.body);
                    (compressed.about("snappy")?, Vec::new())
                }
            };
            self.out.append(self.samples, &compressed, &patches)?;
            self.body.clear();
            self.samples = 0;
        }
        Ok(())
    }
}

/// Adds a series of one sample, and returns where its timestamp begins.
fn time_series(out: &mut Vec<u8>, labels: &EncodedLabels, timestamp_ms: i64, value: f64) -> usize {
    let timestamp = timestamp_ms.cast_unsigned();
    // As Prometheus does, a field that is zero is left out. Of -0.0 only the sign is lost there;
    // here it is sent.
    let value_len = if value.to_bits() == 0 { 0 } else { 9 };
    let timestamp_len = if timestamp == 0 {
        0
    } else {
        1 + varint_len(timestamp)
    };
    let sample_len = value_len + timestamp_len;
    out.push(1 << 3 | 2);
    // A sample has at most 20 bytes, so its tag and its length are a byte each.
    varint(out, (labels.0.len() + 2 + sample_len) as u64);
    out.extend_from_slice(&labels.0);
    out.push(2 << 3 | 2);
    varint(out, sample_len as u64);
    if value_len > 0 {
        out.push(1 << 3 | 1);
        out.extend_from_slice(&value.to_le_bytes());
    }
    let at = out.len() + 1;
    if timestamp_len > 0 {
        out.push(2 << 3);
        varint(out, timestamp);
    }
    at
}

fn bytes_field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// How many bytes [`varint`] writes.
fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::request_file::RequestReader;
    use super::*;

    /// Samples by series, the labels as text.
    pub(crate) type Decoded = Vec<(String, i64, f64)>;

    fn take_varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let (&byte, rest) = bytes.split_first().unwrap();
            *bytes = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }

    fn take_bytes<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
        let len = take_varint(bytes) as usize;
        let (taken, rest) = bytes.split_at(len);
        *bytes = rest;
        taken
    }

    fn decode_series(mut series: &[u8], out: &mut Decoded) {
        let mut labels = Vec::new();
        while !series.is_empty() {
            match take_varint(&mut series) {
                0x0a => {
                    let mut label = take_bytes(&mut series);
                    let mut parts = BTreeMap::new();
                    while !label.is_empty() {
                        let tag = take_varint(&mut label);
                        parts.insert(tag, String::from_utf8_lossy(take_bytes(&mut label)));
                    }
                    labels.push(format!("{}={}", parts[&0x0a], parts[&0x12]));
                }
                0x12 => {
                    let mut sample = take_bytes(&mut series);
                    let (mut timestamp_ms, mut value) = (0, 0.0);
                    while !sample.is_empty() {
                        match take_varint(&mut sample) {
                            0x09 => {
                                let (bits, rest) = sample.split_first_chunk().unwrap();
                                (value, sample) = (f64::from_le_bytes(*bits), rest);
                            }
                            0x10 => timestamp_ms = take_varint(&mut sample).cast_signed(),
                            tag => panic!("tag {tag} in a sample"),
                        }
                    }
                    out.push((labels.join(","), timestamp_ms, value));
                }
                tag => panic!("tag {tag} in a series"),
            }
        }
    }

    /// All samples of a file of requests, in their order.
    pub(crate) fn decode_file(path: &std::path::Path) -> Result<Vec<Decoded>> {
        let mut reader = RequestReader::open(path)?;
        let mut requests = Vec::new();
        let mut compressed = Vec::new();
        while let Some(samples) = reader.next(&mut compressed)? {
            let body = snap::raw::Decoder::new()
                .decompress_vec(&compressed)
                .about("snappy")?;
            let mut body = &body[..];
            let mut decoded = Decoded::new();
            while !body.is_empty() {
                assert_eq!(take_varint(&mut body), 0x0a);
                decode_series(take_bytes(&mut body), &mut decoded);
            }
            assert_eq!(decoded.len(), samples);
            requests.push(decoded);
        }
        Ok(requests)
    }

    fn labels(pairs: &[(&str, &str)]) -> EncodedLabels {
        EncodedLabels::new(
            pairs
                .iter()
                .map(|&(n, v)| (n.to_owned(), v.to_owned()))
                .collect(),
        )
    }

    #[test]
    fn a_series_is_these_bytes() {
        let labels = labels(&[("a", "b"), ("__name__", "up")]);
        let mut out = Vec::new();
        time_series(&mut out, &labels, 300, 1.0);
        let expected = [
            &[0x0a, 38][..],                               // TimeSeries
            &[0x0a, 14, 0x0a, 8],                          // Label, name
            b"__name__",                                   //
            &[0x12, 2, b'u', b'p'],                        // value
            &[0x0a, 6, 0x0a, 1, b'a', 0x12, 1, b'b'],      // Label
            &[0x12, 12, 0x09, 0, 0, 0, 0, 0, 0, 0xf0, 63], // Sample, value
            &[0x10, 0xac, 0x02],                           // timestamp
        ]
        .concat();
        assert_eq!(out, expected);
        out.clear();
        time_series(&mut out, &labels, 0, 0.0);
        assert_eq!(out[out.len() - 2..], [0x12, 0]);
    }

    proptest! {
        // A case writes thousands of samples.
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn what_is_batched_comes_back(
            samples in prop::collection::vec((any::<i64>(), any::<u64>()), 0..50),
            times in 1_usize..200,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("requests");
            let mut batcher = Batcher::new(RequestWriter::create(&path)?, false);
            let labels = labels(&[("__name__", "up"), ("job", "a,b")]);
            for _ in 0..times {
                for &(timestamp_ms, bits) in &samples {
                    batcher.push(&labels, timestamp_ms, f64::from_bits(bits))?;
                }
            }
            let totals = batcher.finish()?.totals();
            let requests = decode_file(&path)?;
            prop_assert_eq!(totals.requests, requests.len() as u64);
            prop_assert_eq!(totals.samples, (samples.len() * times) as u64);
            let (last, full) = requests.split_last().map_or((&[][..], &[][..]), |(l, f)| (l, f));
            prop_assert!(full.iter().all(|request| request.len() == SAMPLES_PER_REQUEST));
            prop_assert!(last.len() <= SAMPLES_PER_REQUEST);
            let expected = samples.iter().cycle();
            for ((series, timestamp_ms, value), expected) in requests.concat().iter().zip(expected) {
                prop_assert_eq!(series, "__name__=up,job=a,b");
                prop_assert_eq!((*timestamp_ms, value.to_bits()), *expected);
            }
        }
    }
}
