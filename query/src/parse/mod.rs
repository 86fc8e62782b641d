//! From the text of an expression to its tree, and back to canonical text.
//!
//! A lexer with Prometheus's rules, a parser of operator precedence on a stack of its own (the
//! input decides how deep an expression nests, so the call stack must not), and a check of
//! types. Names, messages and places of errors are those of Prometheus 3.14
//! (`promql/parser`); only three limits are our own, [`DEPTH_MAX`], [`OPERATORS_MAX`] and the size of a duration
//! expression.

mod aggregate;
pub mod ast;
mod chain;
mod check;
mod copy;
mod duration;
mod error;
#[cfg(feature = "fuzz-internals")]
pub(crate) mod fuzz;
mod lexer;
#[cfg(any(test, feature = "fuzz-internals"))]
mod normal;
mod number;
mod parser;
pub(crate) mod pattern;
mod pretty;
mod print;
mod selector;
pub(crate) mod strings;
mod token;

#[cfg(test)]
mod tests;

pub use error::{ParseError, ParseErrors};
pub use parser::{parse, parse_metric_selector};
pub use pattern::translate as translate_pattern;
pub use pretty::{PRETTY_BYTES_MAX, TooLong, prettify};

/// How many nodes deep a tree may be. Operators in a row are one node, however many they are:
/// `1 + 2 + 3` is two deep, `1 + (2 + 3)` four, and so is `1 ^ 2 ^ 3 ^ 4`, which nests to the
/// right. Prometheus knows no limit; ours lets whoever walks a tree recurse. A thousand levels
/// around something are what its own tests have.
pub const DEPTH_MAX: u32 = 1_010;

/// How many binary operators an expression may have: a tree takes some hundred bytes for each,
/// its text may be as short as two.
pub const OPERATORS_MAX: u32 = 100_000;

/// Which experimental parts of PromQL are taken. Each is or was a feature flag of Prometheus
/// (`--enable-feature`); by default they are as in Prometheus 3.14 without flags.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// `promql-experimental-functions`: the functions whose signature says so, `limitk` and
    /// `limit_ratio`.
    pub experimental_functions: bool,
    /// `promql-duration-expr`: arithmetic, `step()`, `range()`, `min_of` and `max_of` in place of
    /// a duration. On by default.
    pub duration_expr: bool,
    /// `promql-extended-range-selectors`: `anchored` and `smoothed`.
    pub extended_range_selectors: bool,
    /// `promql-binop-fill-modifiers`: `fill`, `fill_left` and `fill_right`.
    pub binop_fill_modifiers: bool,
}

impl Options {
    /// Everything that Prometheus 3.14 knows.
    pub const ALL: Self = Self {
        experimental_functions: true,
        duration_expr: true,
        extended_range_selectors: true,
        binop_fill_modifiers: true,
    };
}

impl Default for Options {
    fn default() -> Self {
        Self {
            experimental_functions: false,
            duration_expr: true,
            extended_range_selectors: false,
            binop_fill_modifiers: false,
        }
    }
}
