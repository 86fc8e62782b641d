//! Names, argument types and return types of all functions.

use crate::parse::ast::ValueType;

/// What a function takes and gives.
#[derive(PartialEq, Debug)]
pub struct Signature {
    /// Its name.
    pub name: &'static str,
    /// Types of its arguments. With `variadic`, the last one may be left out or repeated.
    pub args: &'static [ValueType],
    /// 0: exactly `args`. n > 0: the last n of `args` may be left out. -1: the last of `args`
    /// any number of times, none included. (Prometheus `promql/parser/functions.go`.)
    pub variadic: i32,
    /// Type of its value.
    pub returns: ValueType,
    /// Behind a feature flag in Prometheus.
    pub experimental: bool,
}

/// The signature of a function by its name.
pub fn signature(name: &str) -> Option<&'static Signature> {
    SIGNATURES
        .binary_search_by(|signature| signature.name.cmp(name))
        .ok()
        .map(|at| &SIGNATURES[at])
}

/// Sorted by name.
static SIGNATURES: &[Signature] = &[];
