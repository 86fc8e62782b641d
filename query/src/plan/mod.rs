//! What is evaluated: the tree of an expression with its types, times and functions resolved.
//!
//! Making it finds everything that this version cannot do, before any data is read.

mod call;
mod describe;
mod duration;
mod info;
mod lower;
mod shared;

pub(crate) use lower::lower;
pub(crate) use shared::Repeated;

use crate::Labels;
use crate::functions::{ColumnFunction, WindowEntry};
use crate::parse::ast::{AggregateOp, BinaryOp, Grouping, RangeEdges, Span, VectorMatching};
use crate::source::Matcher;

/// The times that an expression is resolved with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueryTimes {
    /// First moment, in milliseconds since the Unix epoch.
    pub(crate) start_ms: i64,
    /// Last moment as asked for; a step may not meet it.
    pub(crate) end_ms: i64,
    /// Distance of the moments; 0 for an instant query.
    pub(crate) step_ms: i64,
    /// Distance of the moments of a subquery that names none.
    pub(crate) subquery_step_ms: i64,
}

/// A whole query, by its type.
#[derive(Debug)]
pub(crate) enum Node {
    Scalar(ScalarNode),
    Vector(VectorNode),
    Range(RangeNode),
    String(String),
}

/// What gives a number for each step.
#[derive(Debug)]
pub(crate) enum ScalarNode {
    /// The same at each step.
    Number(f64),
    /// The moment of the step, in seconds.
    Time,
    /// Does not depend on the step: evaluated at the first one.
    Once(Box<ScalarNode>),
    /// The value of the one element, NaN where there is not exactly one.
    OfVector(Box<VectorNode>),
    /// Operators in a row, each with what stands on its right.
    Chain {
        first: Box<ScalarNode>,
        rest: Vec<(BinaryOp, ScalarNode)>,
    },
    Negate(Box<ScalarNode>),
    /// `max_of`, `min_of`
    Extreme {
        largest: bool,
        lhs: Box<ScalarNode>,
        rhs: Box<ScalarNode>,
    },
}

/// What gives an instant vector for each step.
#[derive(Debug)]
pub(crate) enum VectorNode {
    Select(Selector),
    /// Does not depend on the step: evaluated at the first one.
    Once(Box<VectorNode>),
    /// A function of the samples in a window.
    Window(WindowCall),
    AbsentOverTime {
        range: RangeNode,
        labels: Labels,
    },
    /// The times of the samples that a selector yields.
    TimestampOf(Selector),
    /// A new value for each value; drops metadata labels.
    Map {
        child: Box<VectorNode>,
        function: ColumnFunction,
        parameters: Vec<ScalarNode>,
    },
    Chain(Box<Chain>),
    Aggregate(Box<Aggregate>),
    Absent {
        child: Box<VectorNode>,
        labels: Labels,
    },
    /// `vector(...)`
    FromScalar(ScalarNode),
    LabelReplace(Box<LabelReplace>),
    LabelJoin(Box<LabelJoin>),
    Sort {
        child: Box<VectorNode>,
        by: SortBy,
        descending: bool,
        span: Span,
    },
    /// `histogram_quantile`, `histogram_quantiles`, `histogram_fraction`
    Histogram(Box<HistogramCall>),
    Info(Box<InfoCall>),
    /// Stands elsewhere in the query too, in the same words.
    Shared(Box<Shared>),
    /// A number of each native histogram.
    OfHistogram {
        child: Box<VectorNode>,
        what: HistogramNumber,
    },
}

/// What there is to a native histogram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HistogramNumber {
    Avg,
    Count,
    Stddev,
    Stdvar,
    Sum,
}

/// An instant vector selector.
#[derive(Debug)]
pub(crate) struct Selector {
    pub(crate) matchers: Vec<Matcher>,
    pub(crate) when: When,
    /// `smoothed`: values lie on the line between the samples around each step.
    pub(crate) smoothed: bool,
    /// Where it stands.
    pub(crate) span: Span,
}

/// What moment a selector looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct When {
    /// How far back from the step or from `at_ms`.
    pub(crate) offset_ms: i64,
    /// `@`, in milliseconds since the Unix epoch.
    pub(crate) at_ms: Option<i64>,
}

impl When {
    /// The moment of the step.
    pub(crate) const NOW: Self = Self {
        offset_ms: 0,
        at_ms: None,
    };
}

/// A part that stands in the query several times.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) part: Repeated,
    /// Where this one stands.
    pub(crate) span: Span,
    pub(crate) child: VectorNode,
}

