//! The tree of an expression as JSON (Prometheus `web/api/v1/translate_ast.go`): objects with
//! their fields in the order of their names, as Go writes maps.
//!
//! No recursion but for durations, whose size the parser bounds: what is left to write of a tree
//! waits on a stack of its own, however deep the tree is.

use silverback_query::parse::ast::{
    Aggregate, At, Binary, BinaryOp, Call, Cardinality, Duration, DurationExpr, DurationOp, Expr,
    Grouping, Modifiers, NumberLiteral, RangeEdges, Subquery, Unary, ValueType, VectorMatching,
    VectorSelector,
};
use silverback_query::source::{MatchOp, Matcher};

use super::json;

/// A part of a tree that waits to be written.
enum Piece<'x> {
    Expr(&'x Expr),
    Text(&'static str),
    /// What stands behind the expression of a subquery, between that of an aggregation and its
    /// parameter, and so on.
    Subquery(&'x Subquery),
    Function(&'x Call),
    Grouping(&'x Aggregate),
    Without(&'x Aggregate),
    Operator(&'x Binary),
    Sign(&'x Unary),
}

/// Writes an expression.
pub(super) fn expression(out: &mut Vec<u8>, expr: &Expr) {
    let mut left = vec![Piece::Expr(expr)];
    while let Some(piece) = left.pop() {
        match piece {
            Piece::Expr(expr) => begin(out, expr, &mut left),
            Piece::Text(words) => text(out, words),
            Piece::Subquery(node) => {
                modifiers(out, &node.modifiers);
                duration(out, "range", Some(&node.range));
                start_or_end(out, &node.modifiers);
                duration(out, "step", node.step.as_ref());
                timestamp(out, &node.modifiers);
                text(out, r#","type":"subquery"}"#);
            }
            Piece::Function(node) => function(out, node),
            Piece::Grouping(node) => grouping(out, node),
            Piece::Without(node) => {
                let without = matches!(node.grouping, Grouping::Without(_));
                boolean(out, r#","type":"aggregation","without":"#, without);
                text(out, "}");
            }
            Piece::Operator(node) => operator(out, node),
            Piece::Sign(node) => {
                let op = if node.negative { "-" } else { "+" };
                text(out, &format!(r#","op":"{op}","type":"unaryExpr"}}"#));
            }
        }
    }
}

/// Writes what an expression begins with and leaves the rest, the last piece first.
fn begin<'x>(out: &mut Vec<u8>, expr: &'x Expr, left: &mut Vec<Piece<'x>>) {
    match expr {
        Expr::Number(node) => {
            text(out, r#"{"type":"numberLiteral","val":"#);
            json::plain_float(out, node.value);
            text(out, "}");
        }
        Expr::String(node) => {
            text(out, r#"{"type":"stringLiteral","val":"#);
            match &node.broken {
                Some(bytes) => json::broken_string(out, bytes),
                None => json::html_string(out, &node.value),
            }
            text(out, "}");
        }
        Expr::Vector(node) => {
            selector_head(out, node);
            modifiers(out, &node.modifiers);
            selector_tail(out, node.edges, &node.modifiers, "vectorSelector");
        }
        Expr::Matrix(node) => {
            let selector = &node.selector;
            selector_head(out, selector);
            modifiers(out, &selector.modifiers);
            duration(out, "range", Some(&node.range));
            selector_tail(out, selector.edges, &selector.modifiers, "matrixSelector");
        }
        Expr::Subquery(node) => {
            text(out, r#"{"expr":"#);
            left.extend([Piece::Subquery(node), Piece::Expr(&node.expr)]);
        }
        Expr::Call(node) => {
            text(out, r#"{"args":["#);
            left.push(Piece::Function(node));
            for (at, argument) in node.args.iter().enumerate().rev() {
                left.push(Piece::Expr(argument));
                left.push(Piece::Text(if at == 0 { "" } else { "," }));
            }
        }
        Expr::Aggregate(node) => {
            text(out, r#"{"expr":"#);
            left.push(Piece::Without(node));
            left.push(node.param.as_ref().map_or(Piece::Text("null"), Piece::Expr));
            left.extend([Piece::Grouping(node), Piece::Expr(&node.expr)]);
        }
        Expr::Binary(node) => operations(out, node, left),
        Expr::Unary(node) => {
            text(out, r#"{"expr":"#);
            left.extend([Piece::Sign(node), Piece::Expr(&node.expr)]);
        }
        Expr::Paren(node) => {
            text(out, r#"{"expr":"#);
            left.push(Piece::Text(r#","type":"parenExpr"}"#));
            left.push(Piece::Expr(&node.expr));
        }
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// Writes a name of an operator or the like, which may hold `<` and `>`.
fn name(out: &mut Vec<u8>, field: &str, name: &str) {
    text(out, field);
    json::html_string(out, name);
}

fn boolean(out: &mut Vec<u8>, field: &str, value: bool) {
    text(out, field);
    text(out, if value { "true" } else { "false" });
}

/// Operators in a row: what stands before each left side, then the first operand, then what
/// stands behind each.
fn operations<'x>(out: &mut Vec<u8>, node: &'x Binary, left: &mut Vec<Piece<'x>>) {
    let (chain, first) = node.chain();
    for operation in chain {
        boolean(out, r#"{"bool":"#, operation.return_bool);
        text(out, r#","lhs":"#);
        left.push(Piece::Text(r#","type":"binaryExpr"}"#));
        left.extend([Piece::Expr(&operation.rhs), Piece::Operator(operation)]);
    }
    left.push(Piece::Expr(first));
}

/// What stands between the sides of an operation.
fn operator(out: &mut Vec<u8>, node: &Binary) {
    text(out, r#","matching":"#);
    match &node.matching {
        Some(matching) => vector_matching(out, matching),
        None => text(out, "null"),
    }
    name(out, r#","op":"#, node.op.as_str());
    text(out, r#","rhs":"#);
}

fn vector_matching(out: &mut Vec<u8>, matching: &VectorMatching) {
    let cardinality = match matching.cardinality {
        Cardinality::OneToOne => "one-to-one",
        Cardinality::ManyToOne => "many-to-one",
        Cardinality::OneToMany => "one-to-many",
        Cardinality::ManyToMany => "many-to-many",
    };
    name(out, r#"{"card":"#, cardinality);
    text(out, r#","fillValues":{"lhs":"#);
    optional_number(out, matching.fill_left);
    text(out, r#","rhs":"#);
    optional_number(out, matching.fill_right);
    text(out, r#"},"include":"#);
    json::html_strings(out, &matching.include);
    text(out, r#","labels":"#);
    json::html_strings(out, &matching.labels);
    boolean(out, r#","on":"#, matching.on);
    text(out, "}");
}

/// Writes a number that JSON has; there is none for NaN and infinities.
fn optional_number(out: &mut Vec<u8>, value: Option<f64>) {
    let Some(value) = value.filter(|value| value.is_finite()) else {
        return text(out, "null");
    };
    let mut quoted = Vec::new();
    json::float(&mut quoted, value);
    out.extend(quoted.into_iter().filter(|&byte| byte != b'"'));
}

/// What stands between the expression of an aggregation and its parameter.
fn grouping(out: &mut Vec<u8>, node: &Aggregate) {
    let (Grouping::By(labels) | Grouping::Without(labels)) = &node.grouping;
    text(out, r#","grouping":"#);
    json::html_strings(out, labels);
    name(out, r#","op":"#, node.op.as_str());
    text(out, r#","param":"#);
}

/// What stands behind the arguments of a call.
fn function(out: &mut Vec<u8>, node: &Call) {
    let function = node.function;
    text(out, r#"],"func":{"argTypes":["#);
    for (at, wanted) in function.args.iter().enumerate() {
        name(out, if at == 0 { "" } else { "," }, type_name(*wanted));
    }
    name(out, r#"],"name":"#, function.name);
    name(out, r#","returnType":"#, type_name(function.returns));
    let variadic = function.variadic;
    text(out, &format!(r#","variadic":{variadic}}},"type":"call"}}"#));
}

fn type_name(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::Scalar => "scalar",
        ValueType::String => "string",
        ValueType::Vector => "vector",
        ValueType::Matrix => "matrix",
    }
}

/// What a selector begins with.
fn selector_head(out: &mut Vec<u8>, node: &VectorSelector) {
    boolean(out, r#"{"anchored":"#, node.edges == RangeEdges::Anchored);
    text(out, r#","matchers":["#);
    for (at, matcher) in node.matchers.iter().enumerate() {
        text(out, if at == 0 { "" } else { "," });
        one_matcher(out, matcher);
    }
    let metric = node.name.as_deref().unwrap_or_default();
    name(out, r#"],"name":"#, metric);
}

fn one_matcher(out: &mut Vec<u8>, matcher: &Matcher) {
    let op = match matcher.op {
        MatchOp::Equal => "=",
        MatchOp::NotEqual => "!=",
        MatchOp::Regex => "=~",
        MatchOp::NotRegex => "!~",
    };
    name(out, r#"{"name":"#, &matcher.name);
    name(out, r#","type":"#, op);
    name(out, r#","value":"#, &matcher.value);
    text(out, "}");
}

/// What a selector ends with.
fn selector_tail(out: &mut Vec<u8>, edges: RangeEdges, node: &Modifiers, kind: &str) {
    boolean(out, r#","smoothed":"#, edges == RangeEdges::Smoothed);
    start_or_end(out, node);
    timestamp(out, node);
    name(out, r#","type":"#, kind);
    text(out, "}");
}

fn modifiers(out: &mut Vec<u8>, node: &Modifiers) {
    duration(out, "offset", Some(&node.offset));
}

fn start_or_end(out: &mut Vec<u8>, node: &Modifiers) {
    text(out, r#","startOrEnd":"#);
    text(
        out,
        match node.at {
            Some(At::Start) => r#""start""#,
            Some(At::End) => r#""end""#,
            Some(At::Timestamp(_)) | None => "null",
        },
    );
}

fn timestamp(out: &mut Vec<u8>, node: &Modifiers) {
    text(out, r#","timestamp":"#);
    match node.at {
        Some(At::Timestamp(time_ms)) => text(out, &time_ms.to_string()),
        Some(At::Start | At::End) | None => text(out, "null"),
    }
}

/// Writes a duration in milliseconds, 0 where it has to be computed or is left out, and how it
/// is computed.
fn duration(out: &mut Vec<u8>, field: &str, duration: Option<&Duration>) {
    let (ms, expr) = match duration {
        Some(Duration::Fixed(ms)) => (*ms, None),
        Some(Duration::Computed(expr)) => (0, Some(expr)),
        None => (0, None),
    };
    text(out, &format!(r#","{field}":{ms},"{field}Expr":"#));
    match expr {
        Some(expr) => duration_expression(out, expr),
        None => text(out, "null"),
    }
}

fn duration_expression(out: &mut Vec<u8>, expr: &DurationExpr) {
    let (expr, wrapped) = match expr {
        // Brackets need an operator to hold them.
        DurationExpr::Paren(inner, _) => match &**inner {
            DurationExpr::Number(number) => {
                return operation(
                    out,
                    None,
                    "+",
                    Some(&DurationExpr::Number(number.clone())),
                    true,
                );
            }
            inner => (inner, true),
        },
        expr => (expr, false),
    };
    match expr {
        DurationExpr::Number(number) => duration_number(out, number),
        DurationExpr::Step(_) => operation(out, None, "step", None, wrapped),
        DurationExpr::Range(_) => operation(out, None, "range", None, wrapped),
        DurationExpr::Start(_) => operation(out, None, "start", None, wrapped),
        DurationExpr::End(_) => operation(out, None, "end", None, wrapped),
        DurationExpr::Unary { op, operand, .. } => {
            operation(out, None, op.as_str(), Some(operand), wrapped);
        }
        DurationExpr::Binary { op, lhs, rhs, .. } => {
            operation(out, Some(lhs), duration_op(*op), Some(rhs), wrapped);
        }
        // One pair of brackets is kept.
        DurationExpr::Paren(inner, _) => duration_expression(out, inner),
    }
}

fn duration_op(op: DurationOp) -> &'static str {
    match op {
        DurationOp::Arithmetic(op) => BinaryOp::as_str(op),
        DurationOp::MinOf => "min_of",
        DurationOp::MaxOf => "max_of",
    }
}

fn operation(
    out: &mut Vec<u8>,
    lhs: Option<&DurationExpr>,
    op: &str,
    rhs: Option<&DurationExpr>,
    wrapped: bool,
) {
    let side = |out: &mut Vec<u8>, side: Option<&DurationExpr>| match side {
        Some(expr) => duration_expression(out, expr),
        None => text(out, "null"),
    };
    text(out, r#"{"lhs":"#);
    side(out, lhs);
    name(out, r#","op":"#, op);
    text(out, r#","rhs":"#);
    side(out, rhs);
    boolean(out, r#","type":"durationExpr","wrapped":"#, wrapped);
    text(out, "}");
}

fn duration_number(out: &mut Vec<u8>, number: &NumberLiteral) {
    boolean(out, r#"{"duration":"#, number.is_duration);
    text(out, r#","type":"numberLiteral","val":"#);
    json::plain_float(out, number.value);
    text(out, "}");
}

#[cfg(test)]
mod tests;
