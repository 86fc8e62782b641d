//! Function calls in the plan.

use super::lower::{Lowering, without_parens, wrong_type};
use super::{
    HistogramCall, HistogramNumber, HistogramQuestion, LabelJoin, LabelReplace, Node, Samples,
    ScalarNode, SortBy, VectorNode, WindowCall,
};
use crate::functions::extended::with_edges;
use crate::functions::numeric::seconds;
use crate::functions::{self, Implementation};
use crate::labels::METRIC_NAME;
use crate::parse::ast::{Call, Expr, RangeEdges, Span};
use crate::source::{MatchOp, Matcher};
use crate::{Error, ErrorKind, Labels};

/// Functions whose value may differ from step to step though their arguments do not.
pub(super) fn depends_on_step(function: &str) -> bool {
    const FUNCTIONS: [&str; 12] = [
        "day_of_month",
        "day_of_week",
        "day_of_year",
        "days_in_month",
        "hour",
        "minute",
        "month",
        "predict_linear",
        "start_timestamp",
        "time",
        "timestamp",
        "year",
    ];
    FUNCTIONS.contains(&function)
}

/// Whether a call asks for the times of samples, which a fixed `@` fixes too.
pub(super) fn is_timestamp_of_selector(call: &Call) -> bool {
    call.function.name == "timestamp"
        && call
            .args
            .first()
            .is_some_and(|argument| matches!(without_parens(argument), Expr::Vector(_)))
}

/// The labels that the matchers of an absent series name by equality (Prometheus
/// `createLabelsForAbsentFunction`).
pub(super) fn absent_labels(matchers: &[Matcher]) -> Labels {
    let mut labels = Labels::default();
    let mut seen: Vec<&str> = Vec::new();
    for matcher in matchers {
        if matcher.name == METRIC_NAME {
            continue;
        }
        let name = matcher.name.as_str();
        if matcher.op == MatchOp::Equal && !seen.contains(&name) {
            labels = labels.with(name, &matcher.value);
            seen.push(name);
        } else {
            labels = labels.with(name, "");
        }
    }
    labels
}

/// Arguments taken one by one; the parser has counted them.
struct Arguments {
    nodes: std::vec::IntoIter<Node>,
}

impl Arguments {
    fn next(&mut self) -> Node {
        // A missing argument gives a type error where it is used.
        self.nodes.next().unwrap_or(Node::String(String::new()))
    }

    fn scalar(&mut self) -> Result<ScalarNode, Error> {
        self.next().into_scalar()
    }

    fn vector(&mut self) -> Result<VectorNode, Error> {
        self.next().into_vector()
    }

    fn boxed(&mut self) -> Result<Box<VectorNode>, Error> {
        self.vector().map(Box::new)
    }

    fn string(&mut self) -> Result<String, Error> {
        self.next().into_string()
    }

    fn scalars(self) -> Result<Vec<ScalarNode>, Error> {
        self.nodes.map(Node::into_scalar).collect()
    }

    fn strings(self) -> Result<Vec<String>, Error> {
        self.nodes.map(Node::into_string).collect()
    }
}

