//! `quantile`: needs all values of a group at a step at once.

use super::groups::Groups;
use crate::Error;
use crate::eval::Evaluator;
use crate::eval::column::{ABSENT, cell, is_present};
use crate::eval::rows::{Cells, Origin, Row, RowLabels};
use crate::functions::numeric::{max, min, quantile};
use crate::plan::{Aggregate, Parameter};

/// The number of the group of each row, and the groups.
pub(super) fn grouped<'g>(node: &'g Aggregate, rows: &[Row]) -> (Vec<usize>, Groups<'g>) {
    let mut groups = Groups::new(&node.grouping);
    let of_rows = rows
        .iter()
        .map(|row| {
            groups.of(RowLabels {
                origin: Origin::Made(&row.labels),
                without_metadata: false,
                drop_name: row.drop_name,
            })
        })
        .collect();
    (of_rows, groups)
}

impl<'e> Evaluator<'e> {
    pub(super) fn quantiles(&self, node: &'e Aggregate) -> Result<Vec<Row>, Error> {
        let parameter = self.number_parameter(node)?;
        self.note_quantiles(node, &parameter);
        // Rows go straight to their groups: no label string is needed but one a group.
        let mut groups = Groups::new(&node.grouping);
        let mut members: Vec<Vec<(usize, Vec<f64>)>> = Vec::new();
        self.open(&node.child)?
            .run(self, &mut |labels, cells: Cells<'_>| {
                let range = crate::eval::column::present_range(cells.values);
                if range.is_empty() {
                    return Ok(());
                }
                let group = groups.of(labels);
                if group == members.len() {
                    members.push(Vec::new());
                }
                self.limits.hold(range.len())?;
                members[group].push((cells.first + range.start, cells.values[range].to_vec()));
                Ok(())
            })?;
        let mut result = Vec::with_capacity(members.len());
        let mut at_step = Vec::new();
        let mut work = 0;
        for ((labels, drop_name), members) in groups.into_labels().zip(&members) {
            self.limits.check()?;
            let mut values = vec![ABSENT; self.grid.count];
            for (step, value) in values.iter_mut().enumerate() {
                self.limits.check_work(&mut work, members.len())?;
                at_step.clear();
                at_step.extend(members.iter().filter_map(|(first, values)| {
                    let value = values.get(step.checked_sub(*first)?)?;
                    is_present(*value).then_some(*value)
                }));
                if !at_step.is_empty() {
                    *value = cell(quantile(parameter[step], &mut at_step));
                }
            }
            if let Some(mut row) = Row::trimmed(labels, 0, &values) {
                row.drop_name = drop_name;
                self.limits.hold(row.values.len())?;
                result.push(row);
            }
        }
        Ok(result)
    }

    /// Warns of what lies outside 0 to 1, as Prometheus does: of the ends of the range.
    fn note_quantiles(&self, node: &Aggregate, quantiles: &[f64]) {
        let Parameter::Scalar(_, span) = &node.parameter else {
            return;
        };
        if quantiles.iter().any(|q| q.is_nan()) {
            self.notes.quantile(f64::NAN, *span);
        }
        let largest = quantiles.iter().copied().fold(-f64::MAX, max);
        let smallest = quantiles.iter().copied().fold(f64::MAX, min);
        if largest > 1.0 {
            self.notes.quantile(largest, *span);
        }
        if smallest < 0.0 {
            self.notes.quantile(smallest, *span);
        }
    }
}
