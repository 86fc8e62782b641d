//! What becomes of a series before it is stored: which of a pair of senders is taken, what its
//! labels are changed to, and whether they keep the limits.

use std::borrow::Cow;
use std::time::Instant;

use super::beside::FamilyMetadata;
use super::ha::{HaTracker, Verdict};
use super::relabel::{Pairs, Relabeling};
use super::said::Said;
use crate::config::LabelLimits;

/// Rules as configured.
#[derive(Debug)]
pub(crate) struct Rules {
    limits: LabelLimits,
    row_bytes_max: usize,
    relabeling: Relabeling,
    ha: Option<HaTracker>,
    /// What was said of metric families lately.
    pub(super) said: Said,
}

/// Why a series is not stored though nothing is wrong with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Unwanted {
    /// A rule drops it.
    Relabel,
    /// Another replica of its cluster is taken.
    Replica(String),
}

/// What the rules make of labels.
#[derive(Debug)]
pub(super) enum Changed<'a> {
    /// These labels.
    To(Pairs<'a>),
    /// Nothing.
    Unwanted(Unwanted),
}

/// Why labels name no series here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Broken {
    /// They break a rule of the data model.
    Model(String),
    /// They are more or longer than is taken.
    Limit(String),
}

impl Rules {
    /// Limits on labels, and on what the rows of one request may take in memory, in bytes.
    pub(crate) fn new(limits: LabelLimits, row_bytes_max: usize) -> Self {
        Self {
            limits,
            row_bytes_max,
            relabeling: Relabeling::default(),
            ha: None,
            said: Said::default(),
        }
    }

    /// The same, and rules that change series or leave them out.
    pub(crate) fn changing(self, relabeling: Relabeling, ha: Option<HaTracker>) -> Self {
        Self {
            relabeling,
            ha,
            ..self
        }
    }

    /// Whether [`Rules::change`] may do anything: without it, the labels of a series that is known
    /// need not be looked at.
    pub(super) fn may_change(&self) -> bool {
        self.ha.is_some() || !self.relabeling.is_empty()
    }

    /// What the rules make of the labels of a series, of which none has an empty value or stands
    /// twice after this.
    pub(super) fn change<'a>(
        &self,
        labels: &[(&'a str, &'a str)],
        now: Instant,
    ) -> Result<Changed<'a>, Broken> {
        let mut pairs: Pairs<'a> = labels
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|&(name, value)| (Cow::Borrowed(name), Cow::Borrowed(value)))
            .collect();
        pairs.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let twice = pairs
            .iter()
            .zip(pairs.iter().skip(1))
            .find(|(a, b)| a.0 == b.0);
        if let Some(((name, _), _)) = twice {
            return Err(Broken::Model(format!("label name {name:?} is not unique")));
        }
        if let Some(ha) = &self.ha
            && let Some((cluster, replica)) = ha.labels_of(labels)
        {
            self.check(&[("", cluster), ("", replica)])?;
            match ha.check(cluster, replica, now) {
                Verdict::Taken => pairs.retain(|(name, _)| !ha.is_replica_label(name)),
                Verdict::Other(taken) => {
                    let why = format!(
                        "replica {replica:?} of cluster {cluster:?} is not taken: {taken:?} is"
                    );
                    return Ok(Changed::Unwanted(Unwanted::Replica(why)));
                }
                Verdict::TooManyClusters => {
                    let max = ha.clusters_max();
                    return Err(Broken::Limit(format!(
                        "its cluster {cluster:?} is one more than the limit of {max} (--ha-max-clusters)"
                    )));
                }
            }
        }
        match self.relabeling.apply(&mut pairs) {
            true => Ok(Changed::To(pairs)),
            false => Ok(Changed::Unwanted(Unwanted::Relabel)),
        }
    }

    /// What the rows of one request may take in memory, in bytes.
    pub(super) fn row_bytes_max(&self) -> usize {
        self.row_bytes_max
    }

    /// Whether a series may have these labels; returns how many bytes they have.
    #[inline]
    pub(super) fn check(&self, labels: &[(&str, &str)]) -> Result<usize, Broken> {
        self.check_iter(labels.iter().copied())
            .map_err(Broken::Limit)
    }

    /// Whether a series or an exemplar may have these labels.
    #[inline]
    pub(super) fn check_iter<'a>(
        &self,
        labels: impl ExactSizeIterator<Item = (&'a str, &'a str)>,
    ) -> Result<usize, String> {
        let LabelLimits {
            labels_max,
            name_bytes_max,
            value_bytes_max,
        } = self.limits;
        let count = labels.len();
        if count > labels_max {
            return Err(format!(
                "it has {count} labels, more than the limit of {labels_max} (--max-labels-per-series)"
            ));
        }
        let mut bytes = 0;
        for (name, value) in labels {
            if name.len() > name_bytes_max {
                return Err(too_long(
                    "a label name",
                    name.len(),
                    name_bytes_max,
                    NAME_FLAG,
                ));
            }
            if value.len() > value_bytes_max {
                let what = format!("the value of label {name:?}");
                return Err(too_long(&what, value.len(), value_bytes_max, VALUE_FLAG));
            }
            bytes += name.len() + value.len();
        }
        Ok(bytes)
    }

    /// Whether this may be said of a metric family: its name is a label value, and its texts are
    /// no longer than one.
    pub(super) fn check_metadata(&self, metadata: &FamilyMetadata<'_>) -> Result<(), String> {
        let max = self.limits.value_bytes_max;
        if metadata.metric.is_empty() {
            return Err("metadata without a metric name".to_owned());
        }
        if metadata.metric.len() > max {
            let what = "the metric name of metadata";
            return Err(too_long(what, metadata.metric.len(), max, VALUE_FLAG));
        }
        for (what, text) in [("unit", metadata.unit), ("help", metadata.help)] {
            if text.len() > max {
                let what = format!("the {what} of {:?}", metadata.metric);
                return Err(too_long(&what, text.len(), max, VALUE_FLAG));
            }
        }
        Ok(())
    }
}

