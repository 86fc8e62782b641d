//! The functions of PromQL: their signatures, and one file a family that computes them.
//!
//! A function of single values (`abs`) or of the samples in a window (`rate`) is an entry in
//! the table of its family, found by name. Functions of whole vectors (`label_replace`,
//! `histogram_quantile`, `absent`, `sort`) have nodes of their own in the plan; their files here
//! hold what they compute, `eval/` calls it.

pub(crate) mod date;
pub(crate) mod extended;
pub(crate) mod go_math;
pub(crate) mod go_sort;
pub(crate) mod histogram;
pub(crate) mod label;
mod math;
pub(crate) mod numeric;
mod over_time;
mod patience;
mod rate;
pub(crate) mod regression;
mod signature;
pub(crate) mod sort;
mod window;

pub(crate) use math::{negate, replace};
pub(crate) use over_time::ANY_SAMPLE;
pub(crate) use patience::Patience;
pub(crate) use window::{Expects, Window, WindowEntry, WindowFunction};

pub use signature::{Signature, signature, signatures};

/// A function of single values: computes the values of a row in place. The columns of its
/// scalar parameters begin at the same step and are as long.
pub(crate) type ColumnFunction = fn(values: &mut [f64], parameters: &[&[f64]]);

/// How a function is computed.
#[derive(Clone, Copy)]
pub(crate) enum Implementation {
    /// Of each value by itself.
    Column(ColumnFunction),
    /// Of the samples in a window.
    Window(&'static WindowEntry),
}

/// The implementation of a function of single values or of windows; none for others.
pub(crate) fn implementation(name: &str) -> Option<Implementation> {
    let column = [math::FUNCTIONS, date::FUNCTIONS]
        .into_iter()
        .flatten()
        .find(|(known, _)| *known == name)
        .map(|(_, function)| Implementation::Column(*function));
    let window = || {
        [rate::FUNCTIONS, over_time::FUNCTIONS, regression::FUNCTIONS]
            .into_iter()
            .flatten()
            .find(|entry| entry.name == name)
            .map(Implementation::Window)
    };
    column.or_else(window)
}
