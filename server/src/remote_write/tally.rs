//! What became of the parts of one request.

use std::fmt::Write;

use silverback_storage::{WriteBatch, WriteReport};

use super::v1::TimeSeries;

/// How much of a refused series' labels an answer shows, in bytes.
const SHOWN_BYTES_MAX: usize = 512;

/// What of a request never reached the database.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct LeftOut {
    /// Samples refused because the labels of their series break the rules.
    pub(crate) label_samples: u64,
    /// Native histograms refused, of series whose labels keep the rules.
    pub(crate) histograms: u64,
    /// Exemplars, which are not kept yet.
    pub(crate) exemplars: u64,
    /// Metadata messages, which are not kept yet.
    pub(crate) metadata: u64,
}

/// Counts of one request, and the first thing of each kind that was refused.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) left_out: LeftOut,
    label_series: u64,
    first_label: Option<String>,
    first_histogram: Option<String>,
}

impl Tally {
    /// Puts what can be stored of a series into the batch and counts the rest.
    pub(super) fn take(&mut self, series: &TimeSeries<'_, '_>, batch: &mut WriteBatch) {
        self.left_out.exemplars += series.exemplars;
        let known = match &series.not_utf8 {
            Some(label) => Err(format!("label {label} is not UTF-8")),
            None => batch
                .series(series.labels)
                .map_err(|error| error.to_string()),
        };
        let id = match known {
            Ok(id) => id,
            Err(why) => {
                self.label_series += 1;
                self.left_out.label_samples += series.samples.len() as u64 + series.histograms;
                self.first_label
                    .get_or_insert_with(|| format!("{}: {why}", shown(series.labels)));
                return;
            }
        };
        for sample in series.samples {
            batch.float(id, sample.timestamp_ms, sample.value);
        }
        if series.histograms > 0 {
            self.left_out.histograms += series.histograms;
            self.first_histogram
                .get_or_insert_with(|| shown(series.labels));
        }
    }

    /// What to tell the sender of what was refused; none where all was stored.
    pub(super) fn complaint(&self, report: &WriteReport) -> Option<String> {
        let mut parts = Vec::new();
        if let Some(first) = &self.first_label {
            parts.push(format!(
                "{} series with {} samples refused for their labels, the first one {first}",
                self.label_series, self.left_out.label_samples
            ));
        }
        if let Some(first) = &self.first_histogram {
            parts.push(format!(
                "{} native histogram samples refused (not supported yet), the first one of {first}",
                self.left_out.histograms
            ));
        }
        if let Some(first) = &report.first_rejected {
            parts.push(format!(
                "{} samples out of bounds refused, the first one: {first}",
                report.rejected()
            ));
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
}

/// Labels as they came, for a message: `{__name__="up", job="a"}`, cut where they are long.
fn shown(labels: &[(&str, &str)]) -> String {
    let mut text = String::from("{");
    for (i, (name, value)) in labels.iter().enumerate() {
        let separator = if i == 0 { "" } else { ", " };
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

#[cfg(test)]
mod tests {
    use silverback_storage::{Labels, RejectReason, Rejected, Rejection};

    use super::super::test_encoder::{TestSeries, write_request};
    use super::super::v1::decode;
    use super::*;

    fn tally(series: &[TestSeries]) -> (Tally, WriteBatch) {
        let (mut tally, mut batch) = (Tally::default(), WriteBatch::new());
        decode(&write_request(series, 0), |series| {
            tally.take(&series, &mut batch);
        })
        .unwrap();
        (tally, batch)
    }

    #[test]
    fn a_request_in_order_has_no_complaint() {
        let (tally, batch) = tally(&[TestSeries::new(
            &[("__name__", "up"), ("a", "1")],
            &[(1, 1.0), (2, 2.0)],
        )]);
        assert_eq!(batch.sample_count(), 2);
        assert_eq!(tally.complaint(&WriteReport::default()), None);
    }

    #[test]
    fn broken_labels_refuse_their_series_alone() {
        let mut not_utf8 = TestSeries::new(&[("__name__", "up")], &[(1, 1.0)]);
        not_utf8.labels.push((b"b".to_vec(), vec![0xff]));
        let (tally, batch) = tally(&[
            TestSeries::new(
                &[("__name__", "up"), ("a", "1"), ("a", "2")],
                &[(1, 1.0), (2, 1.0)],
            ),
            TestSeries::new(&[("__name__", "up")], &[(1, 1.0)]),
            TestSeries::new(&[("job", "nameless")], &[(1, 1.0)]),
            not_utf8,
        ]);
        assert_eq!(batch.sample_count(), 1);
        assert_eq!(tally.left_out.label_samples, 4);
        let report = WriteReport {
            accepted: 1,
            ..WriteReport::default()
        };
        assert_eq!(
            tally.complaint(&report).unwrap(),
            "3 series with 4 samples refused for their labels, the first one \
             {__name__=\"up\", a=\"1\", a=\"2\"}: label name \"a\" is not unique; \
             the other 1 samples were stored"
        );
    }

    #[test]
    fn histograms_and_samples_out_of_bounds_are_named() {
        let mut series = TestSeries::new(&[("__name__", "h")], &[(1, 1.0)]);
        series.histograms = 2;
        series.exemplars = 3;
        let (tally, batch) = tally(&[series]);
        assert_eq!(
            (
                batch.sample_count(),
                tally.left_out.histograms,
                tally.left_out.exemplars
            ),
            (1, 2, 3)
        );
        let report = WriteReport {
            accepted: 0,
            too_far_in_future: 1,
            first_rejected: Some(Rejection {
                what: Rejected::Sample,
                labels: Labels::from_pairs([("__name__", "h")]).unwrap(),
                timestamp_ms: 9,
                reason: RejectReason::TooFarInFuture { latest_ms: 5 },
            }),
            ..WriteReport::default()
        };
        assert_eq!(
            tally.complaint(&report).unwrap(),
            "2 native histogram samples refused (not supported yet), the first one of \
             {__name__=\"h\"}; 1 samples out of bounds refused, the first one: sample of h at \
             9 ms is too far in the future: the latest taken is 5 ms; \
             the other 0 samples were stored"
        );
    }

    #[test]
    fn long_labels_are_cut_between_characters() {
        let value = "é".repeat(SHOWN_BYTES_MAX);
        let text = shown(&[("a", &value), ("b", "c")]);
        assert!(
            text.len() <= SHOWN_BYTES_MAX + 3 && text.ends_with("é..."),
            "{text}"
        );
    }
}
