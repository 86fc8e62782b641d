//! What became of the parts of one request.

use std::fmt::Write;

use silverback_storage::model::{METRIC_NAME, family_name};
use silverback_storage::{BatchSeries, Filler, LabelError, WriteBatch, WriteReport};

use super::Version;
use super::beside::{Beside, FamilyMetadata};
use super::rules::{Broken, Rules};
use super::v1::{Part, TimeSeries};
use super::v2;

/// How much of a refused series' labels an answer shows, in bytes.
const SHOWN_BYTES_MAX: usize = 512;
/// What a float takes on its way to the log and the head, about, in bytes: it is held in three
/// forms at once.
const FLOAT_BYTES: usize = 72;
/// What metadata take beside their texts, about, in the same way.
const METADATA_BYTES: usize = 3 * 96;

/// What of a request never reached the database.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct LeftOut {
    /// Samples refused because the labels of their series break the rules of the data model.
    pub(crate) label_samples: u64,
    /// Samples refused because the labels of their series are more or longer than is taken.
    pub(crate) limit_samples: u64,
    /// Native histograms refused for what they say.
    pub(crate) histograms: u64,
    /// Exemplars refused, for their series' labels or their own.
    pub(crate) exemplars: u64,
    /// Metadata refused.
    pub(crate) metadata: u64,
}

/// How much a series brings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Brought {
    /// Floats and histograms.
    pub(super) samples: u64,
    pub(super) exemplars: u64,
}

/// Counts of one request, and the first thing of each kind that was refused.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) left_out: LeftOut,
    /// What the rows of the batch take in memory, about.
    pub(super) row_bytes: usize,
    refused_series: u64,
    first_series: Option<String>,
    first_histogram: Option<String>,
    first_exemplar: Option<String>,
    first_metadata: Option<String>,
}

impl Tally {
    /// Takes a part of a request of version 1.0.
    pub(super) fn take(&mut self, part: Part<'_, '_>, rules: &Rules, filler: &mut Filler<'_>) {
        match part {
            Part::Series(series) => self.series_v1(series, rules, filler),
            Part::Metadata(Ok(metadata)) => self.metadata(&metadata, rules, filler.batch()),
            Part::Metadata(Err(why)) => self.refuse_metadata(why),
        }
    }

    fn series_v1(&mut self, series: TimeSeries<'_, '_>, rules: &Rules, filler: &mut Filler<'_>) {
        let TimeSeries {
            fields,
            labels,
            not_utf8,
            samples,
            beside,
        } = series;
        let flaw = not_utf8.map(|label| format!("label {label} is not UTF-8"));
        let brought = Brought {
            samples: (samples.len() + beside.histograms.len()) as u64,
            exemplars: beside.exemplars.len() as u64,
        };
        let named = self.series(labels, flaw, brought, rules, |labels| match fields {
            Some(fields) => filler.series(fields, labels),
            None => filler.batch().series(labels),
        });
        let Some(id) = named else {
            return;
        };
        let batch = filler.batch();
        self.count_floats(samples.len());
        for sample in samples {
            batch.float(id, sample.timestamp_ms, sample.value);
        }
        self.beside(id, labels, beside, rules, batch);
    }

