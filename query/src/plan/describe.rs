//! What a node of the plan does, in a few words.

use std::fmt::Write;

use super::{Operation, RangeNode, Samples, VectorNode};
use crate::parse::ast::{BinaryOp, Grouping};
use crate::parse::strings::quote;
use crate::source::{MatchOp, Matcher};

/// Longest description, in bytes: matchers may be long.
const BYTES_MAX: usize = 500;

impl VectorNode {
    /// What it does, without what it does it to.
    pub(crate) fn describe(&self) -> String {
        let mut text = match self {
            Self::Select(selector) => format!("select {}", selection(&selector.matchers)),
            Self::TimestampOf(selector) => {
                format!("timestamps of {}", selection(&selector.matchers))
            }
            Self::Once(_) => "once for all steps".to_owned(),
            Self::Window(call) => format!("{} over {}", call.function.name, range(&call.range)),
            Self::AbsentOverTime { range: of, .. } => {
                format!("absent_over_time over {}", range(of))
            }
            Self::Map { .. } => "function of each value".to_owned(),
            Self::Chain(chain) => {
                let operators = chain.rest.iter().map(|operation| match operation {
                    Operation::WithScalar(node) => with_scalar(node.op),
                    Operation::Match(node) => node.op.as_str().to_owned(),
                });
                format!(
                    "operators {}",
                    Vec::from_iter(operators.take(20)).join(", ")
                )
            }
            Self::Aggregate(node) => {
                let (word, names) = match &node.grouping {
                    Grouping::By(names) if names.is_empty() => ("", &names[..]),
                    Grouping::By(names) => (" by ", &names[..]),
                    Grouping::Without(names) => (" without ", &names[..]),
                };
                let mut text = format!("{}{word}", node.op.as_str());
                if !word.is_empty() {
                    // A string takes all that is written to it.
                    let _ = write!(text, "({})", names.join(", "));
                }
                text
            }
            Self::Absent { .. } => "absent".to_owned(),
            Self::FromScalar(_) => "vector".to_owned(),
            Self::LabelReplace(_) => "label_replace".to_owned(),
            Self::LabelJoin(_) => "label_join".to_owned(),
            Self::Sort { .. } => "sort".to_owned(),
            Self::OfHistogram { .. } => "number of each histogram".to_owned(),
            Self::Histogram(_) => "histogram".to_owned(),
            Self::Info(_) => "info".to_owned(),
            Self::Shared(node) => format!("evaluated once for {} uses", node.part.uses),
        };
        if text.len() > BYTES_MAX {
            let end = (0..=BYTES_MAX).rev().find(|&at| text.is_char_boundary(at));
            text.truncate(end.unwrap_or(0));
            text.push_str("...");
        }
        text
    }
}

fn with_scalar(op: BinaryOp) -> String {
    format!("{} with a scalar", op.as_str())
}

fn range(range: &RangeNode) -> String {
    let seconds = range.range_ms as f64 / 1000.0;
    match &range.samples {
        Samples::Stored(matchers) => format!("{seconds} s of {}", selection(matchers)),
        Samples::Subquery { step_ms, .. } => {
            let step = *step_ms as f64 / 1000.0;
            format!("{seconds} s of a subquery each {step} s")
        }
    }
}

fn selection(matchers: &[Matcher]) -> String {
    let matchers = matchers.iter().map(|matcher| {
        let op = match matcher.op {
            MatchOp::Equal => "=",
            MatchOp::NotEqual => "!=",
            MatchOp::Regex => "=~",
            MatchOp::NotRegex => "!~",
        };
        format!("{}{op}{}", matcher.name, quote(&matcher.value))
    });
    format!("{{{}}}", Vec::from_iter(matchers).join(", "))
}
