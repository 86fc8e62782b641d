//! The rules that syntax cannot express: types, numbers of arguments, matchers.
//!
//! Recursive but for operators in a row: a tree is at most [`super::DEPTH_MAX`] deep beside
//! them. What is not itself recursive is kept in functions that are not inlined, so that the
//! strings of messages take no stack on each level.

use std::collections::HashSet;

use super::ast::{
    Aggregate, AggregateOp, Binary, Call, Cardinality, Expr, Span, ValueType, VectorMatching,
    VectorSelector,
};
use super::parser::Parser;
use super::pattern;
use super::selector::METRIC_NAME;
use super::strings::quote;
use crate::source::{MatchOp, Matcher};

/// Reports everything that is wrong with a tree, and drops the vector matching where a side is
/// a scalar. Returns the type of its value.
pub(super) fn check(parser: &mut Parser<'_>, expr: &mut Expr) -> ValueType {
    if parser.has_enough_errors() {
        return expr.value_type();
    }
    match expr {
        Expr::Number(_) => ValueType::Scalar,
        Expr::String(_) => ValueType::String,
        Expr::Vector(node) => {
            check_selector(parser, node, true);
            ValueType::Vector
        }
        Expr::Matrix(node) => {
            check_selector(parser, &node.selector, true);
            ValueType::Matrix
        }
        Expr::Subquery(node) => {
            let inner = check(parser, &mut node.expr);
            if inner != ValueType::Vector {
                report_subquery(parser, node.span, inner);
            }
            ValueType::Matrix
        }
        Expr::Call(node) => {
            check_call(parser, node);
            node.function.returns
        }
        Expr::Aggregate(node) => {
            check_aggregate(parser, node);
            ValueType::Vector
        }
        Expr::Binary(node) => check_binary(parser, node),
        Expr::Unary(node) => {
            let inner = check(parser, &mut node.expr);
            if !matches!(inner, ValueType::Scalar | ValueType::Vector) {
                report_unary(parser, node.span, inner);
            }
            inner
        }
        Expr::Paren(node) => check(parser, &mut node.expr),
    }
}

#[inline(never)]
fn report_subquery(parser: &mut Parser<'_>, span: Span, inner: ValueType) {
    let inner = type_name(inner);
    parser.report(
        span,
        format!("subquery is only allowed on instant vector, got {inner} instead"),
    );
}

#[inline(never)]
fn report_unary(parser: &mut Parser<'_>, span: Span, inner: ValueType) {
    let inner = quote(documented_name(inner));
    parser.report(
        span,
        format!(
            "unary expression only allowed on expressions of type scalar or instant vector, got \
             {inner}"
        ),
    );
}

fn check_type(parser: &mut Parser<'_>, expr: &mut Expr, want: ValueType, context: &str) {
    let found = check(parser, expr);
    report_type(parser, expr.span(), want, context, found);
}

#[inline(never)]
fn report_type(
    parser: &mut Parser<'_>,
    span: Span,
    want: ValueType,
    context: &str,
    found: ValueType,
) {
    if found != want {
        let (want, found) = (documented_name(want), documented_name(found));
        parser.report(
            span,
            format!("expected type {want} in {context}, got {found}"),
        );
    }
}

#[inline(never)]
fn check_selector(parser: &mut Parser<'_>, node: &VectorSelector, needs_matcher: bool) {
    if let Some(name) = &node.name {
        // The last matcher is that of the name before the braces.
        let inside = node.matchers.split_last().map_or(&[][..], |(_, rest)| rest);
        for matcher in inside.iter().filter(|it| it.name == METRIC_NAME) {
            if parser.has_enough_errors() {
                return;
            }
            let (name, value) = (quote(name), quote(&matcher.value));
            parser.report(
                node.span,
                format!("metric name must not be set twice: {name} or {value}"),
            );
        }
    } else if needs_matcher && node.matchers.iter().all(matches_empty) {
        parser.report(
            node.span,
            "vector selector must contain at least one non-empty matcher",
        );
    }
}

