//! The canonical text of an expression, as Prometheus's `String()` gives it
//! (`promql/parser/printer.go`): it reads back as the same tree, but for an infinite left side
//! of `^`, whose sign then stands before the whole (and changes nothing).
//!
//! Matchers come sorted, signs without effect and doubled brackets of durations are left out,
//! modifiers come in a fixed order. Only where Prometheus's text would not read back, as an
//! offset takes in the operator behind it or loses one of its own, is ours another: see
//! [`offset_signs`] and [`write_vector`].
//!
//! No recursion but for durations, whose size has a limit of its own: what is left to print of a
//! tree waits on a stack of its own, however deep the tree is.

use std::fmt::{self, Display, Formatter};

use super::ast::{
    Aggregate, At, Binary, BinaryOp, Cardinality, Duration, DurationExpr, DurationOp, Expr,
    Grouping, MatrixSelector, Modifiers, NumberLiteral, RangeEdges, Subquery, VectorMatching,
    VectorSelector,
};
use super::duration::format_duration_ms;
use super::number::{format_general, format_plain};
use super::selector::METRIC_NAME;
use super::strings::{quote_bytes, quote_literal};
use crate::source::{MatchOp, Matcher};

/// A part of a text that waits to be printed.
pub(super) enum Piece<'x> {
    Text(&'static str),
    /// The operator of an operation, and the spaces around it.
    Operator(&'x Binary),
    /// What stands behind the expression of a subquery.
    Times(&'x Subquery),
    /// An expression, and whether one of the operators that durations have too comes next.
    Expr(&'x Expr, bool),
    /// Operators in a row; the same.
    Chain(&'x Binary, bool),
}

impl Display for Piece<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut left = Vec::new();
        self.begin(f, &mut left)?;
        while let Some(piece) = left.pop() {
            piece.begin(f, &mut left)?;
        }
        Ok(())
    }
}

impl<'x> Piece<'x> {
    /// Prints what it begins with and leaves the rest, the last piece first.
    fn begin(&self, f: &mut Formatter<'_>, left: &mut Vec<Self>) -> fmt::Result {
        match *self {
            Self::Text(text) => f.write_str(text),
            Self::Operator(operation) => write!(f, " {} ", Operator(operation)),
            Self::Times(node) => SubqueryTimes(node).fmt(f),
            Self::Expr(expr, operator_next) => begin(f, expr, operator_next, left),
            Self::Chain(node, operator_next) => {
                let (chain, first) = node.chain();
                let mut operator_next = operator_next;
                for operation in chain {
                    left.push(Self::Expr(&operation.rhs, operator_next));
                    left.push(Self::Operator(operation));
                    operator_next = operation.op.is_of_durations();
                }
                left.push(Self::Expr(first, operator_next));
                Ok(())
            }
        }
    }
}

fn begin<'x>(
    f: &mut Formatter<'_>,
    expr: &'x Expr,
    operator_next: bool,
    left: &mut Vec<Piece<'x>>,
) -> fmt::Result {
    match expr {
        Expr::Number(node) => node.fmt(f),
        Expr::String(node) => match &node.broken {
            Some(bytes) => f.write_str(&quote_bytes(bytes)),
            None => f.write_str(&quote_literal(&node.value)),
        },
        Expr::Vector(node) => write_vector(f, node, operator_next),
        Expr::Matrix(node) => node.fmt(f),
        Expr::Subquery(node) => {
            left.extend([Piece::Times(node), Piece::Expr(&node.expr, false)]);
            Ok(())
        }
        Expr::Call(node) => {
            left.push(Piece::Text(")"));
            for (at, arg) in node.args.iter().enumerate().rev() {
                left.push(Piece::Expr(arg, false));
                left.push(Piece::Text(if at == 0 { "" } else { ", " }));
            }
            write!(f, "{}(", node.function.name)
        }
        Expr::Aggregate(node) => {
            left.extend([Piece::Text(")"), Piece::Expr(&node.expr, false)]);
            if let Some(param) = &node.param {
                left.extend([Piece::Text(", "), Piece::Expr(param, false)]);
            }
            write!(f, "{}(", AggregateHead(node))
        }
        Expr::Binary(node) => Piece::Chain(node, operator_next).begin(f, left),
        Expr::Unary(node) => {
            left.push(Piece::Expr(&node.expr, operator_next));
            f.write_str(if node.negative { "-" } else { "+" })
        }
        Expr::Paren(node) => {
            left.extend([Piece::Text(")"), Piece::Expr(&node.expr, false)]);
            f.write_str("(")
        }
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Piece::Expr(self, false).fmt(f)
    }
}

impl Display for NumberLiteral {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.is_duration {
            return f.write_str(&format_plain(self.value));
        }
        if self.value < 0.0 {
            f.write_str("-")?;
        }
        // Prometheus cuts here instead of rounding and prints `1001ms` as `1s`.
        let milliseconds = (self.value.abs() * 1000.0).round() as u64;
        f.write_str(&format_duration_ms(milliseconds))
    }
}