    /// The place of a series in the batch; none for one that is refused, or of which nothing is
    /// wanted, with all that it brings.
    pub(super) fn series(
        &mut self,
        labels: &[(&str, &str)],
        flaw: Option<String>,
        brought: Brought,
        rules: &Rules,
        name: impl FnOnce(&[(&str, &str)]) -> Result<BatchSeries, LabelError>,
    ) -> Option<BatchSeries> {
        if self.is_too_large(rules) {
            return None;
        }
        let named = match flaw {
            Some(flaw) => Err(Broken::Model(flaw)),
            None => rules.check(labels),
        };
        // Counted before they are copied: references to one long string make many.
        let named = named.and_then(|bytes| {
            self.row_bytes = self.row_bytes.saturating_add(bytes + labels.len() * 8);
            if self.is_too_large(rules) {
                return Ok(None);
            }
            name(labels)
                .map(Some)
                .map_err(|error| Broken::Model(error.to_string()))
        });
        let why = match named {
            Ok(id) => return id,
            Err(Broken::Model(why)) => {
                self.left_out.label_samples += brought.samples;
                why
            }
            Err(Broken::Limit(why)) => {
                self.left_out.limit_samples += brought.samples;
                why
            }
        };
        self.refused_series += 1;
        self.left_out.exemplars += brought.exemplars;
        self.first_series
            .get_or_insert_with(|| format!("{}: {why}", shown(labels)));
        None
    }

    /// Counts what so many floats take in memory.
    #[inline]
    pub(super) fn count_floats(&mut self, floats: usize) {
        self.row_bytes += floats * FLOAT_BYTES;
    }

    /// Whether the rows take more memory than one request may; the rest of them is not read.
    pub(super) fn is_too_large(&self, rules: &Rules) -> bool {
        self.row_bytes > rules.row_bytes_max()
    }

    /// Takes a series of a request of version 2.0.
    pub(super) fn take_v2(
        &mut self,
        series: v2::TimeSeries<'_, '_>,
        rules: &Rules,
        batch: &mut WriteBatch,
    ) {
        let v2::TimeSeries {
            labels,
            flaw,
            samples,
            beside,
            metadata,
        } = series;
        let brought = Brought {
            samples: (samples.len() + beside.histograms.len()) as u64,
            exemplars: beside.exemplars.len() as u64,
        };
        let named = self.series(labels, flaw, brought, rules, |labels| batch.series(labels));
        let Some(id) = named else {
            return;
        };
        self.count_floats(samples.len());
        for sample in samples {
            let (at_ms, value) = (sample.timestamp_ms, sample.value);
            match sample.start_timestamp_ms {
                Some(start_ms) => batch.float_with_start(id, at_ms, start_ms, value),
                None => batch.float(id, at_ms, value),
            }
        }
        self.beside(id, labels, beside, rules, batch);
        let is_name = |label: &&(&str, &str)| label.0 == METRIC_NAME;
        let name = labels.iter().find(is_name).map_or("", |label| label.1);
        match metadata {
            Ok(metadata) if metadata.is_empty() => {}
            Ok(metadata) => {
                let metric = family_name(name, metadata.metric_type);
                self.metadata(&FamilyMetadata { metric, ..metadata }, rules, batch);
            }
            Err(why) => self.refuse_metadata(format!("of {name:?}: {why}")),
        }
    }

    /// Takes a series' histograms and exemplars.
    pub(super) fn beside(
        &mut self,
        id: BatchSeries,
        labels: &[(&str, &str)],
        beside: &mut Beside,
        rules: &Rules,
        batch: &mut WriteBatch,
    ) {
        // Held in three forms at once, as floats are.
        self.row_bytes += beside.bytes * 3;
        for sample in beside.histograms.drain(..) {
            let (at_ms, start_ms) = (sample.timestamp_ms, sample.start_timestamp_ms);
            let taken = sample.histogram.and_then(|histogram| {
                let taken = batch.histogram(id, at_ms, start_ms, histogram);
                taken.map_err(|error| error.to_string())
            });
            if let Err(why) = taken {
                self.left_out.histograms += 1;
                self.first_histogram
                    .get_or_insert_with(|| format!("{} at {at_ms} ms: {why}", shown(labels)));
            }
        }
        for exemplar in beside.exemplars.drain(..) {
            let checked = exemplar.and_then(|exemplar| {
                rules.check_iter(exemplar.labels.iter())?;
                Ok(exemplar)
            });
            match checked {
                Ok(exemplar) => batch.exemplar(id, exemplar),
                Err(why) => {
                    self.left_out.exemplars += 1;
                    self.first_exemplar
                        .get_or_insert_with(|| format!("{}: {why}", shown(labels)));
                }
            }
        }
    }

