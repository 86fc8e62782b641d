//! Parts of an expression that stand in it more than once, in the same words.
//!
//! Such a part is evaluated once, where the rows it gives would be put together anyway: an
//! aggregation, an operation on two vectors, or what is an operand of one or is asked for by a
//! subquery. What an aggregation takes row by row is not: to keep it would take more memory than
//! to read it again takes time.

use std::collections::HashMap;

use super::lower::without_parens;
use crate::parse::ast::{Expr, Span, ValueType};

/// Longest part that is looked at, in bytes: what is in the same words has to be found by them.
const BYTES_MAX: usize = 4 << 10;

/// A part that stands in an expression several times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Repeated {
    /// Which one.
    pub(crate) id: usize,
    /// How often it is there.
    pub(crate) uses: usize,
    /// Where it stands first.
    pub(crate) first: Span,
}

/// The parts that stand in an expression several times, found by where they stand.
#[derive(Debug, Default)]
pub(super) struct RepeatedParts {
    ids: HashMap<Span, usize>,
    all: Vec<Repeated>,
}

impl RepeatedParts {
    /// Of an expression; spans point into `text`.
    pub(super) fn new(expr: &Expr, text: &str) -> Self {
        let mut finder = Finder {
            text,
            seen: HashMap::new(),
            contexts: HashMap::new(),
            parts: Self::default(),
        };
        finder.visit(expr, 0, false);
        finder.parts
    }

    /// What is known of the part that stands here, if it stands elsewhere too.
    pub(super) fn find(&self, at: Span) -> Option<Repeated> {
        let part = self.all.get(*self.ids.get(&at)?)?;
        (part.uses > 1).then_some(*part)
    }
}

struct Finder<'t> {
    text: &'t str,
    /// Parts by the subqueries around them and their words.
    seen: HashMap<(usize, &'t str), usize>,
    /// Subqueries by those around them and the words behind what they ask for: the same steps.
    contexts: HashMap<(usize, &'t str), usize>,
    parts: RepeatedParts,
}

impl<'t> Finder<'t> {
    fn words(&self, span: Span) -> &'t str {
        let range = span.start as usize..span.end as usize;
        self.text.get(range).unwrap_or("")
    }

    /// Looks at a part; `gathered` is whether its rows are put together whatever it is.
    fn visit(&mut self, expr: &Expr, context: usize, gathered: bool) {
        let expr = without_parens(expr);
        if expr.value_type() == ValueType::Vector
            && (gathered || gives_rows(expr))
            && self.is_known(expr.span(), context)
        {
            return;
        }
        match expr {
            Expr::Number(_) | Expr::String(_) | Expr::Vector(_) | Expr::Matrix(_) => {}
            Expr::Subquery(node) => {
                let behind = Span {
                    start: node.expr.span().end,
                    end: node.span.end,
                };
                let next = self.contexts.len() + 1;
                let key = (context, self.words(behind));
                let context = *self.contexts.entry(key).or_insert(next);
                self.visit(&node.expr, context, true);
            }
            Expr::Call(node) => {
                for argument in &node.args {
                    self.visit(argument, context, false);
                }
            }
            Expr::Aggregate(node) => {
                self.visit(&node.expr, context, false);
                if let Some(parameter) = &node.param {
                    self.visit(parameter, context, false);
                }
            }
            Expr::Binary(node) => {
                let (chain, first) = node.chain();
                let innermost = chain.last().is_some_and(|node| node.matching.is_some());
                self.visit(first, context, innermost);
                for operation in chain.into_iter().rev() {
                    self.visit(&operation.rhs, context, operation.matching.is_some());
                }
            }
            Expr::Unary(node) => self.visit(&node.expr, context, false),
            Expr::Paren(_) => {}
        }
    }

    /// Counts a part; whether it was there before.
    fn is_known(&mut self, span: Span, context: usize) -> bool {
        let words = self.words(span);
        if words.is_empty() || words.len() > BYTES_MAX {
            return false;
        }
        let next = self.parts.all.len();
        let id = *self.seen.entry((context, words)).or_insert(next);
        self.parts.ids.insert(span, id);
        match self.parts.all.get_mut(id) {
            Some(known) => {
                known.uses += 1;
                true
            }
            None => {
                let uses = 1;
                let first = span;
                self.parts.all.push(Repeated { id, uses, first });
                false
            }
        }
    }
}

/// Whether the rows of a part are put together by itself.
fn gives_rows(expr: &Expr) -> bool {
    match expr {
        Expr::Aggregate(_) => true,
        Expr::Binary(node) => node.matching.is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Options, parse};

    fn repeated(text: &str) -> Vec<(&str, usize)> {
        let expr = parse(text, &Options::ALL).unwrap();
        let parts = RepeatedParts::new(&expr, text);
        let found = parts.all.iter().filter(|part| part.uses > 1);
        found
            .map(|part| {
                let Span { start, end } = part.first;
                (&text[start as usize..end as usize], part.uses)
            })
            .collect()
    }

    #[test]
    fn what_is_put_together_anyway_is_found() {
        for (text, expected) in [
            ("a / (a + b)", vec![("a", 2)]),
            ("sum(a) / sum(b) + sum(a)", vec![("sum(a)", 2)]),
            // The whole repeats, and so what is in it is there once.
            (
                "sum(a + b) * sum(a + b) + b",
                vec![("sum(a + b)", 2), ("b", 2)],
            ),
            (
                "max_over_time(rate(a[5m])[1h:]) - min_over_time(rate(a[5m])[1h:])",
                vec![("rate(a[5m])", 2)],
            ),
            // Other steps.
            (
                "max_over_time(sum(a)[1h:]) - min_over_time(sum(a)[2h:])",
                vec![],
            ),
            ("sum(a) - max_over_time(sum(a)[2h:])", vec![]),
            // Each is read row by row.
            ("avg(a) + 2 * stddev(a)", vec![]),
            ("1 + 1 + 1", vec![]),
            ("scalar(sum(a)) + sum(a)", vec![("sum(a)", 2)]),
        ] {
            assert_eq!(repeated(text), expected, "{text}");
        }
    }
}