const NAME_FLAG: &str = "--max-label-name-length";
const VALUE_FLAG: &str = "--max-label-value-length";

fn too_long(what: &str, bytes: usize, bytes_max: usize, flag: &str) -> String {
    format!("{what} has {bytes} bytes, more than the limit of {bytes_max} ({flag})")
}

#[cfg(test)]
mod tests {
    use silverback_storage::model::MetricType;

    use super::*;

    fn rules() -> Rules {
        let limits = LabelLimits {
            labels_max: 2,
            name_bytes_max: 4,
            value_bytes_max: 6,
        };
        Rules::new(limits, 1000)
    }

    #[test]
    fn labels_up_to_the_limits_are_taken() {
        assert_eq!(rules().check(&[("name", "values"), ("b", "")]), Ok(11));
    }

    #[test]
    fn labels_beyond_a_limit_say_which() {
        for (labels, text) in [
            (
                &[("a", ""), ("b", ""), ("c", "")][..],
                "it has 3 labels, more than the limit of 2 (--max-labels-per-series)",
            ),
            (
                &[("names", "")],
                "a label name has 5 bytes, more than the limit of 4 (--max-label-name-length)",
            ),
            (
                &[("a", "1234567")],
                "the value of label \"a\" has 7 bytes, more than the limit of 6 (--max-label-value-length)",
            ),
        ] {
            assert_eq!(rules().check(labels), Err(Broken::Limit(text.to_owned())));
        }
    }

    #[test]
    fn metadata_has_the_limits_of_a_label_value() {
        let metadata = |metric, unit, help| FamilyMetadata {
            metric,
            metric_type: MetricType::Counter,
            unit,
            help,
        };
        assert_eq!(
            rules().check_metadata(&metadata("metric", "unitss", "helpss")),
            Ok(())
        );
        for (refused, text) in [
            (metadata("", "", ""), "without a metric name"),
            (
                metadata("metrics", "", ""),
                "the metric name of metadata has 7 bytes",
            ),
            (
                metadata("m", "1234567", ""),
                "the unit of \"m\" has 7 bytes",
            ),
            (
                metadata("m", "", "1234567"),
                "the help of \"m\" has 7 bytes",
            ),
        ] {
            let error = rules().check_metadata(&refused).unwrap_err();
            assert!(error.contains(text), "{error}");
        }
    }
}