/// Whether a series without the label passes.
fn matches_empty(matcher: &Matcher) -> bool {
    match matcher.op {
        MatchOp::Equal => matcher.value.is_empty(),
        MatchOp::NotEqual => !matcher.value.is_empty(),
        MatchOp::Regex => pattern::matches_empty(&matcher.value),
        MatchOp::NotRegex => !pattern::matches_empty(&matcher.value),
    }
}

fn check_aggregate(parser: &mut Parser<'_>, node: &mut Aggregate) {
    check_type(
        parser,
        &mut node.expr,
        ValueType::Vector,
        "aggregation expression",
    );
    let want = match node.op {
        AggregateOp::CountValues => ValueType::String,
        _ => ValueType::Scalar,
    };
    if let Some(param) = &mut node.param {
        check_type(parser, param, want, "aggregation parameter");
    }
}

#[inline(never)]
fn check_call(parser: &mut Parser<'_>, node: &mut Call) {
    check_arguments(parser, node);
    let types = node.function.args;
    let is_info = node.function.name == "info";
    let is_variadic = node.function.variadic != 0;
    for (at, arg) in node.args.iter_mut().enumerate() {
        let last = if is_variadic { types.last() } else { None };
        let Some(&want) = types.get(at).or(last) else {
            return;
        };
        let found = match arg {
            // Label matchers for `info` may match everything.
            Expr::Vector(selector) if is_info && at == 1 => {
                check_selector(parser, selector, false);
                ValueType::Vector
            }
            _ => check(parser, arg),
        };
        if found != want {
            report_argument(parser, arg.span(), want, node.function.name, found);
        }
    }
}

#[inline(never)]
fn report_argument(
    parser: &mut Parser<'_>,
    span: Span,
    want: ValueType,
    function: &str,
    found: ValueType,
) {
    let context = format!("call to function {}", quote(function));
    report_type(parser, span, want, &context, found);
}

/// Whether there are as many arguments as there have to be, and the labels of `info` are labels.
#[inline(never)]
fn check_arguments(parser: &mut Parser<'_>, node: &Call) {
    let name = || quote(node.function.name);
    let types = node.function.args;
    let (wanted, found) = (types.len(), node.args.len());
    let fewest = wanted.saturating_sub(1);
    let mut report = |message: String| parser.report(node.span, message);
    match usize::try_from(node.function.variadic) {
        Ok(0) if wanted != found => report(format!(
            "expected {wanted} argument(s) in call to {}, got {found}",
            name()
        )),
        Ok(0) => {}
        _ if found < fewest => report(format!(
            "expected at least {fewest} argument(s) in call to {}, got {found}",
            name()
        )),
        Ok(more) if found > fewest + more => report(format!(
            "expected at most {} argument(s) in call to {}, got {found}",
            fewest + more,
            name()
        )),
        _ => {}
    }
    if node.function.name == "info"
        && let Some(second) = node.args.get(1)
    {
        check_info_selector(parser, node.span, second);
    }
}

/// The second argument of `info` is a selector without a metric name.
fn check_info_selector(parser: &mut Parser<'_>, call: Span, arg: &Expr) {
    let context = "call to function \"info\"";
    report_type(parser, call, ValueType::Vector, context, arg.value_type());
    match arg {
        Expr::Vector(selector) if selector.name.is_none() => {}
        Expr::Vector(_) => parser.report(
            arg.span(),
            "expected label selectors only, got vector selector instead",
        ),
        _ => parser.report(arg.span(), "expected label selectors only"),
    }
}

/// Checks operations in a row from the first one on.
#[inline(never)]
fn check_binary(parser: &mut Parser<'_>, node: &mut Binary) -> ValueType {
    let (mut lhs, mut chain) = node.take_left();
    let mut found = check(parser, &mut lhs);
    while let Some(mut operation) = chain.pop() {
        operation.give_back(lhs);
        let rhs = check(parser, &mut operation.rhs);
        found = check_operation(parser, &mut operation, found, rhs);
        lhs = Expr::Binary(operation);
    }
    node.give_back(lhs);
    let rhs = check(parser, &mut node.rhs);
    check_operation(parser, node, found, rhs)
}

