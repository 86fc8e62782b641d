//! What a series brings beside float samples, in either version of the protocol.

use silverback_storage::Labels;
use silverback_storage::model::{Exemplar, Metadata, MetricType};

use super::histogram::HistogramSample;
use super::protobuf::{Malformed, WireError};

/// Bytes that histograms and exemplars of one series may take in memory. Two bytes of a body can
/// ask for two hundred here, so it is not the body alone that bounds it.
const BYTES_MAX: usize = 16 << 20;
/// What an exemplar takes beside the strings of its labels, about.
const EXEMPLAR_BYTES: usize = 128;
/// Labels that are read of one exemplar. OpenMetrics has room for a handful.
pub(super) const EXEMPLAR_LABELS_MAX: usize = 128;

/// Histograms and exemplars of one series. The lists serve the next one too.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// In the order of the request.
    pub(super) histograms: Vec<HistogramSample>,
    /// In the order of the request; an exemplar whose labels are none with the reason.
    pub(super) exemplars: Vec<Result<Exemplar, String>>,
    /// What they take in memory, about.
    pub(super) bytes: usize,
}

impl Beside {
    pub(super) fn clear(&mut self) {
        self.histograms.clear();
        self.exemplars.clear();
        self.bytes = 0;
    }

    /// Takes the histogram whose field is at this place of the body.
    ///
    /// # Errors
    /// More than is taken of one series.
    pub(super) fn histogram(
        &mut self,
        sample: HistogramSample,
        offset: usize,
    ) -> Result<(), WireError> {
        self.take(sample.bytes(), offset)?;
        self.histograms.push(sample);
        Ok(())
    }

    /// Takes the exemplar whose field is at this place of the body. Its labels are copied, and
    /// only once it is known how long they are.
    ///
    /// # Errors
    /// More than is taken of one series.
    pub(super) fn exemplar(
        &mut self,
        read: &ReadExemplar<'_>,
        offset: usize,
    ) -> Result<(), WireError> {
        let bytes = |&(name, value): &(&str, &str)| name.len() + value.len() + size_of::<u64>();
        let bytes: usize = read.labels.iter().map(bytes).sum();
        self.take(bytes.saturating_add(EXEMPLAR_BYTES), offset)?;
        self.exemplars.push(read.to_exemplar());
        Ok(())
    }

    fn take(&mut self, bytes: usize, offset: usize) -> Result<(), WireError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > BYTES_MAX {
            let what = "bytes of histograms and exemplars of a series";
            return Err(Malformed::TooMany(what, BYTES_MAX).at(offset));
        }
        Ok(())
    }
}

/// An exemplar as it stands in the body.
#[derive(Debug, Default)]
pub(super) struct ReadExemplar<'a> {
    pub(super) labels: Vec<(&'a str, &'a str)>,
    pub(super) timestamp_ms: i64,
    pub(super) value: f64,
    /// What is wrong with its labels, if that is known already.
    pub(super) flaw: Option<String>,
}

impl ReadExemplar<'_> {
    fn to_exemplar(&self) -> Result<Exemplar, String> {
        if let Some(flaw) = &self.flaw {
            return Err(flaw.clone());
        }
        let labels = Labels::from_pairs(self.labels.iter().copied());
        Ok(Exemplar {
            labels: labels.map_err(|error| error.to_string())?,
            timestamp_ms: self.timestamp_ms,
            value: self.value,
        })
    }
}

/// What a sender says of a metric family.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct FamilyMetadata<'a> {
    /// Name of the family (1.0), or of the metric (2.0).
    pub(super) metric: &'a str,
    pub(super) metric_type: MetricType,
    pub(super) unit: &'a str,
    pub(super) help: &'a str,
}

impl FamilyMetadata<'_> {
    /// Whether it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.metric_type == MetricType::Unknown && self.unit.is_empty() && self.help.is_empty()
    }

    pub(super) fn to_metadata(&self) -> Metadata {
        Metadata {
            metric_type: self.metric_type,
            unit: self.unit.to_owned(),
            help: self.help.to_owned(),
        }
    }
}

/// The type with that number; one that is not known yet is unknown.
pub(super) fn metric_type(number: i64) -> MetricType {
    u8::try_from(number)
        .ok()
        .and_then(MetricType::from_number)
        .unwrap_or_default()
}
