//! The tokens of PromQL.

use super::ast::{AggregateOp, BinaryOp, Span};
use super::strings::{quote, truncate_chars};

/// What a token is. Comments and space never become tokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TokenKind {
    Eof,
    /// A name without colons.
    Identifier,
    /// A name with colons: a metric's.
    MetricIdentifier,
    Number,
    Duration,
    /// Quotes included.
    String,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Comma,
    Colon,
    /// `=`
    Equal,
    /// `=~`
    EqualRegex,
    /// `!~`
    NotEqualRegex,
    /// `@`
    At,
    Operator(BinaryOp),
    Aggregator(AggregateOp),
    Keyword(Keyword),
}

/// Words that mean something in some places and are names in others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Keyword {
    Anchored,
    Bool,
    By,
    Fill,
    FillLeft,
    FillRight,
    GroupLeft,
    GroupRight,
    Ignoring,
    Offset,
    On,
    Smoothed,
    Without,
    // Prometheus calls these preprocessors; they are described to users as plain text.
    End,
    MaxOf,
    MinOf,
    Range,
    Start,
    Step,
}

/// A token and the bytes it came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Span,
}

impl Span {
    /// From here to the end of `last`.
    pub(super) fn to(self, last: Self) -> Self {
        Self {
            start: self.start,
            end: last.end,
        }
    }
}

impl Keyword {
    /// Whether it names a function where a bracket follows: `start()`, `step()`.
    pub(super) fn is_preprocessor(self) -> bool {
        matches!(
            self,
            Self::End | Self::MaxOf | Self::MinOf | Self::Range | Self::Start | Self::Step
        )
    }
}

/// The longest keyword has so many bytes: `count_values`.
const KEYWORD_BYTES_MAX: usize = 12;

impl TokenKind {
    /// The kind of a word, in any case; none for a plain name.
    pub(super) fn of_word(word: &str) -> Option<Self> {
        // Names are mostly longer than any keyword.
        let mut lower = [0; KEYWORD_BYTES_MAX];
        let lower = lower.get_mut(..word.len())?;
        lower.copy_from_slice(word.as_bytes());
        lower.make_ascii_lowercase();
        let kind = match std::str::from_utf8(lower).ok()? {
            "inf" | "nan" => Self::Number,
            "anchored" => Self::Keyword(Keyword::Anchored),
            "bool" => Self::Keyword(Keyword::Bool),
            "by" => Self::Keyword(Keyword::By),
            "end" => Self::Keyword(Keyword::End),
            "fill" => Self::Keyword(Keyword::Fill),
            "fill_left" => Self::Keyword(Keyword::FillLeft),
            "fill_right" => Self::Keyword(Keyword::FillRight),
            "group_left" => Self::Keyword(Keyword::GroupLeft),
            "group_right" => Self::Keyword(Keyword::GroupRight),
            "ignoring" => Self::Keyword(Keyword::Ignoring),
            "max_of" => Self::Keyword(Keyword::MaxOf),
            "min_of" => Self::Keyword(Keyword::MinOf),
            "offset" => Self::Keyword(Keyword::Offset),
            "on" => Self::Keyword(Keyword::On),
            "range" => Self::Keyword(Keyword::Range),
            "smoothed" => Self::Keyword(Keyword::Smoothed),
            "start" => Self::Keyword(Keyword::Start),
            "step" => Self::Keyword(Keyword::Step),
            "without" => Self::Keyword(Keyword::Without),
            "and" => Self::Operator(BinaryOp::And),
            "atan2" => Self::Operator(BinaryOp::Atan2),
            "or" => Self::Operator(BinaryOp::Or),
            "unless" => Self::Operator(BinaryOp::Unless),
            word => Self::Aggregator(AggregateOp::of_word(word)?),
        };
        Some(kind)
    }

    /// Whether an expression can begin with it.
    pub(super) fn starts_expression(self) -> bool {
        matches!(
            self,
            Self::Number
                | Self::Duration
                | Self::String
                | Self::LeftParen
                | Self::LeftBrace
                | Self::Operator(BinaryOp::Add | BinaryOp::Sub)
        ) || self.is_metric_name()
    }

    /// Whether it can be the name of a metric: names, and the keywords that Prometheus's grammar
    /// lets be one.
    pub(super) fn is_metric_name(self) -> bool {
        match self {
            Self::Identifier | Self::MetricIdentifier | Self::Aggregator(_) => true,
            Self::Operator(op) => matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Unless),
            Self::Keyword(keyword) => !matches!(
                keyword,
                Keyword::Bool
                    | Keyword::GroupLeft
                    | Keyword::GroupRight
                    | Keyword::Ignoring
                    | Keyword::On
            ),
            _ => false,
        }
    }

    /// Whether it can be a label in `by (...)` and the like.
    pub(super) fn is_grouping_label(self) -> bool {
        match self {
            Self::Identifier | Self::MetricIdentifier | Self::Aggregator(_) => true,
            Self::Operator(op) => matches!(
                op,
                BinaryOp::And | BinaryOp::Atan2 | BinaryOp::Or | BinaryOp::Unless
            ),
            Self::Keyword(keyword) => keyword != Keyword::Without,
            _ => false,
        }
    }
}

