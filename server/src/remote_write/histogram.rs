//! Native histograms: the message is the same in both versions of the protocol, but for the start
//! timestamp, which only the second one has.

use silverback_storage::model::{BucketSpan, Histogram, HistogramCounts, ResetHint};

use super::decode_error::{DecodeError, within};
use super::protobuf::{Field, Malformed, Reader, Wire, zigzag};

/// Spans, buckets and bounds that are read of one histogram, each; a usual one has 160 buckets.
const LIST_MAX: usize = 1 << 16;

/// A histogram at its time.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct HistogramSample {
    /// Milliseconds since the Unix epoch.
    pub(super) timestamp_ms: i64,
    /// When it began to count, where that is known.
    pub(super) start_timestamp_ms: Option<i64>,
    /// The histogram, or why the message makes none.
    pub(super) histogram: Result<Histogram, String>,
}

impl HistogramSample {
    /// What it takes in memory, about.
    pub(super) fn bytes(&self) -> usize {
        let lists = self.histogram.as_ref().map_or(0, |histogram| {
            let (positive, negative) = match &histogram.counts {
                HistogramCounts::Integer {
                    positive_deltas,
                    negative_deltas,
                    ..
                } => (positive_deltas.len(), negative_deltas.len()),
                HistogramCounts::Float {
                    positive, negative, ..
                } => (positive.len(), negative.len()),
            };
            positive
                + negative
                + histogram.positive_spans.len()
                + histogram.negative_spans.len()
                + histogram.custom_bounds.len()
        });
        size_of::<Self>() + lists * size_of::<u64>()
    }
}

/// A number that the message has as an integer or as a float: the last one that is set counts.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Count {
    Integer(u64),
    Float(f64),
}

/// The fields of the message.
struct Fields {
    count: Count,
    zero_count: Count,
    sum: f64,
    schema: i64,
    zero_threshold: f64,
    negative: Side,
    positive: Side,
    reset_hint: ResetHint,
    timestamp_ms: i64,
    custom_bounds: Vec<f64>,
    start_timestamp_ms: i64,
}

/// The buckets below zero or those above.
#[derive(Default)]
struct Side {
    spans: Vec<BucketSpan>,
    deltas: Vec<i64>,
    counts: Vec<f64>,
}

/// Reads a histogram. Whether its buckets make sense is left to whoever stores it.
///
/// # Errors
/// Bytes that are not the message.
pub(super) fn read(mut message: Reader<'_>) -> Result<HistogramSample, DecodeError> {
    let mut fields = Fields {
        count: Count::Integer(0),
        zero_count: Count::Integer(0),
        sum: 0.0,
        schema: 0,
        zero_threshold: 0.0,
        negative: Side::default(),
        positive: Side::default(),
        reset_hint: ResetHint::Unknown,
        timestamp_ms: 0,
        custom_bounds: Vec::new(),
        start_timestamp_ms: 0,
    };
    while let Some(field) = within("Histogram", message.next())? {
        fields.take(field)?;
    }
    Ok(fields.into_sample())
}

impl Fields {
    fn take(&mut self, field: Field<'_>) -> Result<(), DecodeError> {
        match field.number {
            1 => self.count = integer("Histogram.count_int", &field)?,
            2 => self.count = Count::Float(within("Histogram.count_float", field.double())?),
            3 => self.sum = within("Histogram.sum", field.double())?,
            4 => self.schema = within("Histogram.schema", field.sint64())?,
            5 => self.zero_threshold = within("Histogram.zero_threshold", field.double())?,
            6 => self.zero_count = integer("Histogram.zero_count_int", &field)?,
            7 => {
                let count = within("Histogram.zero_count_float", field.double())?;
                self.zero_count = Count::Float(count);
            }
            8 => spans("Histogram.negative_spans", field, &mut self.negative.spans)?,
            9 => deltas(
                "Histogram.negative_deltas",
                field,
                &mut self.negative.deltas,
            )?,
            10 => doubles(
                "Histogram.negative_counts",
                field,
                &mut self.negative.counts,
            )?,
            11 => spans("Histogram.positive_spans", field, &mut self.positive.spans)?,
            12 => deltas(
                "Histogram.positive_deltas",
                field,
                &mut self.positive.deltas,
            )?,
            13 => doubles(
                "Histogram.positive_counts",
                field,
                &mut self.positive.counts,
            )?,
            14 => {
                self.reset_hint = match within("Histogram.reset_hint", field.int64())? {
                    1 => ResetHint::Reset,
                    2 => ResetHint::NoReset,
                    3 => ResetHint::Gauge,
                    // Of a number that is not known yet nothing is known.
                    _ => ResetHint::Unknown,
                };
            }
            15 => self.timestamp_ms = within("Histogram.timestamp", field.int64())?,
            16 => doubles("Histogram.custom_values", field, &mut self.custom_bounds)?,
            17 => {
                self.start_timestamp_ms = within("Histogram.start_timestamp", field.int64())?;
            }
            _ => {}
        }
        Ok(())
    }

