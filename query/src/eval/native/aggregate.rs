//! Aggregations of floats and histograms.

use std::sync::Arc;

use hashbrown::HashMap;

use super::Given;
use super::cells::{Cell, Charge, Mixed, MixedRow, floats, merged, of_rows};
use super::notes::Purpose;
use crate::eval::Evaluator;
use crate::histogram::{FloatHistogram, HistogramSum, ResetHint};
use crate::labels::METRIC_NAME;
use crate::limits::{Held, bytes_of};
use crate::parse::ast::{AggregateOp, Grouping};
use crate::plan::{Aggregate, Parameter, VectorNode};
use crate::{Error, Labels};

impl<'e> Evaluator<'e> {
    pub(super) fn mixed_aggregate(
        &self,
        node: &'e VectorNode,
        aggregate: &'e Aggregate,
    ) -> Result<Mixed<'e>, Error> {
        match aggregate.op {
            AggregateOp::Count | AggregateOp::Group => self.of_any(node),
            AggregateOp::Limitk | AggregateOp::LimitRatio => self.carried(node, self.view),
            AggregateOp::Sum | AggregateOp::Avg => self.totals(node, aggregate),
            AggregateOp::CountValues => self.counted_values(node, aggregate),
            AggregateOp::Min
            | AggregateOp::Max
            | AggregateOp::Stddev
            | AggregateOp::Stdvar
            | AggregateOp::Quantile
            | AggregateOp::Topk
            | AggregateOp::Bottomk => self.floats_alone(node, aggregate),
        }
    }

    /// An aggregation that leaves histograms out and says so.
    fn floats_alone(
        &self,
        node: &'e VectorNode,
        aggregate: &'e Aggregate,
    ) -> Result<Mixed<'e>, Error> {
        let mut given = Given::default();
        self.give_scalars(node, &mut given)?;
        let rows = self.mixed(&aggregate.child)?;
        let mut cells = rows.iter().flat_map(|row| &row.cells);
        if cells.any(|cell| cell.histogram().is_some()) {
            let span = match aggregate.op {
                AggregateOp::Topk | AggregateOp::Bottomk => aggregate.span,
                _ => aggregate.child_span,
            };
            self.notes
                .ignored_in_aggregation(aggregate.op.as_str(), span);
        }
        given.insert(&aggregate.child, floats(&rows, self.limits)?);
        drop(rows);
        let rows = self.with_given(node, &given)?;
        of_rows(rows, self.grid.count, self.limits)
    }

    /// `sum` and `avg`: of floats or of histograms; a group with both has neither.
    fn totals(&self, node: &'e VectorNode, aggregate: &'e Aggregate) -> Result<Mixed<'e>, Error> {
        let rows = self.mixed(&aggregate.child)?;
        let mut given = Given::default();
        given.insert(&aggregate.child, floats(&rows, self.limits)?);
        let results = self.with_given(node, &given)?;
        let results = of_rows(results, self.grid.count, self.limits)?;
        let (mut results, loan) = results.into_parts();
        drop(given);
        let mut charge = Charge::new(self.limits);
        charge.absorb(loan);
        let mut grouped = Charge::new(self.limits);
        for group in groups(&rows, &aggregate.grouping, &mut grouped)? {
            let place = results.iter().position(|row| row.labels == group.labels);
            let place = match place {
                Some(place) => place,
                None => {
                    charge.row(&group.labels, self.grid.count)?;
                    results.push(MixedRow {
                        labels: group.labels.clone(),
                        drop_name: group.drop_name,
                        cells: vec![Cell::Absent; self.grid.count],
                    });
                    results.len() - 1
                }
            };
            for step in 0..self.grid.count {
                self.limits.check()?;
                let members = group.rows.iter().filter_map(|&row| {
                    let histogram = rows[row].cells[step].histogram()?;
                    Some((histogram, rows[row].labels.get(METRIC_NAME)))
                });
                let members: Vec<_> = members.collect();
                if members.is_empty() {
                    continue;
                }
                let cell = &mut results[place].cells[step];
                if cell.is_absent() {
                    let is_average = aggregate.op == AggregateOp::Avg;
                    if let Some(total) = self.total(&members, is_average, aggregate)? {
                        let total = Cell::Histogram(Arc::new(total));
                        charge.cell(&total)?;
                        *cell = total;
                    }
                } else {
                    self.notes.mixed_group(aggregate.child_span);
                    *cell = Cell::Absent;
                }
            }
        }
        results.retain(|row| !row.is_empty());
        Ok(Held::new(results, charge.into_loan()))
    }

    fn total(
        &self,
        members: &[(&Arc<FloatHistogram>, &str)],
        is_average: bool,
        aggregate: &Aggregate,
    ) -> Result<Option<FloatHistogram>, Error> {
        let span = aggregate.child_span;
        let mut total = Total::default();
        let mut work = 0;
        for (histogram, name) in members {
            self.limits
                .check_work(&mut work, WORK_A_CELL * histogram.cells())?;
            match total.add(histogram, is_average) {
                Ok(bounds) => {
                    if bounds {
                        self.notes.reconciled(
                            crate::histogram::Reconciled {
                                bounds,
                                ..Default::default()
                            },
                            Purpose::Aggregation,
                            span,
                        );
                    }
                }
                Err(_) => {
                    self.notes.mixed_schemas(name, span);
                    return Ok(None);
                }
            }
        }
        if total.hints_collide() {
            self.notes.colliding_resets(Purpose::Aggregation, span);
        }
        Ok(total.value(is_average))
    }

    fn counted_values(
        &self,
        node: &'e VectorNode,
        aggregate: &'e Aggregate,
    ) -> Result<Mixed<'e>, Error> {
        let rows = self.mixed(&aggregate.child)?;
        let mut given = Given::default();
        given.insert(&aggregate.child, floats(&rows, self.limits)?);
        let results = self.with_given(node, &given)?;
        let mut results = of_rows(results, self.grid.count, self.limits)?;
        let Parameter::Label(label) = &aggregate.parameter else {
            return Ok(results);
        };
        let mut counts: HashMap<Labels, Vec<f64>, foldhash::fast::RandomState> = HashMap::default();
        let mut charge = Charge::new(self.limits);
        let mut work = 0;
        for row in rows.iter() {
            for (step, cell) in row.cells.iter().enumerate() {
                let Some(histogram) = cell.histogram() else {
                    continue;
                };
                self.limits
                    .check_work(&mut work, WORK_A_TEXT * histogram.cells())?;
                let text = histogram.to_string();
                // The label that is made may be one to group by.
                let labels = match &aggregate.grouping {
                    Grouping::By(names) => row.labels.matching(true, names),
                    Grouping::Without(names) => row.labels.matching(false, names),
                };
                let labels = labels.with(label, &text);
                if !counts.contains_key(&labels) {
                    // A column of counts, and the row that it becomes.
                    charge.row(&labels, self.grid.count)?;
                    charge.bytes(2 * bytes_of::<f64>(self.grid.count))?;
                }
                let column = counts
                    .entry(labels)
                    .or_insert_with(|| vec![0.0; self.grid.count]);
                column[step] += 1.0;
            }
        }
        let (made, loan) = results.parts_mut();
        for (labels, counts) in counts {
            self.limits.check()?;
            let cells = counts.into_iter().map(|count| match count {
                0.0 => Cell::Absent,
                count => Cell::Float(count),
            });
            made.push(MixedRow {
                labels,
                drop_name: false,
                cells: cells.collect(),
            });
        }
        loan.absorb(charge.into_loan());
        merged(results)
    }
}

