//! `quantile`: needs all values of a group at a step at once.

use super::groups::Groups;
use crate::Error;
use crate::eval::Evaluator;
use crate::eval::binary::matching::BySignature;
use crate::eval::column::{ABSENT, cell, is_present};
use crate::eval::rows::{Cells, Origin, Row, RowLabels, Rows, WORK_A_LABEL_SET};
use crate::functions::Patience;
use crate::functions::numeric::{max, min, quantile};
use crate::limits::{Held, Limits, Loan, Swept, bytes_of};
use crate::plan::{Aggregate, Parameter};

/// The number of the group of each row, and the groups.
///
/// # Errors
/// [`crate::ErrorKind::Execution`] where the query may not hold that.
pub(super) fn grouped<'g>(
    node: &'g Aggregate,
    rows: &[Row],
    limits: &'g Limits<'g>,
) -> Result<(Held<'g, Vec<usize>>, Groups<'g>), Error> {
    let mut groups = Groups::new(&node.grouping, limits);
    let mut loan = Loan::new(limits);
    loan.add(0, bytes_of::<usize>(rows.len()))?;
    let mut work = 0;
    let of_rows = rows
        .iter()
        .map(|row| {
            limits.check_work(&mut work, WORK_A_LABEL_SET)?;
            groups.of(RowLabels {
                origin: Origin::Made(&row.labels),
                without_metadata: false,
                drop_name: row.drop_name,
            })
        })
        .collect::<Result<Vec<usize>, Error>>()?;
    Ok((Held::new(of_rows, loan), groups))
}

impl<'e> Evaluator<'e> {
    pub(super) fn quantiles(&self, node: &'e Aggregate) -> Result<Rows<'e>, Error> {
        let parameter = self.number_parameter(node)?;
        self.note_quantiles(node, &parameter);
        // Rows go straight to their groups: no label string is needed but one a group.
        let mut groups = Groups::new(&node.grouping, self.limits);
        let mut loan = Loan::new(self.limits);
        let mut members: Swept<'_, Vec<(usize, Vec<f64>)>> = Swept::new(Vec::new(), self.limits);
        let mut of_members = Vec::new();
        self.open(&node.child)?
            .run(self, &mut |labels, cells: Cells<'_>| {
                let range = crate::eval::column::present_range(cells.values);
                if range.is_empty() {
                    return Ok(());
                }
                let group = groups.of(labels)?;
                // The lists of members have room for as many again.
                let bytes =
                    bytes_of::<f64>(range.len()) + 2 * size_of::<(usize, Vec<f64>, usize)>();
                loan.add(range.len(), bytes)?;
                members.push((cells.first + range.start, cells.values[range].to_vec()));
                of_members.push(group);
                Ok(())
            })?;
        let labels = groups.into_labels();
        loan.add(0, BySignature::bytes(&of_members, labels.len()))?;
        let by_group = BySignature::new(&of_members, labels.len());
        let mut result = Rows::none(self.limits);
        let sizes = (0..by_group.count()).map(|group| by_group.of(group).len());
        let most = sizes.max().unwrap_or(0);
        loan.add(0, bytes_of::<f64>(most))?;
        let mut at_step = Vec::with_capacity(most);
        let mut values = self.column(ABSENT)?;
        let mut work = 0;
        let patience = Patience::of(self.limits);
        for (group, (labels, drop_name)) in labels.enumerate() {
            let own = by_group.of(group);
            self.limits.check()?;
            for (step, value) in values.iter_mut().enumerate() {
                // Sorting takes a few times as long.
                self.limits.check_work(&mut work, 8 * own.len())?;
                *value = ABSENT;
                at_step.clear();
                for own in patience.pieces(own) {
                    at_step.extend(own.iter().filter_map(|&member| {
                        let (first, values) = members.get(member)?;
                        let value = values.get(step.checked_sub(*first)?)?;
                        is_present(*value).then_some(*value)
                    }));
                }
                if !at_step.is_empty() {
                    *value = cell(quantile(parameter[step], &mut at_step, patience));
                }
            }
            result.add(|| labels, drop_name, 0, &values)?;
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
