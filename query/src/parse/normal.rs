//! Trees without what two texts of the same meaning may differ in, to be compared.

use super::ast::{BinaryOp, Duration, DurationExpr, Expr, Span, VectorSelector};

/// Takes out of a tree what two texts of the same meaning may differ in: places, the order of
/// matchers, and signs of durations without effect.
pub(super) fn normalise(expr: &mut Expr) {
    let nowhere = Span::default();
    // An infinite left side of `^` is printed with a sign, which reads back as one before the
    // whole.
    while let Expr::Unary(node) = expr
        && !node.negative
        && begins_infinite(&node.expr)
    {
        *expr = node.expr.clone();
    }
    match expr {
        Expr::Number(node) => node.span = nowhere,
        Expr::String(node) => node.span = nowhere,
        Expr::Vector(node) => normalise_selector(node),
        Expr::Matrix(node) => {
            node.span = nowhere;
            normalise_duration(&mut node.range);
            normalise_selector(&mut node.selector);
        }
        Expr::Subquery(node) => {
            node.span = nowhere;
            normalise(&mut node.expr);
            normalise_duration(&mut node.range);
            node.step.iter_mut().for_each(normalise_duration);
            normalise_duration(&mut node.modifiers.offset);
        }
        Expr::Call(node) => {
            node.span = nowhere;
            node.args.iter_mut().for_each(normalise);
        }
        Expr::Aggregate(node) => {
            node.span = nowhere;
            normalise(&mut node.expr);
            node.param.iter_mut().for_each(normalise);
        }
        Expr::Binary(node) => {
            (node.span, node.op_span) = (nowhere, nowhere);
            normalise(&mut node.lhs);
            normalise(&mut node.rhs);
        }
        Expr::Unary(node) => {
            node.span = nowhere;
            normalise(&mut node.expr);
        }
        Expr::Paren(node) => {
            node.span = nowhere;
            normalise(&mut node.expr);
        }
    }
}

/// Whether it is a power of infinity, signs left out.
fn begins_infinite(expr: &Expr) -> bool {
    match expr {
        Expr::Binary(node) if node.op == BinaryOp::Pow => match &node.lhs {
            Expr::Number(number) => number.value == f64::INFINITY,
            lhs => begins_infinite(lhs),
        },
        Expr::Unary(node) => !node.negative && begins_infinite(&node.expr),
        _ => false,
    }
}

fn normalise_selector(node: &mut VectorSelector) {
    node.span = Span::default();
    normalise_duration(&mut node.modifiers.offset);
    node.matchers
        .sort_by(|a, b| (&a.name, &a.value).cmp(&(&b.name, &b.value)));
}

fn normalise_duration(duration: &mut Duration) {
    if let Duration::Computed(expr) = duration {
        normalise_duration_expr(expr);
    }
}

fn normalise_duration_expr(expr: &mut DurationExpr) {
    let nowhere = Span::default();
    if let DurationExpr::Unary {
        op: BinaryOp::Add,
        operand,
        ..
    } = expr
    {
        *expr = (**operand).clone();
    }
    match expr {
        DurationExpr::Number(number) => number.span = nowhere,
        DurationExpr::Step(span)
        | DurationExpr::Range(span)
        | DurationExpr::Start(span)
        | DurationExpr::End(span) => *span = nowhere,
        DurationExpr::Unary { operand, span, .. } => {
            *span = nowhere;
            normalise_duration_expr(operand);
        }
        DurationExpr::Binary { lhs, rhs, span, .. } => {
            *span = nowhere;
            normalise_duration_expr(lhs);
            normalise_duration_expr(rhs);
        }
        DurationExpr::Paren(inner, span) => {
            *span = nowhere;
            normalise_duration_expr(inner);
        }
    }
}