impl Lowering<'_> {
    /// The node of a call whose arguments are lowered.
    pub(super) fn call_node(&self, call: &Call, arguments: Vec<Node>) -> Result<Node, Error> {
        let name = call.function.name;
        let count = arguments.len();
        let mut arguments = Arguments {
            nodes: arguments.into_iter(),
        };
        if let Some(scalar) = self.scalar_call(name, &mut arguments)? {
            return Ok(Node::Scalar(scalar));
        }
        let vector = match (functions::implementation(name), name) {
            (Some(Implementation::Column(function)), _) => VectorNode::Map {
                child: if count == 0 {
                    Box::new(VectorNode::FromScalar(ScalarNode::Time))
                } else {
                    arguments.boxed()?
                },
                function,
                parameters: arguments.scalars()?,
            },
            (Some(Implementation::Window(function)), _) => window_call(function, call, arguments)?,
            (None, "absent" | "absent_over_time") => absent_call(name, arguments.next())?,
            (None, "vector") => VectorNode::FromScalar(arguments.scalar()?),
            (None, "timestamp") => match arguments.vector()? {
                VectorNode::Select(selector) => VectorNode::TimestampOf(selector),
                child => VectorNode::Map {
                    child: Box::new(child),
                    function: functions::replace,
                    parameters: vec![ScalarNode::Time],
                },
            },
            (None, "sort" | "sort_desc" | "sort_by_label" | "sort_by_label_desc") => {
                VectorNode::Sort {
                    child: arguments.boxed()?,
                    by: if name.starts_with("sort_by_label") {
                        SortBy::Labels(arguments.strings()?)
                    } else {
                        SortBy::Value
                    },
                    descending: name.ends_with("_desc"),
                    span: call.span,
                }
            }
            (None, "label_replace" | "label_join") => label_call(call, arguments)?,
            (None, "histogram_quantile" | "histogram_quantiles" | "histogram_fraction") => {
                histogram_call(call, arguments)?
            }
            (None, "info") => {
                VectorNode::Info(Box::new(self.info_call(call, arguments.vector()?)?))
            }
            (
                None,
                "histogram_avg" | "histogram_count" | "histogram_stddev" | "histogram_stdvar"
                | "histogram_sum",
            ) => VectorNode::OfHistogram {
                child: arguments.boxed()?,
                what: histogram_number(name),
            },
            (None, name) => {
                return Err(self.unsupported(format_args!("function {name}"), call.span));
            }
        };
        Ok(Node::Vector(vector))
    }

    /// The node of a function that gives a scalar.
    fn scalar_call(
        &self,
        name: &str,
        arguments: &mut Arguments,
    ) -> Result<Option<ScalarNode>, Error> {
        let times = &self.times;
        let number = |value| Ok(Some(ScalarNode::Number(value)));
        match name {
            "pi" => number(std::f64::consts::PI),
            "start" => number(times.start_ms as f64 / 1000.0),
            "end" => number(times.end_ms as f64 / 1000.0),
            "range" => number(seconds(times.end_ms.saturating_sub(times.start_ms))),
            "step" if times.start_ms == times.end_ms => number(0.0),
            "step" => number(seconds(times.step_ms)),
            "time" => Ok(Some(ScalarNode::Time)),
            "scalar" => Ok(Some(ScalarNode::OfVector(arguments.boxed()?))),
            "max_of" | "min_of" => Ok(Some(ScalarNode::Extreme {
                largest: name == "max_of",
                lhs: Box::new(arguments.scalar()?),
                rhs: Box::new(arguments.scalar()?),
            })),
            _ => Ok(None),
        }
    }
}

fn histogram_number(name: &str) -> HistogramNumber {
    match name {
        "histogram_avg" => HistogramNumber::Avg,
        "histogram_count" => HistogramNumber::Count,
        "histogram_stddev" => HistogramNumber::Stddev,
        "histogram_stdvar" => HistogramNumber::Stdvar,
        _ => HistogramNumber::Sum,
    }
}

fn label_call(call: &Call, mut arguments: Arguments) -> Result<VectorNode, Error> {
    check_label_names(call)?;
    let (child, destination) = (arguments.vector()?, arguments.string()?);
    Ok(if call.function.name == "label_replace" {
        VectorNode::LabelReplace(Box::new(LabelReplace {
            child,
            destination,
            replacement: arguments.string()?,
            source: arguments.string()?,
            regex: arguments.string()?,
        }))
    } else {
        VectorNode::LabelJoin(Box::new(LabelJoin {
            child,
            destination,
            separator: arguments.string()?,
            sources: arguments.strings()?,
        }))
    })
}

