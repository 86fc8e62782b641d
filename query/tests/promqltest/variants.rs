//! Other ways to ask the same: each selector fixed to the time of evaluation with `@`, asked at
//! other times. What depends on nothing but its selectors gives the same answer then.

use silverback_query::parse::ast::{At, Expr};
use silverback_query::parse::{Options, parse};

/// Functions that look at the time of evaluation, or at the query's own range.
const TIMELY: [&str; 16] = [
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "end",
    "hour",
    "minute",
    "month",
    "predict_linear",
    "range",
    "start",
    "start_timestamp",
    "step",
    "time",
    "timestamp",
    "year",
];

/// The query with its selectors fixed, and the times to ask it at, in milliseconds. None where
/// it does not parse or has a function that looks at the time.
pub(crate) fn fixed(query: &str, time_ms: i64) -> Option<(String, Vec<i64>)> {
    let mut expr = parse(query, &Options::ALL).ok()?;
    if !fix(&mut expr, time_ms) {
        return None;
    }
    let times_ms = match time_ms {
        0 => vec![-1000, 0, 1000],
        _ => vec![-10 * time_ms, 0, time_ms / 5, time_ms, 10 * time_ms],
    };
    Some((expr.to_string(), times_ms))
}

/// Sets `@` where there is none; what stands inside of a subquery that has one stays. Whether
/// no function looks at the time.
fn fix(expr: &mut Expr, time_ms: i64) -> bool {
    let set = |at: &mut Option<At>| {
        if !matches!(at, Some(At::Timestamp(_))) {
            *at = Some(At::Timestamp(time_ms));
        }
    };
    match expr {
        Expr::Number(_) | Expr::String(_) => true,
        Expr::Vector(node) => {
            set(&mut node.modifiers.at);
            true
        }
        Expr::Matrix(node) => {
            set(&mut node.selector.modifiers.at);
            true
        }
        Expr::Subquery(node) => {
            set(&mut node.modifiers.at);
            is_timeless(&node.expr)
        }
        Expr::Call(node) => {
            // Each is visited: what one part is must not leave another as it was.
            let parts = node.args.iter_mut().map(|part| fix(part, time_ms));
            parts.fold(!TIMELY.contains(&node.function.name), |all, one| all & one)
        }
        Expr::Aggregate(node) => {
            let parameter = node.param.as_mut().is_none_or(|it| fix(it, time_ms));
            fix(&mut node.expr, time_ms) & parameter
        }
        Expr::Binary(node) => fix(&mut node.lhs, time_ms) & fix(&mut node.rhs, time_ms),
        Expr::Unary(node) => fix(&mut node.expr, time_ms),
        Expr::Paren(node) => fix(&mut node.expr, time_ms),
    }
}

fn is_timeless(expr: &Expr) -> bool {
    // On a copy: nothing inside is changed.
    fix(&mut expr.clone(), 0)
}
