//! The walk over an `io.prometheus.write.v2.Request` where it lies: labels are borrowed from the
//! table of strings, and the lists of one series serve the next one too.
//!
//! Its definition: `prompb/io/prometheus/write/v2/types.proto` of Prometheus.

mod symbols;

use silverback_storage::model::MetricType;

use self::symbols::{Refs, Symbols, refs};
use super::beside::{self, Beside, EXEMPLAR_LABELS_MAX, FamilyMetadata, ReadExemplar};
use super::decode_error::{DecodeError, within};
use super::histogram;
use super::protobuf::{Field, Malformed, Reader};

/// What is read of one series at most, as in 1.0.
const LABELS_MAX: usize = 1 << 16;
const SAMPLES_MAX: usize = 1 << 20;

/// A float sample.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Sample {
    /// Milliseconds since the Unix epoch.
    pub(super) timestamp_ms: i64,
    /// When what it counts began, where that is known.
    pub(super) start_timestamp_ms: Option<i64>,
    /// The value, to the bit.
    pub(super) value: f64,
}

/// One series of a request.
#[derive(Debug)]
pub(super) struct TimeSeries<'a, 's> {
    /// Names and values in the order of the request.
    pub(super) labels: &'s [(&'a str, &'a str)],
    /// What is wrong with the references that the labels are; those that are right are there.
    pub(super) flaw: Option<String>,
    /// Float samples in the order of the request.
    pub(super) samples: &'s [Sample],
    /// Its histograms and exemplars, for the taking.
    pub(super) beside: &'s mut Beside,
    /// What is said of its metric, but for the name, or what is wrong with that.
    pub(super) metadata: Result<FamilyMetadata<'a>, String>,
}

/// Calls `visit` with each series of the request in turn. Unknown fields are skipped, as protobuf
/// asks, and so are reserved ones.
///
/// # Errors
/// Bytes that are not a Request. What comes before them was visited already.
pub(super) fn decode<'a>(
    body: &'a [u8],
    mut visit: impl FnMut(TimeSeries<'a, '_>),
) -> Result<(), DecodeError> {
    // Fields may come in any order, so all strings are found before the first series is read.
    let mut symbols = Symbols::default();
    let mut request = Reader::new(body);
    while let Some(field) = within("Request", request.next())? {
        if field.number == 4 {
            symbols.take(field)?;
        }
    }
    let mut scratch = Scratch::default();
    let mut request = Reader::new(body);
    while let Some(field) = within("Request", request.next())? {
        if field.number == 5 {
            let series = within("Request.timeseries", field.message())?;
            visit(scratch.read(series, &symbols)?);
        }
    }
    Ok(())
}

/// The lists of a series, used again for the next one.
#[derive(Default)]
struct Scratch<'a> {
    refs: Refs,
    labels: Vec<(&'a str, &'a str)>,
    samples: Vec<Sample>,
    beside: Beside,
}

impl<'a> Scratch<'a> {
    fn read(
        &mut self,
        mut series: Reader<'_>,
        symbols: &Symbols<'a>,
    ) -> Result<TimeSeries<'a, '_>, DecodeError> {
        self.refs.clear();
        self.labels.clear();
        self.samples.clear();
        self.beside.clear();
        let mut metadata = MetadataRefs::default();
        while let Some(field) = within("TimeSeries", series.next())? {
            match field.number {
                1 => refs("TimeSeries.labels_refs", field, LABELS_MAX, &mut self.refs)?,
                2 if self.samples.len() == SAMPLES_MAX => {
                    let error = Malformed::TooMany("samples of a series", SAMPLES_MAX);
                    return within("TimeSeries.samples", Err(error.at(field.offset)));
                }
                2 => self.samples.push(read_sample(field)?),
                3 => {
                    let (name, offset) = ("TimeSeries.histograms", field.offset);
                    let sample = histogram::read(within(name, field.message())?)?;
                    within(name, self.beside.histogram(sample, offset))?;
                }
                4 => {
                    let (name, offset) = ("TimeSeries.exemplars", field.offset);
                    let exemplar = read_exemplar(within(name, field.message())?, symbols)?;
                    within(name, self.beside.exemplar(&exemplar, offset))?;
                }
                5 => metadata.read(within("TimeSeries.metadata", field.message())?)?,
                _ => {}
            }
        }
        Ok(TimeSeries {
            flaw: self.refs.resolve(symbols, &mut self.labels),
            labels: &self.labels,
            samples: &self.samples,
            beside: &mut self.beside,
            metadata: metadata.resolve(symbols),
        })
    }
}

fn read_sample(field: Field<'_>) -> Result<Sample, DecodeError> {
    let mut message = within("TimeSeries.samples", field.message())?;
    // What proto3 leaves out is 0, and a start timestamp of 0 is none.
    let mut sample = Sample {
        timestamp_ms: 0,
        start_timestamp_ms: None,
        value: 0.0,
    };
    while let Some(field) = within("Sample", message.next())? {
        match field.number {
            1 => sample.value = within("Sample.value", field.double())?,
            2 => sample.timestamp_ms = within("Sample.timestamp", field.int64())?,
            3 => {
                let start_ms = within("Sample.start_timestamp", field.int64())?;
                sample.start_timestamp_ms = (start_ms != 0).then_some(start_ms);
            }
            _ => {}
        }
    }
    Ok(sample)
}

fn read_exemplar<'a>(
    mut message: Reader<'_>,
    symbols: &Symbols<'a>,
) -> Result<ReadExemplar<'a>, DecodeError> {
    let (mut read, mut labels) = (ReadExemplar::default(), Refs::default());
    while let Some(field) = within("Exemplar", message.next())? {
        match field.number {
            1 => refs(
                "Exemplar.labels_refs",
                field,
                EXEMPLAR_LABELS_MAX,
                &mut labels,
            )?,
            2 => read.value = within("Exemplar.value", field.double())?,
            3 => read.timestamp_ms = within("Exemplar.timestamp", field.int64())?,
            _ => {}
        }
    }
    read.flaw = labels.resolve(symbols, &mut read.labels);
    Ok(read)
}

/// Metadata as it stands in the message.
#[derive(Default)]
struct MetadataRefs {
    metric_type: MetricType,
    help: u32,
    unit: u32,
}

impl MetadataRefs {
    fn read(&mut self, mut message: Reader<'_>) -> Result<(), DecodeError> {
        while let Some(field) = within("Metadata", message.next())? {
            match field.number {
                1 => {
                    self.metric_type = beside::metric_type(within("Metadata.type", field.int64())?);
                }
                3 => self.help = read_ref("Metadata.help_ref", &field)?,
                4 => self.unit = read_ref("Metadata.unit_ref", &field)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn resolve<'a>(&self, symbols: &Symbols<'a>) -> Result<FamilyMetadata<'a>, String> {
        Ok(FamilyMetadata {
            metric: "",
            metric_type: self.metric_type,
            unit: symbols.get(self.unit, "the unit")?,
            help: symbols.get(self.help, "the help text")?,
        })
    }
}

fn read_ref(name: &'static str, field: &Field<'_>) -> Result<u32, DecodeError> {
    let value = within(name, field.uint64())?;
    within(name, field.narrow(u32::try_from(value)))
}

#[cfg(test)]
mod tests;
