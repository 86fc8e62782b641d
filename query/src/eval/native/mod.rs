//! Evaluation of queries that meet native histograms.
//!
//! Columns are of floats, and stay so. A query is evaluated over them first, and given up where
//! a series has histograms; this module evaluates it anew then, with a cell for each step that
//! is a float or a histogram. What an operation does with floats is left to the evaluator of
//! columns: the children of a node are evaluated here and *given* to it, their floats alone, or
//! numbers that stand for their rows where the operation picks, joins or renames elements
//! (`docs/adr/0009-native-histograms-in-promql.md`).

mod aggregate;
mod binary;
mod calls;
mod cells;
mod edges;
mod guard;
mod leaves;
mod notes;
mod over_time;
mod rate;
mod window;

use std::collections::HashMap;

pub(crate) use self::guard::FloatsOnly;

use self::cells::Cell;
pub(in crate::eval) use self::cells::copied;
use self::cells::{Charge, Mixed, decoded, encoded, floats, merged, numbered, of_rows};
use super::Evaluator;
use super::order::sorted;
use super::raw::SERIES_BYTES;
use super::rows::{Row, Rows};
use crate::functions::{self, ColumnFunction};
use crate::limits::{Held, Loan, Swept, bytes_of};
use crate::plan::{HistogramQuestion, Node, Parameter, ScalarNode, SortBy, VectorNode};
use crate::source::View;
use crate::{Error, ErrorKind, InstantSample, Value};

/// Rows that stand for nodes of the plan.
#[derive(Debug, Default)]
pub(crate) struct Given<'l> {
    /// By the address of the node: the plan does not move while it is evaluated.
    rows: HashMap<usize, Rows<'l>>,
    /// Operations on two vectors give the sum of their sides whatever the operator is: a number
    /// that stands for the pair.
    pub(in crate::eval) pairs: bool,
}

fn address(node: &VectorNode) -> usize {
    std::ptr::from_ref(node).addr()
}

impl<'l> Given<'l> {
    /// The rows of a node, if they are given.
    pub(in crate::eval) fn rows(&self, node: &VectorNode) -> Option<&[Row]> {
        self.rows.get(&address(node)).map(|rows| rows.as_slice())
    }

    fn insert(&mut self, node: &VectorNode, rows: Rows<'l>) {
        self.rows.insert(address(node), rows);
    }
}

/// What this version cannot do with histograms.
fn unsupported(what: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("not supported yet: {what} of native histograms"),
    )
}

