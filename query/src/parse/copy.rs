//! Cloning a tree without recursion: what a level of it would need of the stack is more than
//! anything else does with a tree.

use super::ast::{Aggregate, Binary, Call, Expr, NumberLiteral, Paren, Span, Subquery, Unary};

/// Stands where an expression was taken out of its tree.
pub(super) const TAKEN: Expr = Expr::Number(NumberLiteral {
    value: 0.0,
    is_duration: false,
    span: Span { start: 0, end: 0 },
});

impl Clone for Expr {
    fn clone(&self) -> Self {
        // Every node before its parts, and these from the last to the first: backwards, all
        // parts of a node are done, in their order, when its turn comes.
        let mut order = Vec::new();
        let mut left = vec![self];
        while let Some(expr) = left.pop() {
            order.push(expr);
            push_parts(expr, &mut left);
        }
        let mut done = Vec::new();
        for expr in order.into_iter().rev() {
            let copy = clone_with_parts(expr, &mut done);
            done.push(copy);
        }
        done.pop().unwrap_or(TAKEN)
    }
}

/// Adds the expressions that one consists of, the first one first.
fn push_parts<'x>(expr: &'x Expr, parts: &mut Vec<&'x Expr>) {
    match expr {
        Expr::Number(_) | Expr::String(_) | Expr::Vector(_) | Expr::Matrix(_) => {}
        Expr::Subquery(node) => parts.push(&node.expr),
        Expr::Call(node) => parts.extend(&node.args),
        Expr::Aggregate(node) => {
            parts.push(&node.expr);
            parts.extend(&node.param);
        }
        Expr::Binary(node) => parts.extend([&node.lhs, &node.rhs]),
        Expr::Unary(node) => parts.push(&node.expr),
        Expr::Paren(node) => parts.push(&node.expr),
    }
}

/// Clones a node, with the last of `done` as its parts.
fn clone_with_parts(expr: &Expr, done: &mut Vec<Expr>) -> Expr {
    // There are as many as `push_parts` added.
    let mut last = || done.pop().unwrap_or(TAKEN);
    match expr {
        Expr::Number(node) => Expr::Number(node.clone()),
        Expr::String(node) => Expr::String(node.clone()),
        Expr::Vector(node) => Expr::Vector(node.clone()),
        Expr::Matrix(node) => Expr::Matrix(node.clone()),
        Expr::Subquery(node) => Expr::Subquery(Box::new(Subquery {
            expr: last(),
            range: node.range.clone(),
            step: node.step.clone(),
            modifiers: node.modifiers.clone(),
            span: node.span,
        })),
        Expr::Call(node) => Expr::Call(Call {
            function: node.function,
            args: done.split_off(done.len().saturating_sub(node.args.len())),
            span: node.span,
        }),
        Expr::Aggregate(node) => {
            let param = node.param.is_some().then(&mut last);
            Expr::Aggregate(Box::new(Aggregate {
                op: node.op,
                expr: last(),
                param,
                grouping: node.grouping.clone(),
                span: node.span,
            }))
        }
        Expr::Binary(node) => {
            let rhs = last();
            Expr::Binary(Box::new(node.clone_with(last(), rhs)))
        }
        Expr::Unary(node) => Expr::Unary(Box::new(Unary {
            negative: node.negative,
            expr: last(),
            span: node.span,
        })),
        Expr::Paren(node) => Expr::Paren(Box::new(Paren {
            expr: last(),
            span: node.span,
        })),
    }
}

impl Clone for Binary {
    fn clone(&self) -> Self {
        self.clone_with(self.lhs.clone(), self.rhs.clone())
    }
}

impl Binary {
    /// The operation between other sides.
    fn clone_with(&self, lhs: Expr, rhs: Expr) -> Self {
        Self {
            op: self.op,
            lhs,
            rhs,
            matching: self.matching.clone(),
            return_bool: self.return_bool,
            span: self.span,
            op_span: self.op_span,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::parse::ast::Expr;
    use crate::parse::{Options, parse};

    #[test]
    fn a_clone_is_the_same_tree() {
        for text in [
            "1",
            "'x'",
            "-a{b!='c'} offset 5m @ 3",
            "a - b * c ^ d ^ (e - -f)",
            "a > bool on(x) group_left(y) b or c",
            "topk by (x, y) (scalar(a), b)",
            "sum without (x) (rate(a[5m]) / b)",
            "label_replace(a, 'b', 'c', 'd', 'e')",
            "max_over_time(sum(a)[5m + step():1m] @ end() offset 1h)",
            "time()",
        ] {
            let expr = parse(text, &Options::ALL).unwrap();
            assert_eq!(expr.clone(), expr, "{text}");
            if let Expr::Binary(node) = &expr {
                assert_eq!(node.clone(), *node, "{text}");
            }
        }
    }
}