    /// Takes what is said of a metric family.
    pub(super) fn metadata(
        &mut self,
        metadata: &FamilyMetadata<'_>,
        rules: &Rules,
        batch: &mut WriteBatch,
    ) {
        if let Err(why) = rules.check_metadata(metadata) {
            return self.refuse_metadata(why);
        }
        let bytes = metadata.metric.len() + metadata.unit.len() + metadata.help.len();
        self.row_bytes = self.row_bytes.saturating_add(bytes * 3 + METADATA_BYTES);
        if self.is_too_large(rules) {
            return;
        }
        batch.metadata(metadata.metric, metadata.to_metadata());
    }

    pub(super) fn refuse_metadata(&mut self, why: String) {
        self.left_out.metadata += 1;
        self.first_metadata.get_or_insert(why);
    }

    /// What to tell the sender of what was refused; none where all was stored.
    ///
    /// Version 1.0 has no way to say that samples were stored and an exemplar was not: its senders
    /// would count the whole request as lost, so there exemplars and metadata are counted alone.
    pub(super) fn complaint(&self, report: &WriteReport, version: Version) -> Option<String> {
        let mut parts = Vec::new();
        let left_out = &self.left_out;
        if let Some(first) = &self.first_series {
            parts.push(format!(
                "{} series with {} samples refused for their labels, the first one {first}",
                self.refused_series,
                left_out.label_samples + left_out.limit_samples
            ));
        }
        if let Some(first) = &self.first_histogram {
            parts.push(format!(
                "{} native histograms refused, the first one of {first}",
                left_out.histograms
            ));
        }
        if let Some(first) = report
            .first_rejected
            .as_ref()
            .filter(|_| report.rejected() > 0)
        {
            parts.push(format!(
                "{} samples out of bounds refused, the first one: {first}",
                report.rejected()
            ));
        }
        if version == Version::V2 || !parts.is_empty() {
            self.complain_beside(report, &mut parts);
        }
        if parts.is_empty() {
            return None;
        }
        Some(format!(
            "{}; the other {} samples were stored",
            parts.join("; "),
            report.accepted
        ))
    }

    fn complain_beside(&self, report: &WriteReport, parts: &mut Vec<String>) {
        if let Some(first) = &self.first_exemplar {
            let count = self.left_out.exemplars;
            parts.push(format!(
                "{count} exemplars refused, the first one of {first}"
            ));
        }
        if report.exemplars_rejected > 0 {
            let count = report.exemplars_rejected;
            let first = report
                .first_rejected
                .as_ref()
                .filter(|_| report.rejected() == 0);
            let first = first.map_or_else(String::new, |first| format!(", the first one: {first}"));
            parts.push(format!("{count} exemplars out of bounds refused{first}"));
        }
        if let Some(first) = &self.first_metadata {
            let count = self.left_out.metadata;
            parts.push(format!("{count} metadata refused, the first one: {first}"));
        }
    }
}

/// Labels as they came, for a message: `{__name__="up", job="a"}`, cut where they are long.
fn shown(labels: &[(&str, &str)]) -> String {
    let mut text = String::from("{");
    for (i, (name, value)) in labels.iter().enumerate() {
        let separator = if i == 0 { "" } else { ", " };
        // What is cut off anyway is not written: a value may be as long as a body.
        let (name, value) = (cut(name), cut(value));
        // Writing to a string cannot fail.
        let _ = write!(text, "{separator}{name}={value:?}");
        if text.len() > SHOWN_BYTES_MAX {
            text.truncate(text.floor_char_boundary(SHOWN_BYTES_MAX));
            text.push_str("...");
            return text;
        }
    }
    text.push('}');
    text
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(SHOWN_BYTES_MAX))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests;
