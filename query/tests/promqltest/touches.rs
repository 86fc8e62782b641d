//! Whether a query reads series that are not there as the script has them.

use regex::Regex;
use silverback_query::Labels;
use silverback_query::parse::ast::Expr;
use silverback_query::parse::{Options, parse};
use silverback_query::source::{MatchOp, Matcher};

/// Whether a selector of the query takes one of these series; for a query that does not parse,
/// and where `info` reads series that no selector names, whether there are any.
pub(crate) fn touches(query: &str, series: &[Labels]) -> bool {
    match parse(query, &Options::ALL) {
        Ok(expr) if !query.contains("info(") => selects(&expr, series),
        _ => !series.is_empty(),
    }
}

fn selects(expr: &Expr, series: &[Labels]) -> bool {
    let within = |part: &Expr| selects(part, series);
    let takes = |matchers: &[Matcher]| {
        let mut series = series.iter();
        series.any(|labels| matchers.iter().all(|matcher| holds(matcher, labels)))
    };
    match expr {
        Expr::Number(_) | Expr::String(_) => false,
        Expr::Vector(node) => takes(&node.matchers),
        Expr::Matrix(node) => takes(&node.selector.matchers),
        Expr::Subquery(node) => within(&node.expr),
        Expr::Call(node) => node.args.iter().any(within),
        Expr::Aggregate(node) => within(&node.expr) || node.param.as_ref().is_some_and(within),
        Expr::Binary(node) => within(&node.lhs) || within(&node.rhs),
        Expr::Unary(node) => within(&node.expr),
        Expr::Paren(node) => within(&node.expr),
    }
}

fn holds(matcher: &Matcher, labels: &Labels) -> bool {
    let value = labels.get(&matcher.name);
    let matches = || {
        let regex = Regex::new(&format!("^(?s:{})$", matcher.value));
        // What cannot be read here is taken to match.
        regex.map_or(true, |regex| regex.is_match(value))
    };
    match matcher.op {
        MatchOp::Equal => value == matcher.value,
        MatchOp::NotEqual => value != matcher.value,
        MatchOp::Regex => matches(),
        MatchOp::NotRegex => !matches(),
    }
}
