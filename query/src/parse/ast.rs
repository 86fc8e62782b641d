//! The tree of an expression. Every node knows the bytes of the text it came from.

use crate::source::{MatchOp, Matcher};

/// Bytes of the query text, from `start` to before `end`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

/// An expression.
#[derive(PartialEq, Debug)]
pub enum Expr {
    /// `1.5`, `0x1f`, `5m` where a number is wanted
    Number(NumberLiteral),
    /// `"text"`
    String(StringLiteral),
    /// `metric{label="value"} offset 5m @ 3`
    Vector(VectorSelector),
    /// `metric[5m]`
    Matrix(MatrixSelector),
    /// `expr[1h:1m]`
    Subquery(Box<Subquery>),
    /// `rate(...)`
    Call(Call),
    /// `sum by (job) (...)`
    Aggregate(Box<Aggregate>),
    /// `a + b`
    Binary(Box<Binary>),
    /// `-a`
    Unary(Box<Unary>),
    /// `(a)`
    Paren(Box<Paren>),
}

/// The four types of PromQL.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ValueType {
    /// A number.
    Scalar,
    /// A text.
    String,
    /// One value a series.
    Vector,
    /// Many samples a series.
    Matrix,
}

/// A number.
#[derive(Clone, PartialEq, Debug)]
pub struct NumberLiteral {
    /// Its value; a duration in seconds.
    pub value: f64,
    /// Whether it was written as a duration, so that it prints as one.
    pub is_duration: bool,
    /// Where it stands.
    pub span: Span,
}

/// A text, its escapes resolved.
#[derive(Clone, PartialEq, Debug)]
pub struct StringLiteral {
    /// The text; U+FFFD stands for bytes that are no UTF-8.
    pub value: String,
    /// The bytes where some are no UTF-8: such a text is no name of a label.
    pub broken: Option<Vec<u8>>,
    /// Where it stands.
    pub span: Span,
}

/// A length of time as written: fixed, or an expression evaluated with the query's range and
/// step at hand.
#[derive(Clone, PartialEq, Debug)]
pub enum Duration {
    /// In milliseconds; negative for offsets into the future.
    Fixed(i64),
    /// `(5m + step()) * 2` and the like.
    Computed(Box<DurationExpr>),
}

/// An expression of durations.
#[derive(Clone, PartialEq, Debug)]
pub enum DurationExpr {
    /// A duration or a number of seconds.
    Number(NumberLiteral),
    /// `step()`
    Step(Span),
    /// `range()`
    Range(Span),
    /// `start()` of the query, in seconds since the epoch where a number is wanted.
    Start(Span),
    /// `end()` of the query.
    End(Span),
    /// `-x`, `+x`
    Unary {
        /// `Sub` or `Add`.
        op: BinaryOp,
        /// What it applies to.
        operand: Box<DurationExpr>,
        /// Where it stands.
        span: Span,
    },
    /// `x + y`, and `min_of(x, y)`, `max_of(x, y)`.
    Binary {
        /// What joins the two.
        op: DurationOp,
        /// Left or first.
        lhs: Box<DurationExpr>,
        /// Right or second.
        rhs: Box<DurationExpr>,
        /// Where it stands.
        span: Span,
    },
    /// `(x)`
    Paren(Box<DurationExpr>, Span),
}

/// What joins two durations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DurationOp {
    /// `+ - * / % ^`
    Arithmetic(BinaryOp),
    /// `min_of`
    MinOf,
    /// `max_of`
    MaxOf,
}

/// The moment that `@` names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum At {
    /// Milliseconds since the Unix epoch.
    Timestamp(i64),
    /// `@ start()`
    Start,
    /// `@ end()`
    End,
}

/// How samples at the edges of a range count (`anchored`, `smoothed`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RangeEdges {
    /// Only what lies inside.
    #[default]
    Plain,
    /// `anchored`
    Anchored,
    /// `smoothed`
    Smoothed,
}

/// `offset` and `@` of a selector or subquery.
#[derive(Clone, PartialEq, Debug)]
pub struct Modifiers {
    /// `offset`: how far back; `Fixed(0)` where there is none.
    pub offset: Duration,
    /// `@`
    pub at: Option<At>,
}

impl Default for Modifiers {
    fn default() -> Self {
        Self {
            offset: Duration::Fixed(0),
            at: None,
        }
    }
}

/// An instant vector selector.
#[derive(Clone, PartialEq, Debug)]
pub struct VectorSelector {
    /// The metric name before the braces, if there is one; it is among the matchers too.
    pub name: Option<String>,
    /// All conditions, the name's included, in the order Prometheus keeps them.
    pub matchers: Vec<Matcher>,
    /// `offset` and `@`.
    pub modifiers: Modifiers,
    /// `anchored` and `smoothed`.
    pub edges: RangeEdges,
    /// Where it stands, modifiers included.
    pub span: Span,
}

/// A range vector selector.
#[derive(Clone, PartialEq, Debug)]
pub struct MatrixSelector {
    /// What it selects; carries the modifiers that stand behind the brackets.
    pub selector: VectorSelector,
    /// How far back.
    pub range: Duration,
    /// Where it stands, from the selector's start.
    pub span: Span,
}

/// `expr[range:step]`
#[derive(Clone, PartialEq, Debug)]
pub struct Subquery {
    /// What is evaluated.
    pub expr: Expr,
    /// How far back.
    pub range: Duration,
    /// How often; none means the default resolution.
    pub step: Option<Duration>,
    /// `offset` and `@`.
    pub modifiers: Modifiers,
    /// Where it stands.
    pub span: Span,
}

