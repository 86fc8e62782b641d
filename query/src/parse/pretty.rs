//! An expression over several lines, as Prometheus's `Pretty` has it
//! (`promql/parser/prettier.go`): what is longer than a line is split at its brackets, commas
//! and operators.
//!
//! Recursive but for operators in a row: a tree is at most [`super::DEPTH_MAX`] deep beside
//! them.

use std::fmt::{self, Display, Write};

use super::ast::{Binary, Expr};
use super::print::{AggregateHead, Operator, Piece};

/// Expressions up to this many bytes long stay on one line.
const LINE_BYTES_MAX: usize = 100;

/// How long the text may get: operators in a row are indented ever deeper, so that it grows
/// with the square of their number.
pub const PRETTY_BYTES_MAX: usize = 64 << 20;

/// The text would be longer than [`PRETTY_BYTES_MAX`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the formatted expression is longer than {} MiB", PRETTY_BYTES_MAX >> 20)]
pub struct TooLong;

/// The canonical text of an expression, over several lines where it is long.
///
/// # Errors
/// [`TooLong`].
///
/// # Examples
/// ```
/// use silverback_query::parse::{Options, parse, prettify};
/// let expr = parse("sum by(job)(rate(a[5m]))", &Options::default())?;
/// assert_eq!(prettify(&expr).unwrap(), "sum by (job) (rate(a[5m]))");
/// # Ok::<(), silverback_query::parse::ParseErrors>(())
/// ```
pub fn prettify(expr: &Expr) -> Result<String, TooLong> {
    let mut out = Text(String::new());
    write_pretty(&mut out, expr, 0, false).map_err(|fmt::Error| TooLong)?;
    Ok(out.0)
}

/// A text up to its largest length.
struct Text(String);

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > PRETTY_BYTES_MAX {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

/// Counts bytes, up to more than a line.
struct Length(usize);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        if self.0 > LINE_BYTES_MAX {
            return Err(fmt::Error);
        }
        Ok(())
    }
}

/// How long a text is; anything above [`LINE_BYTES_MAX`] is the same.
fn length(text: impl Display) -> usize {
    let mut length = Length(0);
    // It fails only to stop counting.
    let _ = write!(length, "{text}");
    length.0
}

fn indent(out: &mut Text, level: usize) -> fmt::Result {
    for _ in 0..level {
        out.write_str("  ")?;
    }
    Ok(())
}

/// Writes an expression; `operator_next` as in [`Piece::Expr`].
fn write_pretty(out: &mut Text, expr: &Expr, level: usize, operator_next: bool) -> fmt::Result {
    match expr {
        Expr::Binary(node) => return write_chain(out, node, level, operator_next),
        Expr::Unary(node) => {
            indent(out, level)?;
            out.write_str(if node.negative { "-" } else { "+" })?;
            let start = out.0.len();
            write_pretty(out, &node.expr, level, operator_next)?;
            // The sign stands before what it is the sign of, not before the indentation.
            let spaces = out.0[start..].len() - out.0[start..].trim_start().len();
            out.0.drain(start..start + spaces);
            return Ok(());
        }
        Expr::Subquery(node) => {
            if length(node) <= LINE_BYTES_MAX {
                return write!(out, "{node}");
            }
            write_pretty(out, &node.expr, level, false)?;
            return write!(out, "{}", Piece::Times(node));
        }
        _ => {}
    }
    indent(out, level)?;
    let splits = matches!(expr, Expr::Call(_) | Expr::Aggregate(_) | Expr::Paren(_));
    if !splits || length(expr) <= LINE_BYTES_MAX {
        return write!(out, "{}", Piece::Expr(expr, operator_next));
    }
    match expr {
        Expr::Call(node) => {
            writeln!(out, "{}(", node.function.name)?;
            for (at, argument) in node.args.iter().enumerate() {
                out.write_str(if at == 0 { "" } else { ",\n" })?;
                write_pretty(out, argument, level + 1, false)?;
            }
        }
        Expr::Aggregate(node) => {
            writeln!(out, "{}(", AggregateHead(node))?;
            if let Some(parameter) = &node.param {
                write_pretty(out, parameter, level + 1, false)?;
                out.write_str(",\n")?;
            }
            write_pretty(out, &node.expr, level + 1, false)?;
        }
        Expr::Paren(node) => {
            out.write_str("(\n")?;
            write_pretty(out, &node.expr, level + 1, false)?;
        }
        other => return write!(out, "{other}"),
    }
    out.write_str("\n")?;
    indent(out, level)?;
    out.write_str(")")
}