/// Refuses names of labels that are not UTF-8; a label of a series always is.
fn check_label_names(call: &Call) -> Result<(), Error> {
    let roles: &[(usize, &str)] = match call.function.name {
        "label_replace" => &[(1, "destination")],
        "label_join" => &[(3, "source"), (1, "destination")],
        _ => return Ok(()),
    };
    for &(first, role) in roles {
        let last = if role == "source" {
            call.args.len()
        } else {
            first + 1
        };
        let arguments = call.args.get(first..last).unwrap_or_default();
        for argument in arguments.iter().map(without_parens) {
            if let Expr::String(text) = argument
                && text.broken.is_some()
            {
                let (function, value) = (call.function.name, &text.value);
                return Err(refused(format!(
                    "invalid {role} label name in {function}(): {value}"
                )));
            }
        }
    }
    Ok(())
}

fn argument_span(call: &Call, at: usize) -> Span {
    call.args
        .get(at)
        .map_or(call.span, |argument| without_parens(argument).span())
}

fn window_call(
    function: &'static functions::WindowEntry,
    call: &Call,
    arguments: Arguments,
) -> Result<VectorNode, Error> {
    let mut range = None;
    let mut parameters = Vec::new();
    for node in arguments.nodes {
        match node {
            Node::Range(node) => range = Some(node),
            node => parameters.push(node.into_scalar()?),
        }
    }
    let range = range.ok_or_else(|| wrong_type("range vector"))?;
    let function = match range.edges {
        RangeEdges::Plain => function,
        edges => with_edges(function.name, edges).map_err(refused)?,
    };
    let first_argument = match (&range.samples, parameters.is_empty()) {
        // Prometheus has lost the place of a subquery when it takes note of something.
        (Samples::Subquery { .. }, true) => Span::default(),
        _ => argument_span(call, 0),
    };
    Ok(VectorNode::Window(WindowCall {
        function,
        range,
        parameters,
        first_argument,
    }))
}

/// Prometheus finds this only when it evaluates.
fn refused(message: String) -> Error {
    Error::new(ErrorKind::Execution, message)
}

fn absent_call(name: &str, argument: Node) -> Result<VectorNode, Error> {
    Ok(match argument {
        Node::Range(range) if range.edges != RangeEdges::Plain => {
            return Err(with_edges(name, range.edges)
                .map_or_else(refused, |_| wrong_type("instant vector")));
        }
        Node::Range(range) => VectorNode::AbsentOverTime {
            labels: match &range.samples {
                Samples::Stored(matchers) => absent_labels(matchers),
                Samples::Subquery { .. } => Labels::default(),
            },
            range,
        },
        node => {
            let child = node.into_vector()?;
            let labels = match &child {
                VectorNode::Select(selector) => absent_labels(&selector.matchers),
                _ => Labels::default(),
            };
            VectorNode::Absent {
                child: Box::new(child),
                labels,
            }
        }
    })
}

fn histogram_call(call: &Call, mut arguments: Arguments) -> Result<VectorNode, Error> {
    let (child, what, at) = match call.function.name {
        "histogram_quantile" => {
            let quantile = (arguments.scalar()?, argument_span(call, 0));
            let what = HistogramQuestion::Quantiles(vec![quantile], None);
            (arguments.vector()?, what, 1)
        }
        "histogram_quantiles" => {
            let (child, label) = (arguments.vector()?, arguments.string()?);
            let quantiles = arguments.scalars()?.into_iter().enumerate();
            let quantiles = quantiles.map(|(at, q)| (q, argument_span(call, at + 2)));
            let what = HistogramQuestion::Quantiles(quantiles.collect(), Some(label));
            (child, what, 0)
        }
        _ => {
            let (lower, upper) = (arguments.scalar()?, arguments.scalar()?);
            let what = HistogramQuestion::Fraction { lower, upper };
            (arguments.vector()?, what, 2)
        }
    };
    Ok(VectorNode::Histogram(Box::new(HistogramCall {
        child,
        what,
        span: argument_span(call, at),
    })))
}