/// A function call.
#[derive(Clone, PartialEq, Debug)]
pub struct Call {
    /// Which function.
    pub function: &'static crate::functions::Signature,
    /// Its arguments, as many as the signature allows, each of its type.
    pub args: Vec<Expr>,
    /// Where it stands.
    pub span: Span,
}

/// The aggregation operators.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AggregateOp {
    /// `sum`
    Sum,
    /// `avg`
    Avg,
    /// `count`
    Count,
    /// `min`
    Min,
    /// `max`
    Max,
    /// `group`
    Group,
    /// `stddev`
    Stddev,
    /// `stdvar`
    Stdvar,
    /// `topk`
    Topk,
    /// `bottomk`
    Bottomk,
    /// `count_values`
    CountValues,
    /// `quantile`
    Quantile,
    /// `limitk`
    Limitk,
    /// `limit_ratio`
    LimitRatio,
}

/// `by` or `without`, with its labels in the order written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Grouping {
    /// Keep these labels; with none of them written, everything is one group.
    By(Vec<String>),
    /// Drop these labels, and the metric name.
    Without(Vec<String>),
}

/// An aggregation.
#[derive(Clone, PartialEq, Debug)]
pub struct Aggregate {
    /// How.
    pub op: AggregateOp,
    /// What.
    pub expr: Expr,
    /// The parameter of `topk`, `quantile`, `count_values` and the like.
    pub param: Option<Expr>,
    /// Into which groups.
    pub grouping: Grouping,
    /// Where it stands.
    pub span: Span,
}

/// The binary operators.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Mod,
    /// `^`
    Pow,
    /// `atan2`
    Atan2,
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `and`
    And,
    /// `or`
    Or,
    /// `unless`
    Unless,
    /// `</`: keeps what lies below, of a native histogram
    TrimUpper,
    /// `>/`: keeps what lies above, of a native histogram
    TrimLower,
}

/// How many elements of one side meet how many of the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cardinality {
    /// One each.
    OneToOne,
    /// `group_left`: many on the left.
    ManyToOne,
    /// `group_right`: many on the right.
    OneToMany,
    /// The set operators.
    ManyToMany,
}

/// How the elements of two vectors find each other.
#[derive(Clone, PartialEq, Debug)]
pub struct VectorMatching {
    /// How many meet how many.
    pub cardinality: Cardinality,
    /// `on` these labels, or all but these.
    pub labels: Vec<String>,
    /// `on` rather than `ignoring`.
    pub on: bool,
    /// Labels of the "one" side that the result takes over.
    pub include: Vec<String>,
    /// `fill_left`: what stands for an element that the left side lacks.
    pub fill_left: Option<f64>,
    /// `fill_right`: the same for the right side.
    pub fill_right: Option<f64>,
}

/// A binary operation.
///
/// Operations in a row nest in their left sides, thousands deep where a program wrote them. So
/// whoever walks them does so in a loop ([`Binary::chain`]), dropping, cloning and comparing
/// included.
#[derive(Debug)]
pub struct Binary {
    /// What joins the two.
    pub op: BinaryOp,
    /// Left.
    pub lhs: Expr,
    /// Right.
    pub rhs: Expr,
    /// Present where both sides are vectors.
    pub matching: Option<VectorMatching>,
    /// `bool`: a comparison gives 0 or 1 rather than filtering.
    pub return_bool: bool,
    /// Where it stands.
    pub span: Span,
    /// Where the operator stands.
    pub op_span: Span,
}

/// `-x` or `+x`
#[derive(Clone, PartialEq, Debug)]
pub struct Unary {
    /// `-` rather than `+`.
    pub negative: bool,
    /// What it applies to.
    pub expr: Expr,
    /// Where it stands.
    pub span: Span,
}

/// `(x)`
#[derive(Clone, PartialEq, Debug)]
pub struct Paren {
    /// What stands inside.
    pub expr: Expr,
    /// Where it stands.
    pub span: Span,
}

impl Expr {
    /// Where the expression stands.
    pub fn span(&self) -> Span {
        match self {
            Self::Number(node) => node.span,
            Self::String(node) => node.span,
            Self::Vector(node) => node.span,
            Self::Matrix(node) => node.span,
            Self::Subquery(node) => node.span,
            Self::Call(node) => node.span,
            Self::Aggregate(node) => node.span,
            Self::Binary(node) => node.span,
            Self::Unary(node) => node.span,
            Self::Paren(node) => node.span,
        }
    }

    /// The type of its value.
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::Number(_) => ValueType::Scalar,
            Self::String(_) => ValueType::String,
            Self::Vector(_) | Self::Aggregate(_) => ValueType::Vector,
            Self::Matrix(_) | Self::Subquery(_) => ValueType::Matrix,
            Self::Call(call) => call.function.returns,
            Self::Unary(unary) => unary.expr.value_type(),
            Self::Paren(paren) => paren.expr.value_type(),
            Self::Binary(binary) => {
                let scalar = |expr: &Self| expr.value_type() == ValueType::Scalar;
                let (chain, first) = binary.chain();
                if scalar(first) && chain.iter().all(|operation| scalar(&operation.rhs)) {
                    ValueType::Scalar
                } else {
                    ValueType::Vector
                }
            }
        }
    }
}

impl VectorSelector {
    /// The matcher of the metric name by equality, if there is one.
    pub fn metric_name(&self) -> Option<&str> {
        self.matchers
            .iter()
            .find(|matcher| matcher.name == "__name__" && matcher.op == MatchOp::Equal)
            .map(|matcher| matcher.value.as_str())
    }
}
