//! Warnings and infos that come with an answer, in Prometheus's words
//! (`util/annotations/annotations.go`).

use std::cell::RefCell;
use std::collections::HashMap;

use crate::functions::date::rfc3339;
use crate::functions::histogram::Corrected;
use crate::functions::numeric::go_float;
use crate::labels::BUCKET;
use crate::parse::ast::Span;
use crate::parse::strings::quote;
use crate::position;

/// Texts, and where each was last found: Prometheus tells of each text once, and of the latest
/// place.
#[derive(Debug, Default)]
struct Texts {
    /// In the order in which they were found.
    all: Vec<(String, Span)>,
    /// Where each is in `all`.
    places: HashMap<String, usize>,
    bytes: usize,
}

/// Bytes of texts of a kind that a query notes. A selector without a metric name may select a
/// million metrics that each are worth one; nobody reads them.
const NOTED_BYTES_MAX: usize = 1 << 20;

impl Texts {
    fn add(&mut self, what: String, at: Span) {
        if let Some(&place) = self.places.get(&what) {
            self.all[place].1 = at;
        } else if self.bytes + what.len() <= NOTED_BYTES_MAX {
            self.bytes += what.len();
            self.places.insert(what.clone(), self.all.len());
            self.all.push((what, at));
        }
    }
}

/// What was noted, each text once, in the order it was found.
#[derive(Debug)]
pub(crate) struct Notes<'q> {
    /// The text of the query, that spans point into.
    text: &'q str,
    warnings: RefCell<Texts>,
    infos: RefCell<Texts>,
    corrections: RefCell<AllCorrections>,
}

/// Those of each metric and place, in the order in which they were found.
#[derive(Debug, Default)]
struct AllCorrections {
    all: Vec<Corrections>,
    places: HashMap<(String, Span), usize>,
    bytes: usize,
}

/// How often the buckets of a histogram were put right, and by how much at most.
#[derive(Clone, Debug)]
struct Corrections {
    metric_name: String,
    at: Span,
    widest: Corrected,
    count: u64,
    /// Seconds since the Unix epoch.
    first_s: i64,
    last_s: i64,
}

impl<'q> Notes<'q> {
    pub(crate) fn new(text: &'q str) -> Self {
        Self {
            text,
            warnings: RefCell::default(),
            infos: RefCell::default(),
            corrections: RefCell::default(),
        }
    }

    /// Warnings and infos.
    pub(crate) fn into_parts(self) -> (Vec<String>, Vec<String>) {
        for of in &self.corrections.borrow().all {
            self.info(
                format_args!(
                    "input to histogram_quantile needed to be fixed for monotonicity (see \
                     https://prometheus.io/docs/prometheus/latest/querying/functions/\
                     #histogram_quantile){}, from buckets {} to {}, with a max diff of {}, over \
                     {} samples from {} to {}",
                    for_metric(&of.metric_name),
                    go_float(of.widest.lowest),
                    go_float(of.widest.highest),
                    go_float(of.widest.difference),
                    of.count,
                    rfc3339(of.first_s),
                    rfc3339(of.last_s),
                ),
                of.at,
            );
        }
        let with_place = |notes: RefCell<Texts>| {
            let placed =
                |(what, at): (String, Span)| format!("{what} ({})", position(self.text, at.start));
            notes.into_inner().all.into_iter().map(placed).collect()
        };
        (with_place(self.warnings), with_place(self.infos))
    }

    pub(super) fn warn(&self, what: std::fmt::Arguments<'_>, at: Span) {
        let mut warnings = self.warnings.borrow_mut();
        warnings.add(format!("PromQL warning: {what}"), at);
    }

    pub(super) fn info(&self, what: std::fmt::Arguments<'_>, at: Span) {
        let mut infos = self.infos.borrow_mut();
        infos.add(format!("PromQL info: {what}"), at);
    }

    /// Notes again, in a part of the query that stands elsewhere too, what was noted where it
    /// stands first.
    pub(crate) fn repeat(&self, first: Span, here: Span) {
        let shifted = |at: Span| {
            (first.start <= at.start && at.end <= first.end).then(|| Span {
                start: at.start - first.start + here.start,
                end: at.end - first.start + here.start,
            })
        };
        for texts in [&self.warnings, &self.infos] {
            for (_, at) in &mut texts.borrow_mut().all {
                *at = shifted(*at).unwrap_or(*at);
            }
        }
        let mut corrections = self.corrections.borrow_mut();
        let AllCorrections { all, places, .. } = &mut *corrections;
        for at in 0..all.len() {
            if let Some(shifted) = shifted(all[at].at) {
                let repeated = Corrections {
                    metric_name: all[at].metric_name.clone(),
                    at: shifted,
                    ..all[at]
                };
                places.insert((repeated.metric_name.clone(), shifted), all.len());
                all.push(repeated);
            }
        }
    }

    /// `rate` or `increase` of something not named like a counter.
    pub(crate) fn counter(&self, metric_name: &str, at: Span) {
        let counters = ["_total", "_sum", "_count", "_bucket"];
        if metric_name.is_empty() || counters.iter().any(|end| metric_name.ends_with(end)) {
            return;
        }
        self.info(
            format_args!(
                "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \
                 {}",
                quote(metric_name)
            ),
            at,
        );
    }