impl<'e> Evaluator<'e> {
    /// The answer to a whole query.
    pub(crate) fn native(&self, node: &'e Node, is_range: bool) -> Result<Held<'e, Value>, Error> {
        let none = || Rows::none(self.limits).into_parts().1;
        let time_ms = self.grid.start_ms;
        let rows = match node {
            Node::String(value) => {
                let value = Value::String {
                    timestamp_ms: time_ms,
                    value: value.clone(),
                };
                return Ok(Held::new(value, none()));
            }
            Node::Scalar(scalar) => {
                let values = self.scalar_with_histograms(scalar)?;
                if !is_range {
                    let value = Value::Scalar {
                        timestamp_ms: time_ms,
                        value: values.first().copied().unwrap_or(f64::NAN),
                    };
                    return Ok(Held::new(value, none()));
                }
                let mut rows = Rows::none(self.limits);
                rows.add(crate::Labels::default, false, 0, &values)?;
                of_rows(rows, self.grid.count, self.limits)?
            }
            Node::Vector(vector) => self.whole(vector)?,
            Node::Range(range) => {
                let (series, loan) = self.raw_with_histograms(range)?.into_parts();
                let series = Swept::new(series, self.limits);
                let series = sorted(series, self.limits, |a, b| a.labels.cmp(&b.labels))?;
                return Ok(Held::new(Value::Matrix(series.into_inner()), loan));
            }
        };
        let (rows, mut loan) = rows.into_parts();
        if !is_range {
            loan.add(0, bytes_of::<InstantSample>(rows.len()))?;
            let samples = rows.into_iter().filter_map(|row| row.into_sample(time_ms));
            return Ok(Held::new(Value::Vector(samples.collect()), loan));
        }
        loan.add(0, rows.len() * SERIES_BYTES)?;
        let mut series = Swept::new(Vec::with_capacity(rows.len()), self.limits);
        for row in rows {
            self.limits.check()?;
            // Times and values, or times and histograms: vectors that may double.
            let count = row.cells.len().next_power_of_two();
            loan.add(0, bytes_of::<(i64, f64)>(count))?;
            series.push(row.into_series(self.grid));
        }
        let series = sorted(series, self.limits, |a, b| a.labels.cmp(&b.labels))?;
        Ok(Held::new(Value::Matrix(series.into_inner()), loan))
    }

    /// The rows of a whole query: names that were to be dropped at the end are gone.
    fn whole(&self, node: &'e VectorNode) -> Result<Mixed<'e>, Error> {
        let mut rows = self.mixed(node)?;
        if !self.delayed_name_removal {
            return Ok(rows);
        }
        for row in rows.iter_mut().filter(|row| row.drop_name) {
            row.labels = row.labels.without_metadata();
        }
        merged(rows)
    }

    /// The rows of a vector.
    fn mixed(&self, node: &'e VectorNode) -> Result<Mixed<'e>, Error> {
        self.limits.check()?;
        Ok(match node {
            VectorNode::Select(selector) => self.mixed_selector(selector, false)?,
            VectorNode::TimestampOf(selector) => self.mixed_selector(selector, true)?,
            VectorNode::Window(call) => self.mixed_window(node, call)?,
            VectorNode::AbsentOverTime { range, labels } => {
                self.absent_over_time_mixed(range, labels)?
            }
            VectorNode::Once(child) => {
                let (mut rows, loan) = self.at_first_step()?.mixed(child)?.into_parts();
                let mut charge = Charge::new(self.limits);
                charge.absorb(loan);
                for row in &mut rows {
                    self.limits.check()?;
                    charge.bytes(bytes_of::<Cell>(self.grid.count))?;
                    let cell = row.cells.first().cloned().unwrap_or_default();
                    row.cells.resize(self.grid.count, cell);
                }
                Held::new(rows, charge.into_loan())
            }
            VectorNode::Shared(shared) => return self.mixed(&shared.child),
            VectorNode::Chain(chain) => self.mixed_chain(chain)?,
            VectorNode::Aggregate(aggregate) => self.mixed_aggregate(node, aggregate)?,
            VectorNode::Histogram(call) => self.mixed_histogram_call(node, call)?,
            VectorNode::OfHistogram { child, what } => self.of_histogram(child, *what)?,
            VectorNode::LabelReplace(_)
            | VectorNode::LabelJoin(_)
            | VectorNode::Sort {
                by: SortBy::Labels(_),
                ..
            } => self.carried(node, self.view)?,
            VectorNode::Info(_) => {
                // Info series are floats.
                let floats = FloatsOnly::new(self.view);
                self.carried(node, &floats).map_err(|error| {
                    if floats.met_histograms() {
                        Error::new(ErrorKind::Execution, "info sample should be float")
                    } else {
                        error
                    }
                })?
            }
            // The time of a step is that of a histogram too.
            VectorNode::Map { parameters, .. }
                if matches!(parameters.as_slice(), [ScalarNode::Time]) =>
            {
                self.of_any(node)?
            }
            VectorNode::Absent { .. } => self.of_any(node)?,
            VectorNode::Map {
                child, function, ..
            } if std::ptr::fn_addr_eq(*function, functions::negate as ColumnFunction) => {
                self.negated(child)?
            }
            VectorNode::Map { .. } | VectorNode::Sort { .. } | VectorNode::FromScalar(_) => {
                self.of_floats(node)?
            }
        })
    }

    /// The same, whatever was given to the evaluator that made it.
    fn outlasting<T>(&self, held: Held<'_, T>) -> Held<'e, T> {
        let (value, loan) = held.into_parts();
        let (samples, bytes) = loan.keep();
        Held::new(value, Loan::of_held(self.limits, samples, bytes))
    }

    /// What columns give of a node whose children are given.
    fn with_given<'g>(&self, node: &'g VectorNode, given: &'g Given<'e>) -> Result<Rows<'g>, Error>
    where
        'e: 'g,
    {
        let evaluator: Evaluator<'g> = Evaluator {
            given: Some(given),
            ..*self
        };
        evaluator.vector(node)
    }

    /// A node that looks at floats alone.
    fn of_floats(&self, node: &'e VectorNode) -> Result<Mixed<'e>, Error> {
        let mut given = Given::default();
        if let Some(child) = self.give_scalars(node, &mut given)? {
            given.insert(child, floats(&self.mixed(child)?, self.limits)?);
        }
        let rows = self.with_given(node, &given)?;
        of_rows(rows, self.grid.count, self.limits)
    }

    /// A node that looks at what is there, whatever it is.
    fn of_any(&self, node: &'e VectorNode) -> Result<Mixed<'e>, Error> {
        let mut given = Given::default();
        if let Some(child) = self.give_scalars(node, &mut given)? {
            given.insert(child, encoded(&self.mixed(child)?, 0, self.limits)?);
        }
        let rows = self.with_given(node, &given)?;
        of_rows(rows, self.grid.count, self.limits)
    }

    /// A node that picks or renames elements and leaves their values as they are.
    fn carried(&self, node: &'e VectorNode, view: &dyn View) -> Result<Mixed<'e>, Error> {
        let mut given = Given::default();
        let mut children = Mixed::new(Vec::new(), Loan::new(self.limits));
        if let Some(child) = self.give_scalars(node, &mut given)? {
            children = self.mixed(child)?;
            given.insert(child, encoded(&children, 0, self.limits)?);
        }
        let evaluator = Evaluator {
            given: Some(&given),
            view,
            ..*self
        };
        let rows = evaluator.vector(node)?;
        let (children, loan) = children.into_parts();
        let cell = |number, step| numbered(&children, number, step);
        decoded(rows, self.grid.count, self.limits, Some(loan), cell)
    }

    /// Gives the vectors within the scalars of a node, and names its own vector.
    fn give_scalars(
        &self,
        node: &'e VectorNode,
        given: &mut Given<'e>,
    ) -> Result<Option<&'e VectorNode>, Error> {
        Ok(match node {
            VectorNode::Map {
                child, parameters, ..
            } => {
                for parameter in parameters {
                    self.give_scalar(parameter, given)?;
                }
                Some(&**child)
            }
            VectorNode::FromScalar(scalar) => {
                self.give_scalar(scalar, given)?;
                None
            }
            VectorNode::Absent { child, .. } | VectorNode::Sort { child, .. } => Some(&**child),
            VectorNode::LabelReplace(node) => Some(&node.child),
            VectorNode::LabelJoin(node) => Some(&node.child),
            VectorNode::Info(node) => Some(&node.child),
            VectorNode::Aggregate(node) => {
                if let Parameter::Scalar(scalar, _) = &node.parameter {
                    self.give_scalar(scalar, given)?;
                }
                Some(&node.child)
            }
            VectorNode::Histogram(node) => {
                match &node.what {
                    HistogramQuestion::Quantiles(quantiles, _) => {
                        for (quantile, _) in quantiles {
                            self.give_scalar(quantile, given)?;
                        }
                    }
                    HistogramQuestion::Fraction { lower, upper } => {
                        self.give_scalar(lower, given)?;
                        self.give_scalar(upper, given)?;
                    }
                }
                Some(&node.child)
            }
            _ => None,
        })
    }

    fn give_scalar(&self, node: &'e ScalarNode, given: &mut Given<'e>) -> Result<(), Error> {
        match node {
            ScalarNode::Number(_) | ScalarNode::Time => Ok(()),
            ScalarNode::Once(inner) => self.at_first_step()?.give_scalar(inner, given),
            ScalarNode::OfVector(child) => {
                given.insert(child, floats(&self.mixed(child)?, self.limits)?);
                Ok(())
            }
            ScalarNode::Chain { first, rest } => {
                self.give_scalar(first, given)?;
                rest.iter()
                    .try_for_each(|(_, it)| self.give_scalar(it, given))
            }
            ScalarNode::Negate(inner) => self.give_scalar(inner, given),
            ScalarNode::Extreme { lhs, rhs, .. } => {
                self.give_scalar(lhs, given)?;
                self.give_scalar(rhs, given)
            }
        }
    }

    /// One number a step.
    fn scalar_with_histograms(&self, node: &'e ScalarNode) -> Result<Held<'e, Vec<f64>>, Error> {
        let mut given = Given::default();
        self.give_scalar(node, &mut given)?;
        let evaluator = Evaluator {
            given: Some(&given),
            ..*self
        };
        Ok(self.outlasting(evaluator.scalar(node)?))
    }
}