impl Display for VectorSelector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_vector(f, self, false)
    }
}

/// Prints a selector, its offset last, as Prometheus has it; but before the other modifiers
/// where it would take in the operator that comes next: `foo offset (1m) @ 5.000 + bar`.
fn write_vector(f: &mut Formatter<'_>, node: &VectorSelector, operator_next: bool) -> fmt::Result {
    let offset_first = operator_next
        && matches!(&node.modifiers.offset, Duration::Computed(expr) if !is_offset_operand(expr));
    write_matchers(f, node)?;
    if offset_first {
        write_offset(f, &node.modifiers)?;
    }
    write_at(f, &node.modifiers)?;
    f.write_str(edges_suffix(node.edges))?;
    if offset_first {
        return Ok(());
    }
    write_offset(f, &node.modifiers)
}

impl Display for MatrixSelector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_matchers(f, &self.selector)?;
        write!(f, "[{}]", self.range)?;
        f.write_str(edges_suffix(self.selector.edges))?;
        write_at(f, &self.selector.modifiers)?;
        write_offset(f, &self.selector.modifiers)
    }
}

impl Display for Subquery {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.expr, Piece::Times(self))
    }
}

/// What stands behind the expression of a subquery.
pub(super) struct SubqueryTimes<'x>(pub(super) &'x Subquery);

impl Display for SubqueryTimes<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let node = self.0;
        write!(f, "[{}:", node.range)?;
        if let Some(step) = &node.step {
            step.fmt(f)?;
        }
        f.write_str("]")?;
        write_at(f, &node.modifiers)?;
        write_offset(f, &node.modifiers)
    }
}

/// What stands before the brackets of an aggregation.
pub(super) struct AggregateHead<'x>(pub(super) &'x Aggregate);

impl Display for AggregateHead<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.op.as_str())?;
        match &self.0.grouping {
            Grouping::By(labels) if labels.is_empty() => {}
            Grouping::By(labels) => {
                f.write_str(" by (")?;
                write_labels(f, labels)?;
                f.write_str(") ")?;
            }
            Grouping::Without(labels) => {
                f.write_str(" without (")?;
                write_labels(f, labels)?;
                f.write_str(") ")?;
            }
        }
        Ok(())
    }
}

impl Display for Binary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Piece::Chain(self, false).fmt(f)
    }
}

/// What stands between the sides of an operation.
pub(super) struct Operator<'x>(pub(super) &'x Binary);

impl Display for Operator<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.op.as_str())?;
        if self.0.return_bool {
            f.write_str(" bool")?;
        }
        match &self.0.matching {
            Some(matching) => matching.fmt(f),
            None => Ok(()),
        }
    }
}

impl Display for VectorMatching {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let group = match self.cardinality {
            Cardinality::ManyToOne => Some("left"),
            Cardinality::OneToMany => Some("right"),
            Cardinality::OneToOne | Cardinality::ManyToMany => None,
        };
        if self.on || !self.labels.is_empty() || group.is_some() {
            f.write_str(if self.on { " on (" } else { " ignoring (" })?;
            write_labels(f, &self.labels)?;
            f.write_str(")")?;
        }
        if let Some(side) = group {
            write!(f, " group_{side} (")?;
            write_labels(f, &self.include)?;
            f.write_str(")")?;
        }
        match (self.fill_left, self.fill_right) {
            (Some(left), Some(right)) if left == right => {
                write!(f, " fill ({})", format_general(left))
            }
            (left, right) => {
                if let Some(left) = left {
                    write!(f, " fill_left ({})", format_general(left))?;
                }
                if let Some(right) = right {
                    write!(f, " fill_right ({})", format_general(right))?;
                }
                Ok(())
            }
        }
    }
}

impl Display for Duration {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(milliseconds) => {
                f.write_str(if *milliseconds < 0 { "-" } else { "" })?;
                f.write_str(&format_duration_ms(milliseconds.unsigned_abs()))
            }
            Self::Computed(expr) => expr.fmt(f),
        }
    }
}