    /// `rate` or `increase` of something whose label does not say that it is a counter.
    pub(crate) fn counter_label(&self, metric_name: &str, metric_type: &str, at: Span) {
        if metric_name.is_empty() || ["counter", "histogram"].contains(&metric_type) {
            return;
        }
        self.info(
            format_args!(
                "metric might not be a counter, __type__ label is not set to \"counter\" or \
                 \"histogram\", got {}: {}",
                quote(metric_type),
                quote(metric_name)
            ),
            at,
        );
    }

    /// A quantile outside 0 to 1.
    pub(crate) fn quantile(&self, q: f64, at: Span) {
        if !(0.0..=1.0).contains(&q) {
            self.warn(
                format_args!(
                    "quantile value should be between 0 and 1, got {}",
                    go_float(q)
                ),
                at,
            );
        }
    }

    /// A ratio of `limit_ratio` outside -1 to 1, and what is used in its place.
    pub(crate) fn ratio(&self, ratio: f64, used: f64, at: Span) {
        self.warn(
            format_args!(
                "ratio value should be between -1 and 1, got {}, capping to {}",
                go_float(ratio),
                go_float(used)
            ),
            at,
        );
    }

    /// A series without a usable bucket label where a classic histogram is wanted.
    pub(crate) fn bad_bucket(&self, metric_name: &str, bound: &str, at: Span) {
        let metric = for_metric(metric_name);
        self.warn(
            format_args!(
                "bucket label {BUCKET:?} is missing or has a malformed value of {}{metric}",
                quote(bound)
            ),
            at,
        );
    }

    /// Buckets of a histogram that count less than ones below them.
    pub(crate) fn forced_monotonicity(
        &self,
        metric_name: &str,
        at: Span,
        time_ms: i64,
        corrected: Corrected,
    ) {
        let time_s = time_ms.div_euclid(1000);
        let mut corrections = self.corrections.borrow_mut();
        let AllCorrections { all, places, bytes } = &mut *corrections;
        let key = (metric_name.to_owned(), at);
        match places.get(&key).and_then(|&place| all.get_mut(place)) {
            Some(known) => {
                let widest = &mut known.widest;
                widest.lowest = widest.lowest.min(corrected.lowest);
                widest.highest = widest.highest.max(corrected.highest);
                widest.difference = widest.difference.max(corrected.difference);
                known.count += 1;
                known.first_s = known.first_s.min(time_s);
                known.last_s = known.last_s.max(time_s);
            }
            None if *bytes > NOTED_BYTES_MAX => {}
            None => {
                *bytes += size_of::<Corrections>() + 2 * metric_name.len();
                places.insert(key, all.len());
                all.push(Corrections {
                    metric_name: metric_name.to_owned(),
                    at,
                    widest: corrected,
                    count: 1,
                    first_s: time_s,
                    last_s: time_s,
                });
            }
        }
    }

    /// Sorting where steps are many.
    pub(crate) fn sort_in_range_query(&self, at: Span) {
        self.warn(
            format_args!(
                "sort is ineffective for range queries since results are always ordered by labels"
            ),
            at,
        );
    }
}

pub(super) fn for_metric(name: &str) -> String {
    if name.is_empty() {
        String::new()
    } else {
        format!(" for metric name {}", quote(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_told_once_with_its_last_place() {
        let notes = Notes::new("quantile(2, a) + quantile(2, b)");
        notes.quantile(2.0, Span { start: 9, end: 10 });
        notes.quantile(3.0, Span { start: 9, end: 10 });
        notes.quantile(2.0, Span { start: 26, end: 27 });
        let text = "PromQL warning: quantile value should be between 0 and 1, got";
        let expected = [format!("{text} 2 (1:27)"), format!("{text} 3 (1:10)")];
        assert_eq!(notes.into_parts(), (expected.to_vec(), Vec::new()));
    }

    #[test]
    fn texts_without_end_are_not_kept() {
        let notes = Notes::new("rate(m[5m])");
        for number in 0..100_000 {
            notes.counter(&format!("metric_{number}"), Span { start: 5, end: 10 });
        }
        let (_, infos) = notes.into_parts();
        assert!(
            infos.len() > 5_000 && infos.len() < 15_000,
            "{}",
            infos.len()
        );
        assert!(
            infos[0].ends_with("_bucket: \"metric_0\" (1:6)"),
            "{}",
            infos[0]
        );
    }

    #[test]
    fn what_is_noted_of_a_part_is_noted_where_it_stands_last() {
        let text = "rate(a[5m]) / (rate(a[5m]) + rate(b[5m]))";
        let notes = Notes::new(text);
        notes.counter("a", Span { start: 5, end: 10 });
        notes.counter("b", Span { start: 34, end: 39 });
        notes.repeat(Span { start: 0, end: 11 }, Span { start: 15, end: 26 });
        let (_, infos) = notes.into_parts();
        assert!(infos[0].ends_with("\"a\" (1:21)"), "{}", infos[0]);
        assert!(infos[1].ends_with("\"b\" (1:35)"), "{}", infos[1]);
    }
}