    fn into_sample(self) -> HistogramSample {
        HistogramSample {
            timestamp_ms: self.timestamp_ms,
            start_timestamp_ms: (self.start_timestamp_ms != 0).then_some(self.start_timestamp_ms),
            histogram: self.into_histogram(),
        }
    }

    fn into_histogram(self) -> Result<Histogram, String> {
        let schema = i8::try_from(self.schema).map_err(|_| {
            let schema = self.schema;
            format!(
                "histogram has schema {schema}: it must be from -4 to 8, or -53 for custom bucket bounds"
            )
        })?;
        let Self {
            negative, positive, ..
        } = self;
        let mixed = |given: &str| Err(format!("histogram mixes {given}"));
        let counts = match (self.count, self.zero_count) {
            (Count::Integer(count), zero_count) => {
                if !positive.counts.is_empty() || !negative.counts.is_empty() {
                    return mixed("an integer count and float buckets");
                }
                let Some(zero_count) = zero_count.integer() else {
                    return mixed("an integer count and a float count of its zero bucket");
                };
                HistogramCounts::Integer {
                    count,
                    zero_count,
                    positive_deltas: positive.deltas,
                    negative_deltas: negative.deltas,
                }
            }
            (Count::Float(count), zero_count) => {
                if !positive.deltas.is_empty() || !negative.deltas.is_empty() {
                    return mixed("a float count and integer buckets");
                }
                let Some(zero_count) = zero_count.float() else {
                    return mixed("a float count and an integer count of its zero bucket");
                };
                HistogramCounts::Float {
                    count,
                    zero_count,
                    positive: positive.counts,
                    negative: negative.counts,
                }
            }
        };
        Ok(Histogram {
            schema,
            zero_threshold: self.zero_threshold,
            sum: self.sum,
            reset_hint: self.reset_hint,
            positive_spans: positive.spans,
            negative_spans: negative.spans,
            custom_bounds: self.custom_bounds,
            counts,
        })
    }
}

impl Count {
    /// The count of an integer histogram; a zero of the other type is as good as none.
    fn integer(self) -> Option<u64> {
        match self {
            Self::Integer(count) => Some(count),
            Self::Float(count) => (count == 0.0).then_some(0),
        }
    }

    fn float(self) -> Option<f64> {
        match self {
            Self::Integer(count) => (count == 0).then_some(0.0),
            Self::Float(count) => Some(count),
        }
    }
}

fn integer(name: &'static str, field: &Field<'_>) -> Result<Count, DecodeError> {
    within(name, field.uint64()).map(Count::Integer)
}

/// Whether a list may get that many elements more.
fn room<T>(name: &'static str, list: &[T], more: usize, offset: usize) -> Result<(), DecodeError> {
    if list.len() + more > LIST_MAX {
        let error = Malformed::TooMany("elements", LIST_MAX).at(offset);
        return within(name, Err(error));
    }
    Ok(())
}

fn spans(
    name: &'static str,
    field: Field<'_>,
    out: &mut Vec<BucketSpan>,
) -> Result<(), DecodeError> {
    room(name, out, 1, field.offset)?;
    let mut message = within(name, field.message())?;
    let (mut offset, mut length) = (0, 0);
    while let Some(field) = within("BucketSpan", message.next())? {
        match field.number {
            1 => {
                let value = within("BucketSpan.offset", field.sint64())?;
                offset = within("BucketSpan.offset", field.narrow(i32::try_from(value)))?;
            }
            2 => {
                let value = within("BucketSpan.length", field.uint64())?;
                length = within("BucketSpan.length", field.narrow(u32::try_from(value)))?;
            }
            _ => {}
        }
    }
    out.push(BucketSpan { offset, length });
    Ok(())
}

/// One or many signed integers: packed as every sender packs them, or one by one as protobuf
/// allows too.
fn deltas(name: &'static str, field: Field<'_>, out: &mut Vec<i64>) -> Result<(), DecodeError> {
    let offset = field.offset;
    if let Wire::Varint(_) = field.value {
        room(name, out, 1, offset)?;
        out.push(within(name, field.sint64())?);
        return Ok(());
    }
    let mut packed = within(name, field.message())?;
    while let Some(value) = within(name, packed.packed_varint())? {
        room(name, out, 1, offset)?;
        out.push(zigzag(value));
    }
    Ok(())
}

/// One or many doubles, as [`deltas`].
fn doubles(name: &'static str, field: Field<'_>, out: &mut Vec<f64>) -> Result<(), DecodeError> {
    let offset = field.offset;
    if let Wire::Fixed64(bits) = field.value {
        room(name, out, 1, offset)?;
        out.push(f64::from_bits(bits));
        return Ok(());
    }
    let packed = within(name, field.message())?;
    let (values, rest) = packed.bytes().as_chunks();
    if !rest.is_empty() {
        let error = Malformed::Truncated.at(offset);
        return within(name, Err(error));
    }
    room(name, out, values.len(), offset)?;
    out.extend(values.iter().map(|&bytes| f64::from_le_bytes(bytes)));
    Ok(())
}

#[cfg(test)]
mod tests;
