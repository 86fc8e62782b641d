//! Writes requests of version 2.0.

use super::{bytes_field, fixed64_field, histogram, varint, varint_field};
use silverback_storage::model::Histogram;

/// The headers that a sender of version 2.0 sends.
pub(crate) const HEADERS: [(&str, &str); 2] = [
    (
        "content-type",
        "application/x-protobuf;proto=io.prometheus.write.v2.Request",
    ),
    ("content-encoding", "snappy"),
];

/// A request as it is put together.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    symbols: Vec<Vec<u8>>,
    series: Vec<Vec<u8>>,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            symbols: vec![Vec::new()],
            series: Vec::new(),
        }
    }
}

impl Request {
    /// The number of a string.
    pub(crate) fn symbol(&mut self, text: &[u8]) -> u64 {
        let known = self.symbols.iter().position(|symbol| symbol == text);
        let number = known.unwrap_or_else(|| {
            self.symbols.push(text.to_vec());
            self.symbols.len() - 1
        });
        number as u64
    }

    /// References to the names and values, as field 1 of a series or of an exemplar.
    pub(crate) fn refs(&mut self, labels: &[(&str, &str)]) -> Vec<u8> {
        let mut packed = Vec::new();
        for (name, value) in labels {
            packed.extend(varint(self.symbol(name.as_bytes())));
            packed.extend(varint(self.symbol(value.as_bytes())));
        }
        bytes_field(1, &packed)
    }

    /// Adds a series of these fields.
    pub(crate) fn series(&mut self, fields: &[Vec<u8>]) -> &mut Self {
        self.series.push(bytes_field(5, &fields.concat()));
        self
    }

    /// An exemplar, as a field of a series.
    pub(crate) fn exemplar(&mut self, labels: &[(&str, &str)], at_ms: i64, value: f64) -> Vec<u8> {
        let fields = [
            self.refs(labels),
            fixed64_field(2, value.to_bits()),
            varint_field(3, at_ms.cast_unsigned()),
        ];
        bytes_field(4, &fields.concat())
    }

    /// Metadata, as a field of a series.
    pub(crate) fn metadata(&mut self, metric_type: u8, help: &str, unit: &str) -> Vec<u8> {
        let fields = [
            varint_field(1, metric_type.into()),
            varint_field(3, self.symbol(help.as_bytes())),
            varint_field(4, self.symbol(unit.as_bytes())),
        ];
        bytes_field(5, &fields.concat())
    }

    /// The message.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let symbols = self.symbols.iter().map(|symbol| bytes_field(4, symbol));
        symbols
            .chain(self.series.iter().cloned())
            .flatten()
            .collect()
    }

    /// The message with the series before the strings that they refer to.
    pub(crate) fn encode_backwards(&self) -> Vec<u8> {
        let symbols = self.symbols.iter().map(|symbol| bytes_field(4, symbol));
        self.series
            .iter()
            .cloned()
            .chain(symbols)
            .flatten()
            .collect()
    }
}

/// A float sample, as a field of a series; without a start where that is 0.
pub(crate) fn sample(at_ms: i64, start_ms: i64, value: f64) -> Vec<u8> {
    let mut fields = fixed64_field(1, value.to_bits());
    fields.extend(varint_field(2, at_ms.cast_unsigned()));
    if start_ms != 0 {
        fields.extend(varint_field(3, start_ms.cast_unsigned()));
    }
    bytes_field(2, &fields)
}

/// A histogram, as a field of a series.
pub(crate) fn histogram_field(sent: &Histogram, at_ms: i64, start_ms: i64) -> Vec<u8> {
    bytes_field(3, &histogram(sent, at_ms, start_ms))
}