/// Rows with the same grouping labels.
struct Group {
    labels: Labels,
    drop_name: bool,
    rows: Vec<usize>,
}

/// What adding up a cell of a histogram costs, in samples looked at, and what writing it does.
const WORK_A_CELL: usize = 4;
const WORK_A_TEXT: usize = 64;

/// The groups that have a histogram.
fn groups(
    rows: &[MixedRow],
    grouping: &Grouping,
    charge: &mut Charge<'_>,
) -> Result<Vec<Group>, Error> {
    let mut places: HashMap<Labels, usize, foldhash::fast::RandomState> = HashMap::default();
    let mut groups: Vec<Group> = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        if !row.cells.iter().any(|cell| cell.histogram().is_some()) {
            continue;
        }
        let labels = match grouping {
            Grouping::By(names) => row.labels.matching(true, names),
            Grouping::Without(names) => row.labels.matching(false, names),
        };
        // The group has them, and the table; a number for each row.
        charge.row(&labels, 0)?;
        charge.row(&labels, 1)?;
        let next = groups.len();
        let place = *places.entry(labels.clone()).or_insert(next);
        if place == next {
            groups.push(Group {
                labels,
                drop_name: false,
                rows: Vec::new(),
            });
        }
        groups[place].drop_name |= row.drop_name;
        groups[place].rows.push(at);
    }
    Ok(groups)
}

/// A sum of histograms, or their mean: of the sum as long as that is finite, then incremental.
#[derive(Default)]
pub(super) struct Total {
    sum: Option<HistogramSum>,
    count: f64,
    is_mean: bool,
    hints: Vec<ResetHint>,
}

impl Total {
    /// Takes a histogram in; whether custom bounds had to be reconciled.
    pub(super) fn add(
        &mut self,
        histogram: &FloatHistogram,
        is_average: bool,
    ) -> Result<bool, crate::histogram::Incompatible> {
        self.hints.push(histogram.reset_hint);
        self.count += 1.0;
        let Some(sum) = &mut self.sum else {
            self.sum = Some(HistogramSum::of(histogram.clone()));
            return Ok(false);
        };
        if !is_average {
            return Ok(sum.add(histogram)?.bounds);
        }
        if !self.is_mean {
            let mut next = sum.clone();
            let reconciled = next.add(histogram)?;
            if !next.has_overflow() {
                *sum = next;
                return Ok(reconciled.bounds);
            }
            self.is_mean = true;
            sum.divide(self.count - 1.0);
        }
        sum.scale((self.count - 1.0) / self.count);
        let mut part = histogram.clone();
        part.divide(self.count);
        Ok(sum.add(&part)?.bounds)
    }

    /// Whether some are known to follow a reset and others not to.
    pub(super) fn hints_collide(&self) -> bool {
        self.hints.contains(&ResetHint::Reset) && self.hints.contains(&ResetHint::NoReset)
    }

    pub(super) fn value(self, is_average: bool) -> Option<FloatHistogram> {
        let mut sum = self.sum?;
        if is_average && !self.is_mean {
            sum.divide(self.count);
        }
        Some(sum.total())
    }
}