impl Token {
    /// How an error names the token whose text is `text`.
    pub(super) fn describe(self, text: &str) -> String {
        match self.kind {
            TokenKind::Eof => "end of input".to_owned(),
            TokenKind::Identifier => format!("identifier {}", quote(text)),
            TokenKind::MetricIdentifier => format!("metric identifier {}", quote(text)),
            TokenKind::Number => format!("number {}", quote_short(text)),
            TokenKind::Duration => format!("duration {}", quote_short(text)),
            TokenKind::String => format!("string {}", quote_short(text)),
            TokenKind::Keyword(keyword) if !keyword.is_preprocessor() => format!("<{text}>"),
            TokenKind::Operator(_)
            | TokenKind::EqualRegex
            | TokenKind::NotEqualRegex
            | TokenKind::At => format!("<op:{text}>"),
            TokenKind::Aggregator(_) => format!("<aggr:{text}>"),
            _ => quote_short(text),
        }
    }
}

/// Quoted, and cut after ten characters where it is longer than ten bytes.
fn quote_short(text: &str) -> String {
    if text.len() > 10 {
        format!("{}...", quote(truncate_chars(text, 10)))
    } else {
        quote(text)
    }
}

impl AggregateOp {
    /// As PromQL writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Count => "count",
            Self::Min => "min",
            Self::Max => "max",
            Self::Group => "group",
            Self::Stddev => "stddev",
            Self::Stdvar => "stdvar",
            Self::Topk => "topk",
            Self::Bottomk => "bottomk",
            Self::CountValues => "count_values",
            Self::Quantile => "quantile",
            Self::Limitk => "limitk",
            Self::LimitRatio => "limit_ratio",
        }
    }

    /// Whether it takes a parameter before the vector.
    pub fn has_param(self) -> bool {
        matches!(
            self,
            Self::Topk
                | Self::Bottomk
                | Self::CountValues
                | Self::Quantile
                | Self::Limitk
                | Self::LimitRatio
        )
    }

    /// Behind a feature flag in Prometheus.
    pub(super) fn is_experimental(self) -> bool {
        matches!(self, Self::Limitk | Self::LimitRatio)
    }

    fn of_word(word: &str) -> Option<Self> {
        const ALL: [AggregateOp; 14] = [
            AggregateOp::Sum,
            AggregateOp::Avg,
            AggregateOp::Count,
            AggregateOp::Min,
            AggregateOp::Max,
            AggregateOp::Group,
            AggregateOp::Stddev,
            AggregateOp::Stdvar,
            AggregateOp::Topk,
            AggregateOp::Bottomk,
            AggregateOp::CountValues,
            AggregateOp::Quantile,
            AggregateOp::Limitk,
            AggregateOp::LimitRatio,
        ];
        ALL.into_iter().find(|op| op.as_str() == word)
    }
}

impl BinaryOp {
    /// As PromQL writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Pow => "^",
            Self::Atan2 => "atan2",
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::And => "and",
            Self::Or => "or",
            Self::Unless => "unless",
            Self::TrimUpper => "</",
            Self::TrimLower => ">/",
        }
    }

    /// Whether it compares: `== != < <= > >=`.
    pub fn is_comparison(self) -> bool {
        matches!(
            self,
            Self::Eq | Self::Ne | Self::Lt | Self::Le | Self::Gt | Self::Ge
        )
    }

    /// Whether it is `and`, `or` or `unless`.
    pub fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }

    /// Whether durations have it too: `+ - * / % ^`.
    pub(super) fn is_of_durations(self) -> bool {
        matches!(
            self,
            Self::Add | Self::Sub | Self::Mul | Self::Div | Self::Mod | Self::Pow
        )
    }

    /// How strongly it binds, from 1. All but `^` group from the left.
    pub(super) fn power(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And | Self::Unless => 2,
            Self::Eq
            | Self::Ne
            | Self::Lt
            | Self::Le
            | Self::Gt
            | Self::Ge
            | Self::TrimUpper
            | Self::TrimLower => 3,
            Self::Add | Self::Sub => 4,
            Self::Mul | Self::Div | Self::Mod | Self::Atan2 => UNARY_POWER,
            Self::Pow => 6,
        }
    }

    /// The power that an operator to the right must have to take this one's right operand away.
    pub(super) fn right_power(self) -> u8 {
        match self {
            Self::Pow => self.power(),
            _ => self.power() + 1,
        }
    }
}

/// How strongly a sign binds: as `*`, so that `-a^2` is `-(a^2)` and `-a*b` is `(-a)*b`.
pub(super) const UNARY_POWER: u8 = 5;