/// What gives samples of a span of time.
#[derive(Debug)]
pub(crate) struct RangeNode {
    pub(crate) samples: Samples,
    pub(crate) when: When,
    /// How far back a window reaches, above 0.
    pub(crate) range_ms: i64,
    /// How samples around a window count.
    pub(crate) edges: RangeEdges,
    /// Where it stands.
    pub(crate) span: Span,
}

/// Where the samples of a window come from.
#[derive(Debug)]
pub(crate) enum Samples {
    /// Of series that match.
    Stored(Vec<Matcher>),
    /// Of a vector, evaluated at each multiple of `step_ms`.
    Subquery {
        child: Box<VectorNode>,
        step_ms: i64,
    },
}

/// A function applied to a range vector.
#[derive(Debug)]
pub(crate) struct WindowCall {
    pub(crate) function: &'static WindowEntry,
    pub(crate) range: RangeNode,
    /// Those beside the range vector.
    pub(crate) parameters: Vec<ScalarNode>,
    /// Where the first argument stands.
    pub(crate) first_argument: Span,
}

/// Operators in a row on a vector. They may be a great many, so that they do not nest.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) first: VectorNode,
    pub(crate) rest: Vec<Operation>,
}

/// An operator and what stands on its other side.
#[derive(Debug)]
pub(crate) enum Operation {
    WithScalar(WithScalar),
    Match(Match),
}

/// An operator between a vector and a scalar.
#[derive(Debug)]
pub(crate) struct WithScalar {
    pub(crate) op: BinaryOp,
    pub(crate) scalar: ScalarNode,
    /// Whether the scalar stands on the left.
    pub(crate) scalar_left: bool,
    pub(crate) return_bool: bool,
    /// Where both sides stand.
    pub(crate) span: Span,
}

/// An operator between two vectors, the left one of which is there.
#[derive(Debug)]
pub(crate) struct Match {
    pub(crate) op: BinaryOp,
    pub(crate) rhs: VectorNode,
    pub(crate) matching: VectorMatching,
    pub(crate) return_bool: bool,
    /// Where both sides stand.
    pub(crate) span: Span,
}

/// An aggregation.
#[derive(Debug)]
pub(crate) struct Aggregate {
    pub(crate) op: AggregateOp,
    pub(crate) child: VectorNode,
    pub(crate) parameter: Parameter,
    pub(crate) grouping: Grouping,
    /// Where it stands.
    pub(crate) span: Span,
    /// Where the vector stands.
    pub(crate) child_span: Span,
}

/// What stands before the vector of an aggregation.
#[derive(Debug)]
pub(crate) enum Parameter {
    None,
    /// `k` or `q`, and where it stands.
    Scalar(ScalarNode, Span),
    /// The label of `count_values`.
    Label(String),
}

/// What a vector is sorted by.
#[derive(Debug)]
pub(crate) enum SortBy {
    Value,
    /// These labels in natural order, then all of them.
    Labels(Vec<String>),
}

/// `label_replace`
#[derive(Debug)]
pub(crate) struct LabelReplace {
    pub(crate) child: VectorNode,
    pub(crate) destination: String,
    pub(crate) replacement: String,
    pub(crate) source: String,
    pub(crate) regex: String,
}

/// `label_join`
#[derive(Debug)]
pub(crate) struct LabelJoin {
    pub(crate) child: VectorNode,
    pub(crate) destination: String,
    pub(crate) separator: String,
    pub(crate) sources: Vec<String>,
}

/// A function of the buckets of classic histograms.
#[derive(Debug)]
pub(crate) struct HistogramCall {
    pub(crate) child: VectorNode,
    pub(crate) what: HistogramQuestion,
    /// Where the vector stands.
    pub(crate) span: Span,
}

/// `info`
#[derive(Debug)]
pub(crate) struct InfoCall {
    pub(crate) child: VectorNode,
    /// What info series have to fulfil; those on the metric name say which metrics they are.
    pub(crate) matchers: Vec<Matcher>,
    /// The moment at which info series count.
    pub(crate) when: When,
}

/// What is asked of a histogram.
#[derive(Debug)]
pub(crate) enum HistogramQuestion {
    /// The values below which parts of the observations lie, and where the parts stand; the
    /// label that tells the answers apart, where there may be several.
    Quantiles(Vec<(ScalarNode, Span)>, Option<String>),
    /// The part of the observations between two values.
    Fraction {
        lower: ScalarNode,
        upper: ScalarNode,
    },
}
