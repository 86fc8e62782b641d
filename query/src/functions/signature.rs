//! Names, argument types and return types of all functions.

use crate::parse::ast::ValueType;
use ValueType::{Matrix, Scalar, String, Vector};

/// What a function takes and gives.
#[derive(PartialEq, Debug)]
pub struct Signature {
    /// Its name.
    pub name: &'static str,
    /// Types of its arguments. With `variadic`, the last one may be left out or repeated.
    pub args: &'static [ValueType],
    /// 0: exactly `args`. n > 0: the last of `args` may be left out, or stand up to n times.
    /// -1: the last of `args` any number of times, none included. (Prometheus
    /// `promql/parser/functions.go`.)
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
        .and_then(|at| SIGNATURES.get(at))
}

/// All functions, sorted by name.
pub fn signatures() -> &'static [Signature] {
    SIGNATURES
}

/// A function of exactly these arguments, a vector its value.
const fn plain(name: &'static str, args: &'static [ValueType]) -> Signature {
    Signature {
        name,
        args,
        variadic: 0,
        returns: Vector,
        experimental: false,
    }
}

impl Signature {
    const fn variadic(self, variadic: i32) -> Self {
        Self { variadic, ..self }
    }

    const fn scalar(self) -> Self {
        Self {
            returns: Scalar,
            ..self
        }
    }

    const fn experimental(self) -> Self {
        Self {
            experimental: true,
            ..self
        }
    }
}

/// Sorted by name.
static SIGNATURES: &[Signature] = &[
    plain("abs", &[Vector]),
    plain("absent", &[Vector]),
    plain("absent_over_time", &[Matrix]),
    plain("acos", &[Vector]),
    plain("acosh", &[Vector]),
    plain("asin", &[Vector]),
    plain("asinh", &[Vector]),
    plain("atan", &[Vector]),
    plain("atanh", &[Vector]),
    plain("avg_over_time", &[Matrix]),
    plain("ceil", &[Vector]),
    plain("changes", &[Matrix]),
    plain("clamp", &[Vector, Scalar, Scalar]),
    plain("clamp_max", &[Vector, Scalar]),
    plain("clamp_min", &[Vector, Scalar]),
    plain("cos", &[Vector]),
    plain("cosh", &[Vector]),
    plain("count_over_time", &[Matrix]),
    plain("day_of_month", &[Vector]).variadic(1),
    plain("day_of_week", &[Vector]).variadic(1),
    plain("day_of_year", &[Vector]).variadic(1),
    plain("days_in_month", &[Vector]).variadic(1),
    plain("deg", &[Vector]),
    plain("delta", &[Matrix]),
    plain("deriv", &[Matrix]),
    plain("double_exponential_smoothing", &[Matrix, Scalar, Scalar]).experimental(),
    plain("end", &[]).scalar().experimental(),
    plain("exp", &[Vector]),
    plain("first_over_time", &[Matrix]),
    plain("floor", &[Vector]),
    plain("histogram_avg", &[Vector]),
    plain("histogram_count", &[Vector]),
    plain("histogram_fraction", &[Scalar, Scalar, Vector]),
    plain("histogram_quantile", &[Scalar, Vector]),
    plain("histogram_quantiles", &[Vector, String, Scalar, Scalar])
        .variadic(9)
        .experimental(),
    plain("histogram_stddev", &[Vector]),
    plain("histogram_stdvar", &[Vector]),
    plain("histogram_sum", &[Vector]),
    plain("hour", &[Vector]).variadic(1),
    plain("idelta", &[Matrix]),
    plain("increase", &[Matrix]),
    plain("info", &[Vector, Vector]).variadic(1).experimental(),
    plain("irate", &[Matrix]),
    plain("label_join", &[Vector, String, String, String]).variadic(-1),
    plain("label_replace", &[Vector, String, String, String, String]),
    plain("last_over_time", &[Matrix]),
    plain("ln", &[Vector]),
    plain("log10", &[Vector]),
    plain("log2", &[Vector]),
    plain("mad_over_time", &[Matrix]).experimental(),
    plain("max_of", &[Scalar, Scalar]).scalar().experimental(),
    plain("max_over_time", &[Matrix]),
    plain("min_of", &[Scalar, Scalar]).scalar().experimental(),
    plain("min_over_time", &[Matrix]),
    plain("minute", &[Vector]).variadic(1),
    plain("month", &[Vector]).variadic(1),
    plain("pi", &[]).scalar(),
    plain("predict_linear", &[Matrix, Scalar]),
    plain("present_over_time", &[Matrix]),
    plain("quantile_over_time", &[Scalar, Matrix]),
    plain("rad", &[Vector]),
    plain("range", &[]).scalar().experimental(),
    plain("rate", &[Matrix]),
    plain("resets", &[Matrix]),
    plain("round", &[Vector, Scalar]).variadic(1),
    plain("scalar", &[Vector]).scalar(),
    plain("sgn", &[Vector]),
    plain("sin", &[Vector]),
    plain("sinh", &[Vector]),
    plain("sort", &[Vector]),
    plain("sort_by_label", &[Vector, String])
        .variadic(-1)
        .experimental(),
    plain("sort_by_label_desc", &[Vector, String])
        .variadic(-1)
        .experimental(),
    plain("sort_desc", &[Vector]),
    plain("sqrt", &[Vector]),
    plain("start", &[]).scalar().experimental(),
    plain("start_timestamp", &[Vector]).experimental(),
    plain("stddev_over_time", &[Matrix]),
    plain("stdvar_over_time", &[Matrix]),
    plain("step", &[]).scalar().experimental(),
    plain("sum_over_time", &[Matrix]),
    plain("tan", &[Vector]),
    plain("tanh", &[Vector]),
    plain("time", &[]).scalar(),
    plain("timestamp", &[Vector]),
    plain("ts_of_first_over_time", &[Matrix]).experimental(),
    plain("ts_of_last_over_time", &[Matrix]).experimental(),
    plain("ts_of_max_over_time", &[Matrix]).experimental(),
    plain("ts_of_min_over_time", &[Matrix]).experimental(),
    plain("vector", &[Scalar]),
    plain("year", &[Vector]).variadic(1),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_found_by_its_name() {
        assert!(SIGNATURES.is_sorted_by(|a, b| a.name < b.name));
        for it in signatures() {
            assert_eq!(signature(it.name), Some(it));
        }
        assert_eq!(signature("nope"), None);
        assert_eq!(signature("RATE"), None);
    }

    #[test]
    fn every_function_has_its_status_in_the_documentation() {
        let page = include_str!("../../../docs/promql.md");
        let rows: Vec<&str> = page.lines().filter(|row| row.starts_with("| `")).collect();
        for it in signatures() {
            let name = format!("| `{}` |", it.name);
            let status = rows.iter().find_map(|row| {
                let (_, rest) = row.split_once(&name)?;
                rest.split('|').next()
            });
            let status = status.unwrap_or_else(|| panic!("{} is not listed", it.name));
            let known = it.name == "start_timestamp" || status.contains("experimental");
            assert_eq!(it.experimental, it.experimental && known, "{}", it.name);
            assert!(
                it.experimental || !status.contains("experimental"),
                "{}",
                it.name
            );
        }
    }

    #[test]
    fn the_last_argument_is_the_variadic_one() {
        for it in signatures().iter().filter(|it| it.variadic != 0) {
            assert!(!it.args.is_empty(), "{}", it.name);
        }
    }
}
