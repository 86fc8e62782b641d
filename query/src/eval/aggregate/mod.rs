//! Aggregation operators: rows come in as a stream, groups go out.

mod count_values;
mod groups;
mod limit_ratio;
mod quantile;
mod state;
mod topk;

use self::groups::Groups;
use self::state::{Average, Count, Extremum, Present, State, Sum, Variance};
use super::Evaluator;
use super::column::{ABSENT, is_present};
use super::rows::Row;
use crate::Error;
use crate::parse::ast::AggregateOp;
use crate::plan::{Aggregate, Parameter};

impl<'e> Evaluator<'e> {
    pub(super) fn aggregate(&self, node: &'e Aggregate) -> Result<Vec<Row>, Error> {
        match node.op {
            AggregateOp::Sum => self.fold::<Sum>(node, |sum| sum.total()),
            AggregateOp::Avg => self.fold(node, Average::value),
            AggregateOp::Count => self.fold(node, Count::value),
            AggregateOp::Min => self.fold(node, Extremum::<false>::value),
            AggregateOp::Max => self.fold(node, Extremum::<true>::value),
            AggregateOp::Group => self.fold::<Present>(node, |_| 1.0),
            AggregateOp::Stddev => self.fold::<Variance>(node, |variance| variance.value().sqrt()),
            AggregateOp::Stdvar => self.fold(node, Variance::value),
            AggregateOp::Quantile => self.quantiles(node),
            AggregateOp::Topk | AggregateOp::Bottomk | AggregateOp::Limitk => self.topk(node),
            AggregateOp::CountValues => self.count_values(node),
            AggregateOp::LimitRatio => self.limit_ratio(node),
        }
    }

    /// The number before the vector, for each step.
    fn number_parameter(&self, node: &'e Aggregate) -> Result<Vec<f64>, Error> {
        match &node.parameter {
            Parameter::Scalar(scalar, _) => self.scalar(scalar),
            Parameter::None | Parameter::Label(_) => Ok(vec![f64::NAN; self.grid.count]),
        }
    }

    /// Aggregations that need to keep no more than a state for each group and step.
    fn fold<S: State>(
        &self,
        node: &'e Aggregate,
        result: impl Fn(&S) -> f64,
    ) -> Result<Vec<Row>, Error> {
        let mut groups = Groups::new(&node.grouping);
        let mut columns: Vec<Column<S>> = Vec::new();
        self.open(&node.child)?.run(self, &mut |labels, cells| {
            let range = super::column::present_range(cells.values);
            if range.is_empty() {
                return Ok(());
            }
            let group = groups.of(labels);
            if group == columns.len() {
                columns.push(Column::default());
            }
            let grown = columns[group].add(cells.first + range.start, &cells.values[range]);
            self.limits.hold(grown)
        })?;
        let rows = groups
            .into_labels()
            .zip(columns)
            .map(|((labels, drop_name), column)| Row {
                labels,
                drop_name,
                first: column.first,
                values: column
                    .states
                    .iter()
                    .map(|state| {
                        state
                            .as_ref()
                            .map_or(ABSENT, |state| super::column::cell(result(state)))
                    })
                    .collect(),
            })
            .collect();
        Ok(rows)
    }
}

/// A state for each step of the part of the grid that a group covers.
struct Column<S> {
    /// The step of the first state.
    first: usize,
    states: Vec<Option<S>>,
}

impl<S> Default for Column<S> {
    fn default() -> Self {
        Self {
            first: 0,
            states: Vec::new(),
        }
    }
}

impl<S: State> Column<S> {
    /// Takes the values in that begin at a step; gives how many states are new.
    fn add(&mut self, first: usize, values: &[f64]) -> usize {
        let before = self.states.len();
        if self.states.is_empty() {
            self.first = first;
        }
        if first < self.first {
            let missing = self.first - first;
            self.states
                .splice(0..0, std::iter::repeat_with(|| None).take(missing));
            self.first = first;
        }
        let end = first + values.len() - self.first;
        if end > self.states.len() {
            self.states.resize_with(end, || None);
        }
        for (state, &value) in self.states[first - self.first..].iter_mut().zip(values) {
            if is_present(value) {
                match state {
                    Some(state) => state.add(value),
                    None => *state = Some(S::of(value)),
                }
            }
        }
        self.states.len() - before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_grows_to_both_sides() {
        let mut column = Column::<Sum>::default();
        assert_eq!(column.add(5, &[1.0, ABSENT]), 2);
        assert_eq!(column.add(3, &[2.0]), 2);
        assert_eq!(column.add(5, &[4.0, 8.0, 16.0]), 1);
        let totals: Vec<_> = column
            .states
            .iter()
            .map(|state| state.as_ref().map(|sum| sum.total()))
            .collect();
        assert_eq!(column.first, 3);
        assert_eq!(totals, [Some(2.0), None, Some(5.0), Some(8.0), Some(16.0)]);
    }
}
