//! `info` in the plan: which info series count, and when.

use super::lower::Lowering;
use super::{InfoCall, VectorNode, When};
use crate::Error;
use crate::parse::ast::{Call, Expr, Modifiers};

/// A part of the tree and the modifiers of the subqueries around it, the innermost last.
type Reached<'x> = (&'x Expr, Vec<&'x Modifiers>);

impl Lowering<'_> {
    pub(super) fn info_call(&self, call: &Call, child: VectorNode) -> Result<InfoCall, Error> {
        let matchers = match call.args.get(1) {
            Some(Expr::Vector(labels)) => labels.matchers.clone(),
            _ => Vec::new(),
        };
        Ok(InfoCall {
            child,
            matchers,
            when: match call.args.first() {
                Some(expr) => self.reference_time(expr)?,
                None => When::NOW,
            },
        })
    }

    /// The moment that the first selector of an expression looks at, and with it `info`: the
    /// innermost `@` around it, and the offsets up to there (Prometheus
    /// `infoSelectTimestampAndOffset`).
    fn reference_time(&self, expr: &Expr) -> Result<When, Error> {
        let Some((selector, around)) = first_selector(expr) else {
            return Ok(When::NOW);
        };
        let mut when = self.when(selector)?;
        for modifiers in around.into_iter().rev() {
            if when.at_ms.is_some() {
                break;
            }
            let outer = self.when(modifiers)?;
            when.at_ms = outer.at_ms;
            when.offset_ms = when.offset_ms.saturating_add(outer.offset_ms);
        }
        Ok(when)
    }
}

/// The modifiers of the first selector, and of the subqueries around it.
fn first_selector(expr: &Expr) -> Option<(&Modifiers, Vec<&Modifiers>)> {
    let mut left: Vec<Reached<'_>> = vec![(expr, Vec::new())];
    while let Some((expr, around)) = left.pop() {
        match expr {
            Expr::Vector(selector) => return Some((&selector.modifiers, around)),
            Expr::Matrix(matrix) => return Some((&matrix.selector.modifiers, around)),
            Expr::Number(_) | Expr::String(_) => {}
            Expr::Subquery(node) => {
                let mut around = around;
                around.push(&node.modifiers);
                left.push((&node.expr, around));
            }
            Expr::Call(node) => {
                let args = node.args.iter().rev();
                left.extend(args.map(|argument| (argument, around.clone())));
            }
            Expr::Aggregate(node) => {
                let parameter = node.param.iter();
                left.extend(parameter.map(|parameter| (parameter, around.clone())));
                left.push((&node.expr, around));
            }
            Expr::Binary(node) => {
                left.push((&node.rhs, around.clone()));
                left.push((&node.lhs, around));
            }
            Expr::Unary(node) => left.push((&node.expr, around)),
            Expr::Paren(node) => left.push((&node.expr, around)),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::QueryTimes;
    use super::super::shared::RepeatedParts;
    use super::*;
    use crate::parse::{Options, parse};

    fn reference_time(text: &str) -> (i64, Option<i64>) {
        let expr = parse(text, &Options::ALL).unwrap();
        let times = QueryTimes {
            start_ms: 0,
            end_ms: 100_000,
            step_ms: 1000,
            subquery_step_ms: 1000,
        };
        let repeated = RepeatedParts::default();
        let lowering = Lowering {
            text,
            times,
            repeated,
        };
        let when = lowering.reference_time(&expr).unwrap();
        (when.offset_ms, when.at_ms)
    }

    #[test]
    fn the_first_selector_says_when() {
        for (text, expected) in [
            ("vector(1)", (0, None)),
            ("a offset 3s", (3000, None)),
            (
                "1 + rate(a[5m] @ end() offset 3s) + b @ 7",
                (3000, Some(100_000)),
            ),
            ("sum(topk(scalar(b @ 9), a offset 2s))", (2000, None)),
            ("max_over_time(a[5m:] offset 1s) + b", (1000, None)),
        ] {
            assert_eq!(reference_time(text), expected, "{text}");
        }
    }

    #[test]
    fn offsets_add_up_to_the_innermost_at() {
        let inner = "max_over_time((a offset 1s)[5m:] @ 50 offset 2s)";
        assert_eq!(reference_time(inner), (3000, Some(50_000)));
        let outer = format!("max_over_time(({inner})[5m:] @ 60 offset 4s)");
        assert_eq!(reference_time(&outer), (3000, Some(50_000)));
        let at_selector = "max_over_time((a @ 40 offset 1s)[5m:] @ 50 offset 2s)";
        assert_eq!(reference_time(at_selector), (1000, Some(40_000)));
    }
}
