//! What is told of native histograms.

use super::super::note::{Notes, for_metric};
use crate::histogram::Reconciled;
use crate::parse::ast::{BinaryOp, Span};
use crate::parse::strings::quote;

/// What histograms were brought together for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    Addition,
    Subtraction,
    Aggregation,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Addition => "addition",
            Self::Subtraction => "subtraction",
            Self::Aggregation => "aggregation",
        }
    }
}

impl Notes<'_> {
    /// Floats and histograms in one window.
    pub(super) fn mixed_types(&self, metric_name: &str, at: Span) {
        let name = quote(metric_name);
        self.warn(
            format_args!("encountered a mix of histograms and floats for metric name {name}"),
            at,
        );
    }

    /// Floats and histograms in one group.
    pub(super) fn mixed_group(&self, at: Span) {
        self.warn(
            format_args!("encountered a mix of histograms and floats for aggregation"),
            at,
        );
    }

    /// A native histogram with the labels of a classic one.
    pub(super) fn mixed_classic(&self, metric_name: &str, at: Span) {
        let metric = for_metric(metric_name);
        self.warn(
            format_args!("vector contains a mix of classic and native histograms{metric}"),
            at,
        );
    }

    pub(super) fn not_a_counter(&self, metric_name: &str, at: Span) {
        let name = quote(metric_name);
        self.warn(
            format_args!("this native histogram metric is not a counter: {name}"),
            at,
        );
    }

    pub(super) fn not_a_gauge(&self, metric_name: &str, at: Span) {
        let name = quote(metric_name);
        self.warn(
            format_args!("this native histogram metric is not a gauge: {name}"),
            at,
        );
    }

    /// Exponential and custom buckets together.
    pub(super) fn mixed_schemas(&self, metric_name: &str, at: Span) {
        let name = quote(metric_name);
        self.warn(
            format_args!(
                "vector contains a mix of histograms with exponential and custom buckets schemas \
                 for metric name {name}"
            ),
            at,
        );
    }

    /// The same on both sides of an operator.
    pub(super) fn incompatible_buckets(&self, op: BinaryOp, at: Span) {
        self.warn(
            format_args!(
                "incompatible bucket layout encountered for binary operator {}",
                op.as_str()
            ),
            at,
        );
    }

    /// An operator that is none of what it stands between.
    pub(in crate::eval) fn incompatible_types(
        &self,
        (lhs, op, rhs): (&str, BinaryOp, &str),
        at: Span,
    ) {
        let op = op.as_str();
        let quoted = quote(op);
        self.info(
            format_args!(
                "incompatible sample types encountered for binary operator {quoted}: {lhs} {op} \
                 {rhs}"
            ),
            at,
        );
    }

    /// Histograms where an aggregation takes floats.
    pub(super) fn ignored_in_aggregation(&self, aggregation: &str, at: Span) {
        self.info(
            format_args!("ignored histogram in {aggregation} aggregation"),
            at,
        );
    }

    /// Histograms where a function of windows takes the floats.
    pub(super) fn ignored_in_range(&self, metric_name: &str, at: Span) {
        let name = quote(metric_name);
        self.info(
            format_args!(
                "ignored histograms in a range containing both floats and histograms for metric \
                 name {name}"
            ),
            at,
        );
    }

    pub(super) fn quantile_is_nan(&self, metric_name: &str, at: Span) {
        let metric = for_metric(metric_name);
        self.info(
            format_args!("input to histogram_quantile has NaN observations, result is NaN{metric}"),
            at,
        );
    }

    pub(super) fn quantile_is_skewed(&self, metric_name: &str, at: Span) {
        let metric = for_metric(metric_name);
        self.info(
            format_args!(
                "input to histogram_quantile has NaN observations, result is skewed \
                 higher{metric}"
            ),
            at,
        );
    }

    pub(super) fn fraction_without_nan(&self, metric_name: &str, at: Span) {
        let metric = for_metric(metric_name);
        self.info(
            format_args!(
                "input to histogram_fraction has NaN observations, which are excluded from all \
                 fractions{metric}"
            ),
            at,
        );
    }

    /// Histograms that are known to follow a reset, and others known not to, in one result.
    pub(super) fn colliding_resets(&self, purpose: Purpose, at: Span) {
        let name = purpose.name();
        self.warn(
            format_args!("conflicting counter resets during histogram {name}"),
            at,
        );
    }

    /// What bringing two histograms together took.
    pub(super) fn reconciled(&self, reconciled: Reconciled, purpose: Purpose, at: Span) {
        let name = purpose.name();
        if reconciled.bounds {
            self.info(
                format_args!("mismatched custom buckets were reconciled during {name}"),
                at,
            );
        }
    }
}