/// Checks an operation whose sides are checked.
#[inline(never)]
fn check_operation(
    parser: &mut Parser<'_>,
    node: &mut Binary,
    lhs: ValueType,
    rhs: ValueType,
) -> ValueType {
    let scalars = lhs == ValueType::Scalar && rhs == ValueType::Scalar;
    let op_span = operator_span(parser.text(), node);
    if node.return_bool && !node.op.is_comparison() {
        parser.report(
            op_span,
            "bool modifier can only be used on comparison operators",
        );
    }
    if node.op.is_comparison() && !node.return_bool && scalars {
        parser.report(
            op_span,
            "comparisons between scalars must use BOOL modifier",
        );
    }
    if let Some(matching) = &mut node.matching {
        if node.op.is_set() && matching.cardinality == Cardinality::OneToOne {
            matching.cardinality = Cardinality::ManyToMany;
        }
        check_labels(parser, matching, op_span);
    }
    for (found, side) in [(lhs, &node.lhs), (rhs, &node.rhs)] {
        if !matches!(found, ValueType::Scalar | ValueType::Vector) {
            parser.report(
                side.span(),
                "binary expression must contain only scalar and instant vector types",
            );
        }
    }
    check_matching(
        parser,
        node,
        lhs == ValueType::Vector && rhs == ValueType::Vector,
    );
    if node.op.is_set() && (lhs == ValueType::Scalar || rhs == ValueType::Scalar) {
        let op = quote(node.op.as_str());
        parser.report(
            node.span,
            format!("set operator {op} not allowed in binary scalar expression"),
        );
    }
    if scalars {
        ValueType::Scalar
    } else {
        ValueType::Vector
    }
}

fn check_labels(parser: &mut Parser<'_>, matching: &VectorMatching, op_span: Span) {
    if !matching.on || matching.include.is_empty() {
        return;
    }
    let include: HashSet<&str> = matching.include.iter().map(String::as_str).collect();
    for label in &matching.labels {
        if parser.has_enough_errors() {
            return;
        }
        if include.contains(label.as_str()) {
            let label = quote(label);
            parser.report(
                op_span,
                format!("label {label} must not occur in ON and GROUP clause at once"),
            );
        }
    }
}

fn check_matching(parser: &mut Parser<'_>, node: &mut Binary, vectors: bool) {
    let Some(matching) = &node.matching else {
        return;
    };
    let fills = matching.fill_left.is_some() || matching.fill_right.is_some();
    if !vectors {
        if !matching.labels.is_empty() {
            parser.report(
                node.span,
                "vector matching only allowed between instant vectors",
            );
        }
        if fills {
            parser.report(
                node.span,
                "filling in missing series only allowed between instant vectors",
            );
        }
        node.matching = None;
    } else if node.op.is_set() {
        if matching.cardinality != Cardinality::ManyToMany {
            let op = quote(node.op.as_str());
            parser.report(node.span, format!("no grouping allowed for {op} operation"));
            parser.report(node.span, "set operations must always be many-to-many");
        }
        if fills {
            parser.report(
                node.span,
                "filling in missing series not allowed for set operators",
            );
        }
    }
}

/// The operator and its modifiers, as Prometheus places errors about them: from behind the left
/// side to the last byte before the right one that is no space.
fn operator_span(text: &str, node: &Binary) -> Span {
    let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let (start, end) = (node.lhs.span().end, node.rhs.span().start);
    let between = text
        .as_bytes()
        .get(start as usize..end as usize)
        .unwrap_or_default();
    let before = between.iter().take_while(is_space).count() as u32;
    let behind = between.iter().rev().take_while(is_space).count() as u32;
    Span {
        start: start + before,
        end: (end.saturating_sub(1 + behind)).max(start + before),
    }
}

/// Prometheus's own name of a type.
fn type_name(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::Scalar => "scalar",
        ValueType::String => "string",
        ValueType::Vector => "vector",
        ValueType::Matrix => "matrix",
    }
}

/// The name of a type in the documentation.
fn documented_name(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::Vector => "instant vector",
        ValueType::Matrix => "range vector",
        other => type_name(other),
    }
}