impl Display for DurationExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Step(_) => f.write_str("step()"),
            Self::Range(_) => f.write_str("range()"),
            Self::Start(_) => f.write_str("start()"),
            Self::End(_) => f.write_str("end()"),
            // A sign without effect is left out, as Prometheus does.
            Self::Unary {
                op: BinaryOp::Add,
                operand,
                ..
            } => operand.fmt(f),
            Self::Unary { op, operand, .. } => write!(f, "{}{operand}", op.as_str()),
            Self::Binary { op, lhs, rhs, .. } => match op {
                DurationOp::Arithmetic(op) => write!(f, "{lhs} {} {rhs}", op.as_str()),
                DurationOp::MinOf => write!(f, "min_of({lhs}, {rhs})"),
                DurationOp::MaxOf => write!(f, "max_of({lhs}, {rhs})"),
            },
            Self::Paren(inner, _) => write!(f, "({inner})"),
        }
    }
}

/// The name and the braces of a selector.
fn write_matchers(f: &mut Formatter<'_>, node: &VectorSelector) -> fmt::Result {
    let name = node.name.as_deref().unwrap_or_default();
    f.write_str(name)?;
    let is_name = |matcher: &Matcher| {
        !name.is_empty()
            && matcher.op == MatchOp::Equal
            && matcher.name == METRIC_NAME
            && matcher.value == name
    };
    let mut matchers: Vec<String> = node
        .matchers
        .iter()
        .filter(|matcher| !is_name(matcher))
        .map(matcher_text)
        .collect();
    if matchers.is_empty() {
        return Ok(());
    }
    matchers.sort_unstable();
    write!(f, "{{{}}}", matchers.join(","))
}

fn matcher_text(matcher: &Matcher) -> String {
    let op = match matcher.op {
        MatchOp::Equal => "=",
        MatchOp::NotEqual => "!=",
        MatchOp::Regex => "=~",
        MatchOp::NotRegex => "!~",
    };
    format!(
        "{}{op}{}",
        label_text(&matcher.name),
        quote_literal(&matcher.value)
    )
}

/// A label name, quoted where it is not a plain one.
fn label_text(name: &str) -> String {
    let is_plain = name.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
        && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
    if is_plain {
        name.to_owned()
    } else {
        quote_literal(name)
    }
}

fn write_labels(f: &mut Formatter<'_>, labels: &[String]) -> fmt::Result {
    for (at, label) in labels.iter().enumerate() {
        f.write_str(if at == 0 { "" } else { ", " })?;
        f.write_str(&label_text(label))?;
    }
    Ok(())
}

fn write_at(f: &mut Formatter<'_>, modifiers: &Modifiers) -> fmt::Result {
    match modifiers.at {
        None => Ok(()),
        Some(At::Timestamp(ms)) => write!(f, " @ {:.3}", ms as f64 / 1000.0),
        Some(At::Start) => f.write_str(" @ start()"),
        Some(At::End) => f.write_str(" @ end()"),
    }
}

fn write_offset(f: &mut Formatter<'_>, modifiers: &Modifiers) -> fmt::Result {
    match &modifiers.offset {
        Duration::Fixed(0) => Ok(()),
        Duration::Computed(expr) => write!(f, " offset {}{expr}", offset_signs(expr)),
        offset => write!(f, " offset {offset}"),
    }
}

/// Whether an offset is one that ends without a look at the operator behind it: a number, a
/// call, a sign before one of them or before brackets.
fn is_offset_operand(expr: &DurationExpr) -> bool {
    let is_operand = |expr: &DurationExpr| match expr {
        DurationExpr::Unary { .. } | DurationExpr::Paren(..) => false,
        DurationExpr::Binary { op, .. } => !matches!(op, DurationOp::Arithmetic(_)),
        _ => true,
    };
    match expr {
        DurationExpr::Unary { op, operand, .. } => {
            let in_brackets = matches!(**operand, DurationExpr::Paren(..));
            is_operand(operand) || (in_brackets && *op == BinaryOp::Sub)
        }
        expr => is_operand(expr),
    }
}

/// The signs without effect that an offset needs for all of it to be read as one: `offset 1m +
/// step()` would end behind the minute, `offset ++1m + step()` does not. Prometheus loses them.
fn offset_signs(expr: &DurationExpr) -> &'static str {
    if is_offset_operand(expr) {
        return "";
    }
    let text = expr.to_string();
    match text.as_bytes() {
        [b'(', ..] | [b'-', b'-', ..] => "",
        [b'-', ..] => "+",
        _ => "++",
    }
}

fn edges_suffix(edges: RangeEdges) -> &'static str {
    match edges {
        RangeEdges::Plain => "",
        RangeEdges::Anchored => " anchored",
        RangeEdges::Smoothed => " smoothed",
    }
}
