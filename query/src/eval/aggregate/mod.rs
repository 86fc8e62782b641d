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
use super::rows::Rows;
use crate::Error;
use crate::limits::{Held, Loan, Swept};
use crate::parse::ast::AggregateOp;
use crate::plan::{Aggregate, Parameter};

impl<'e> Evaluator<'e> {
    pub(super) fn aggregate(&self, node: &'e Aggregate) -> Result<Rows<'e>, Error> {
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
    fn number_parameter(&self, node: &'e Aggregate) -> Result<Held<'e, Vec<f64>>, Error> {
        match &node.parameter {
            Parameter::Scalar(scalar, _) => self.scalar(scalar),
            Parameter::None | Parameter::Label(_) => self.column(f64::NAN),
        }
    }

    /// Aggregations that need to keep no more than a state for each group and step.
    fn fold<S: State>(
        &self,
        node: &'e Aggregate,
        result: impl Fn(&S) -> f64,
    ) -> Result<Rows<'e>, Error> {
        let mut groups = Groups::new(&node.grouping, self.limits);
        let mut columns: Swept<'_, Vec<Column<S>>> = Swept::new(Vec::new(), self.limits);
        let mut loan = Loan::new(self.limits);
        self.open(&node.child)?.run(self, &mut |labels, cells| {
            let range = super::column::present_range(cells.values);
            if range.is_empty() {
                return Ok(());
            }
            let group = groups.of(labels)?;
            if group == columns.len() {
                loan.add(0, 2 * size_of::<Column<S>>())?;
                columns.push(Column::default());
            }
            let column = &mut columns[group];
            let first = cells.first + range.start;
            let more = column.missing(first, range.len());
            loan.add(more, more * size_of::<Option<S>>())?;
            column.add(first, &cells.values[range]);
            Ok(())
        })?;
        let mut rows = Rows::none(self.limits);
        let mut values = self.column(ABSENT)?;
        for ((labels, drop_name), column) in groups.into_labels().zip(columns) {
            self.limits.check()?;
            let count = column.states.len();
            for (value, state) in values.iter_mut().zip(&column.states) {
                let state = state.as_ref();
                *value = state.map_or(ABSENT, |state| super::column::cell(result(state)));
            }
            let first = column.first;
            drop(column);
            loan.give_back(count, count * size_of::<Option<S>>());
            rows.add(|| labels, drop_name, first, &values[..count])?;
        }
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
    /// How many states there would be more with those of so many steps.
    fn missing(&self, first: usize, count: usize) -> usize {
        if self.states.is_empty() {
            return count;
        }
        let before = self.first.saturating_sub(first);
        before + (first + count).saturating_sub(self.first + self.states.len())
    }

    /// Takes the values in that begin at a step.
    fn add(&mut self, first: usize, values: &[f64]) {
        self.states.reserve_exact(self.missing(first, values.len()));
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_grows_to_both_sides() {
        let mut column = Column::<Sum>::default();
        for (first, values, missing) in [
            (5, &[1.0, ABSENT][..], 2),
            (3, &[2.0], 2),
            (5, &[4.0, 8.0, 16.0], 1),
        ] {
            assert_eq!(column.missing(first, values.len()), missing);
            column.add(first, values);
        }
        let totals: Vec<_> = column
            .states
            .iter()
            .map(|state| state.as_ref().map(|sum| sum.total()))
            .collect();
        assert_eq!(column.first, 3);
        assert_eq!(totals, [Some(2.0), None, Some(5.0), Some(8.0), Some(16.0)]);
    }
}
