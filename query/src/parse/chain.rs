//! Binary operations in a row, `a + b - c`: as deep a tree as there are operators, walked in
//! loops.

use std::mem;

use super::ast::{Binary, Expr};
use super::copy::TAKEN;

impl Binary {
    /// The operations in a row that end in this one, itself first, and the operand that they
    /// begin with: of `a + b - c` the subtraction, the addition, and `a`.
    pub fn chain(&self) -> (Vec<&Self>, &Expr) {
        let mut chain = vec![self];
        let mut first = &self.lhs;
        while let Expr::Binary(operation) = first {
            chain.push(operation);
            first = &operation.lhs;
        }
        (chain, first)
    }

    /// Takes the left side apart: the operand that it begins with and the operations on it, the
    /// last one first. What is left has no left side until [`Self::give_back`].
    #[expect(
        clippy::vec_box,
        reason = "they stay where they are, in and out of the tree"
    )]
    pub(super) fn take_left(&mut self) -> (Expr, Vec<Box<Self>>) {
        let mut chain = Vec::new();
        let mut first = mem::replace(&mut self.lhs, TAKEN);
        while let Expr::Binary(mut operation) = first {
            first = mem::replace(&mut operation.lhs, TAKEN);
            chain.push(operation);
        }
        (first, chain)
    }

    /// Puts a left side in that was taken.
    pub(super) fn give_back(&mut self, lhs: Expr) {
        self.lhs = lhs;
    }

    /// Whether all but the left sides are the same.
    fn eq_but_left(&self, other: &Self) -> bool {
        self.op == other.op
            && self.rhs == other.rhs
            && self.matching == other.matching
            && self.return_bool == other.return_bool
            && self.span == other.span
            && self.op_span == other.op_span
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        if let Expr::Binary(_) = self.lhs {
            // One by one: each has no left side any more when it goes.
            drop(self.take_left());
        }
    }
}

impl PartialEq for Binary {
    fn eq(&self, other: &Self) -> bool {
        let ((chain, first), (others, other_first)) = (self.chain(), other.chain());
        chain.len() == others.len()
            && first == other_first
            && chain.iter().zip(others).all(|(a, b)| a.eq_but_left(b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Options, parse};

    fn operation(text: &str) -> Box<Binary> {
        match parse(text, &Options::ALL).unwrap() {
            Expr::Binary(operation) => operation,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_chain_begins_with_the_last_operation() {
        let whole = operation("a + b * 2 - c");
        let (chain, first) = whole.chain();
        let shown: Vec<String> = chain.iter().map(|it| it.rhs.to_string()).collect();
        assert_eq!(shown, ["c", "b * 2"]);
        assert_eq!(first.to_string(), "a");
    }

    #[test]
    fn chains_that_differ_anywhere_are_not_equal() {
        let whole = operation("a + b - c");
        assert_eq!(whole.clone(), whole);
        for other in [
            "a + b + c",
            "x + b - c",
            "a + x - c",
            "a + b - x",
            "a - c",
            "a +  b - c",
        ] {
            assert_ne!(whole, operation(other), "{other}");
        }
    }

    #[test]
    fn a_left_side_that_was_taken_goes_back() {
        let whole = operation("a + b - c");
        let mut apart = whole.clone();
        let (mut lhs, mut chain) = apart.take_left();
        assert_eq!(lhs.to_string(), "a");
        while let Some(mut operation) = chain.pop() {
            operation.give_back(lhs);
            lhs = Expr::Binary(operation);
        }
        apart.give_back(lhs);
        assert_eq!(apart, whole);
    }
}
