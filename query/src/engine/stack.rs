//! Room on the stack for deep expressions.
//!
//! Planning and evaluation recurse, a few frames for each level of a tree. What most threads
//! have is enough for the expressions that people write; a deeper one gets a thread of its own.

use std::thread;

use crate::parse::ast::Expr;
use crate::{Error, ErrorKind};

/// Trees up to this many levels deep are evaluated on the thread of the caller: they need less
/// than half a MiB of stack.
const DEPTH_ON_CALLER: usize = 64;

/// What a level needs at most, in bytes, with much to spare. Memory that is not touched is not
/// used.
const STACK_A_LEVEL: usize = 32 << 10;

/// What of the stack is used at most: a sixth, as measured, and a little more.
pub(super) fn stack_bytes(depth: usize) -> usize {
    depth * STACK_A_LEVEL / 4
}

/// Calls `run` with stack enough to walk a tree of a depth.
///
/// # Errors
/// Those of `run`; [`ErrorKind::Execution`] where there is no thread to be had.
pub(super) fn with_room<T: Send>(
    depth: usize,
    run: impl FnOnce() -> Result<T, Error> + Send,
) -> Result<T, Error> {
    if depth <= DEPTH_ON_CALLER {
        return run();
    }
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("deep query".to_owned())
            .stack_size(depth * STACK_A_LEVEL)
            .spawn_scoped(scope, run);
        match thread.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(error) => Err(Error::new(
                ErrorKind::Execution,
                format!("no thread for a query of {depth} levels: {error}"),
            )),
        }
    })
}

/// How many levels a tree has.
pub(super) fn depth(expr: &Expr) -> usize {
    let mut deepest = 0;
    let mut left = vec![(expr, 1)];
    while let Some((expr, depth)) = left.pop() {
        deepest = deepest.max(depth);
        let below = depth + 1;
        match expr {
            Expr::Number(_) | Expr::String(_) | Expr::Vector(_) | Expr::Matrix(_) => {}
            Expr::Subquery(node) => left.push((&node.expr, below)),
            Expr::Call(node) => left.extend(node.args.iter().map(|argument| (argument, below))),
            Expr::Aggregate(node) => {
                left.push((&node.expr, below));
                left.extend(node.param.iter().map(|parameter| (parameter, below)));
            }
            // Operators in a row are one level.
            Expr::Binary(node) => {
                let (chain, first) = node.chain();
                left.push((first, below));
                left.extend(chain.into_iter().map(|operation| (&operation.rhs, below)));
            }
            Expr::Unary(node) => left.push((&node.expr, below)),
            Expr::Paren(node) => left.push((&node.expr, below)),
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Options, parse};

    #[test]
    fn every_kind_of_node_is_a_level() {
        for (text, levels) in [
            ("1", 1),
            ("-(1)", 3),
            ("1 + 2 - 3 + (4 - 5)", 4),
            ("sum(rate(up[5m]) > 2)", 4),
            ("topk(scalar(sum(a)), b)", 4),
            ("max_over_time(sum(a)[5m:])", 4),
        ] {
            let expr = parse(text, &Options::default()).unwrap();
            assert_eq!(depth(&expr), levels, "{text}");
        }
    }

    #[test]
    fn errors_come_through() {
        for depth in [1, 100] {
            let result: Result<(), Error> =
                with_room(depth, || Err(Error::new(ErrorKind::Timeout, "late")));
            assert_eq!(result.unwrap_err().kind(), ErrorKind::Timeout);
        }
    }
}
