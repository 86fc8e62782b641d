//! What became of the parts of one request.

use std::fmt::Write;
use std::time::Instant;

use silverback_storage::model::{METRIC_NAME, family_name};
use silverback_storage::{BatchSeries, Filler, LabelError, WriteBatch, WriteReport};

use super::Version;
use super::beside::{Beside, FamilyMetadata};
use super::rules::{Broken, Changed, Rules, Unwanted};
use super::said::News;
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
    /// What a rule drops.
    pub(crate) relabeled: Brought,
    /// What another replica has sent.
    pub(crate) replica: Brought,
}

/// How much a series brings.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Brought {
    pub(crate) floats: u64,
    pub(crate) histograms: u64,
    pub(crate) exemplars: u64,
}

impl Brought {
    fn of(floats: usize, beside: &Beside) -> Self {
        Self {
            floats: floats as u64,
            histograms: beside.histograms.len() as u64,
            exemplars: beside.exemplars.len() as u64,
        }
    }

    /// Floats and histograms.
    pub(crate) fn samples(self) -> u64 {
        self.floats + self.histograms
    }

    fn add(&mut self, more: Self) {
        self.floats += more.floats;
        self.histograms += more.histograms;
        self.exemplars += more.exemplars;
    }
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
    first_replica: Option<String>,
    /// What it says of metric families that was not said before.
    news: News,
    /// When the request was read, where a rule wants to know.
    now: Option<Instant>,
    /// The metric name of the last series, where rules made it.
    changed_name: Option<String>,
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
        let brought = Brought::of(samples.len(), beside);
        let named = self.series(labels, flaw, brought, rules, |labels, are_own| {
            // The bytes that labels came in say nothing of those that rules made.
            match fields.filter(|_| are_own) {
                Some(fields) => filler.series(fields, labels),
                None => filler.batch().series(labels),
            }
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
    /// wanted, with all that it brings. `name` names it there by labels, and is told whether those
    /// are the ones that came.
    pub(super) fn series(
        &mut self,
        labels: &[(&str, &str)],
        flaw: Option<String>,
        brought: Brought,
        rules: &Rules,
        name: impl FnOnce(&[(&str, &str)], bool) -> Result<BatchSeries, LabelError>,
    ) -> Option<BatchSeries> {
        if self.is_too_large(rules) {
            return None;
        }
        if flaw.is_none() && rules.may_change() {
            return self.changed_series(labels, brought, rules, name);
        }
        let named = match flaw {
            Some(flaw) => Err(Broken::Model(flaw)),
            None => self.name(labels, rules, name, true),
        };
        self.place(named, labels, brought)
    }

    /// The same where rules may change the labels.
    fn changed_series(
        &mut self,
        labels: &[(&str, &str)],
        brought: Brought,
        rules: &Rules,
        name: impl FnOnce(&[(&str, &str)], bool) -> Result<BatchSeries, LabelError>,
    ) -> Option<BatchSeries> {
        let now = self.now();
        let named = match rules.change(labels, now) {
            Ok(Changed::To(pairs)) => {
                let pairs = pairs.iter().map(|(name, value)| (&**name, &**value));
                let pairs: Vec<(&str, &str)> = pairs.collect();
                let is_name = |label: &&(&str, &str)| label.0 == METRIC_NAME;
                self.changed_name = pairs.iter().find(is_name).map(|label| label.1.to_owned());
                self.name(&pairs, rules, name, false)
            }
            Ok(Changed::Unwanted(Unwanted::Relabel)) => {
                self.left_out.relabeled.add(brought);
                return None;
            }
            Ok(Changed::Unwanted(Unwanted::Replica(why))) => {
                self.left_out.replica.add(brought);
                self.first_replica.get_or_insert(why);
                return None;
            }
            Err(broken) => Err(broken),
        };
        self.place(named, labels, brought)
    }

    /// Names a series in the batch; none where the request is too large.
    fn name(
        &mut self,
        labels: &[(&str, &str)],
        rules: &Rules,
        name: impl FnOnce(&[(&str, &str)], bool) -> Result<BatchSeries, LabelError>,
        are_own: bool,
    ) -> Result<Option<BatchSeries>, Broken> {
        let bytes = rules.check(labels)?;
        // Counted before they are copied: references to one long string make many.
        self.row_bytes = self.row_bytes.saturating_add(bytes + labels.len() * 8);
        if self.is_too_large(rules) {
            return Ok(None);
        }
        name(labels, are_own)
            .map(Some)
            .map_err(|error| Broken::Model(error.to_string()))
    }

    /// The place that a series has, or else counts what is lost with it.
    fn place(
        &mut self,
        named: Result<Option<BatchSeries>, Broken>,
        labels: &[(&str, &str)],
        brought: Brought,
    ) -> Option<BatchSeries> {
        let why = match named {
            Ok(id) => return id,
            Err(Broken::Model(why)) => {
                self.left_out.label_samples += brought.samples();
                why
            }
            Err(Broken::Limit(why)) => {
                self.left_out.limit_samples += brought.samples();
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

    fn now(&mut self) -> Instant {
        *self.now.get_or_insert_with(Instant::now)
    }

    /// Remembers what the request has said of metric families, once that is durable.
    pub(super) fn note_said(&mut self, rules: &Rules) {
        let (news, now) = (std::mem::take(&mut self.news), self.now());
        rules.said.note(news, now);
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
        let brought = Brought::of(samples.len(), beside);
        let named = self.series(labels, flaw, brought, rules, |labels, _| {
            batch.series(labels)
        });
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
        let changed_name = self.changed_name.take();
        let name = changed_name.as_deref().unwrap_or(name);
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
        let now = self.now();
        if !rules.said.is_new(metadata, &mut self.news, now) {
            return;
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

    /// Why a request of which nothing is left was not wanted, if a replica's was not.
    pub(super) fn is_of_other_replica(&self, report: &WriteReport) -> Option<&str> {
        let is_nothing = report.accepted == 0 && report.exemplars_accepted == 0;
        self.first_replica.as_deref().filter(|_| is_nothing)
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