/// Operators in a row: each a level deeper than the one behind it.
fn write_chain(out: &mut Text, node: &Binary, level: usize, operator_next: bool) -> fmt::Result {
    let (chain, first) = node.chain();
    // How many of the last operators do not fit a line with all that stands before them.
    let mut bytes = length(first);
    let mut whole = 0;
    for operation in chain.iter().rev() {
        bytes += length(Operator(operation)) + length(&operation.rhs) + 2;
        if bytes > LINE_BYTES_MAX {
            break;
        }
        whole += 1;
    }
    let split = chain.len() - whole;
    // Whether an operator that matters comes behind the operation at a place.
    let operator_behind = |at: usize| match at.checked_sub(1).and_then(|at| chain.get(at)) {
        Some(next) => next.op.is_of_durations(),
        None => operator_next,
    };
    match chain.get(split) {
        Some(fitting) => {
            indent(out, level + split)?;
            write!(out, "{}", Piece::Chain(fitting, operator_behind(split)))?;
        }
        None => write_pretty(out, first, level + split, operator_behind(split))?,
    }
    for (at, operation) in chain[..split].iter().enumerate().rev() {
        out.write_str("\n")?;
        indent(out, level + at)?;
        writeln!(out, "{}", Operator(operation))?;
        write_pretty(out, &operation.rhs, level + at + 1, operator_behind(at))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Options, parse};

    fn pretty(text: &str) -> String {
        let expr = parse(text, &Options::ALL).unwrap();
        prettify(&expr).unwrap()
    }

    #[test]
    fn short_expressions_stay_on_a_line() {
        assert_eq!(pretty(" sum(a)by(b)  + 1"), "sum by (b) (a) + 1");
        assert_eq!(pretty("-( a )"), "-(a)");
    }

    #[test]
    fn long_expressions_are_split_at_brackets_and_commas() {
        let a = "a".repeat(60);
        let text =
            format!("quantile by (x) (0.5, -label_replace(rate({a}[5m]), '{a}', 'b', 'c', ''))");
        let expected = format!(
            "quantile by (x) (
  0.5,
  -label_replace(
    rate({a}[5m]),
    \"{a}\",
    \"b\",
    \"c\",
    \"\"
  )
)"
        );
        assert_eq!(pretty(&text), expected);
        assert_eq!(pretty(&expected), expected);
    }

    #[test]
    fn operators_in_a_row_go_deeper_to_the_left() {
        let (a, b) = ("a".repeat(50), "b".repeat(60));
        let text = format!("{a} + c > bool on(x) {b} - ({a} * {b})");
        let expected = format!(
            "    {a} + c
  > bool on (x)
      {b}
    -
      (
        {a}
      *
        {b}
      )"
        );
        // The subtraction binds more strongly, so that it is the right side.
        let right = format!("{b} - ({a} * {b})");
        let whole = pretty(&text);
        assert!(
            whole.starts_with(&format!("  {a} + c\n> bool on (x)\n")),
            "{whole}"
        );
        assert_eq!(pretty(&right).lines().count(), 7);
        assert_ne!(whole, expected);
        let row = format!("{a} or {b} or c or {a}");
        let expected = format!("      {a}\n    or\n      {b}\n  or\n    c\nor\n  {a}");
        assert_eq!(pretty(&row), expected);
    }

    #[test]
    fn a_subquery_is_split_inside() {
        let a = "a".repeat(100);
        assert_eq!(
            pretty(&format!("max_over_time(abs({a})[5m:1m] offset 3m)")),
            format!("max_over_time(\n  abs(\n    {a}\n  )[5m:1m] offset 3m\n)")
        );
        // Prometheus does not indent one that fits a line.
        let text = format!("max_over_time({}[5m:])", "a".repeat(90));
        assert_eq!(
            pretty(&text),
            format!("max_over_time(\n{}[5m:]\n)", "a".repeat(90))
        );
    }

    #[test]
    fn what_grows_without_end_is_refused() {
        let text = "a".to_owned() + &" + a".repeat(20_000);
        let expr = parse(&text, &Options::ALL).unwrap();
        assert_eq!(prettify(&expr), Err(TooLong));
    }
}
