//! Functions of native histograms.

use std::sync::Arc;

use super::Given;
use super::cells::{Cell, Charge, Mixed, MixedRow, floats, keep, merged, of_rows};
use crate::Error;
use crate::eval::Evaluator;
use crate::eval::column::is_present;
use crate::eval::rows::WORK_A_LABEL_SET;
use crate::functions::numeric::open_metrics_float;
use crate::histogram::Quantile;
use crate::labels::{BUCKET, METRIC_NAME};
use crate::limits::{Held, Loan};
use crate::plan::{HistogramCall, HistogramNumber, HistogramQuestion, VectorNode};
use crate::{FloatHistogram, Labels};

/// What is asked of histograms, its numbers evaluated.
enum Asked<'n> {
    /// A column, and the label that tells answers apart.
    Quantile(&'n [f64], Option<&'n str>),
    Fraction(&'n [f64], &'n [f64]),
}

impl<'e> Evaluator<'e> {
    /// `-`: below zero nothing counts.
    pub(super) fn negated(&self, child: &'e VectorNode) -> Result<Mixed<'e>, Error> {
        let (mut rows, loan) = self.mixed(child)?.into_parts();
        let mut charge = Charge::new(self.limits);
        charge.absorb(loan);
        let mut work = 0;
        for cell in rows.iter_mut().flat_map(|row| &mut row.cells) {
            match cell {
                Cell::Absent => {}
                Cell::Float(value) => *value = -*value,
                Cell::Histogram(histogram) => {
                    self.limits.check_work(&mut work, histogram.cells())?;
                    // One that stands at several steps becomes several.
                    if Arc::get_mut(histogram).is_none() {
                        charge.bytes(histogram.heap_bytes())?;
                    }
                    Arc::make_mut(histogram).scale(-1.0);
                }
            }
        }
        self.renamed(Held::new(rows, charge.into_loan()))
    }

    /// A number of each histogram; floats have none.
    pub(super) fn of_histogram(
        &self,
        child: &'e VectorNode,
        what: HistogramNumber,
    ) -> Result<Mixed<'e>, Error> {
        let number = |histogram: &FloatHistogram| match what {
            HistogramNumber::Avg => histogram.sum / histogram.count,
            HistogramNumber::Count => histogram.count,
            HistogramNumber::Stddev => histogram.variance().sqrt(),
            HistogramNumber::Stdvar => histogram.variance(),
            HistogramNumber::Sum => histogram.sum,
        };
        let evaluator = Self {
            tells_resets: !matches!(what, HistogramNumber::Stddev | HistogramNumber::Stdvar)
                || self.tells_resets,
            ..*self
        };
        let (rows, _histograms) = evaluator.mixed(child)?.into_parts();
        let mut numbers = Vec::with_capacity(rows.len());
        let mut all = Charge::new(self.limits);
        for mut row in rows {
            let mut charge = Charge::new(self.limits);
            charge.row(&row.labels, row.cells.len())?;
            for cell in &mut row.cells {
                *cell = match cell.histogram() {
                    Some(histogram) => Cell::Float(number(histogram)),
                    None => Cell::Absent,
                };
                charge.cell(cell)?;
            }
            keep(row, charge, &mut numbers, &mut all);
        }
        self.renamed(Held::new(numbers, all.into_loan()))
    }

    /// `histogram_quantile`, `histogram_quantiles` and `histogram_fraction` of native
    /// histograms and of classic ones, but where both have the same labels.
    pub(super) fn mixed_histogram_call(
        &self,
        node: &'e VectorNode,
        call: &'e HistogramCall,
    ) -> Result<Mixed<'e>, Error> {
        let mut given = Given::default();
        self.give_scalars(node, &mut given)?;
        let whole = Self {
            tells_resets: false,
            ..*self
        };
        let mut rows = whole.mixed(&call.child)?;
        self.part_classic(&mut rows, call)?;
        let mut results = Mixed::new(Vec::new(), Loan::new(self.limits));
        let with_given = Evaluator {
            given: Some(&given),
            ..*self
        };
        match &call.what {
            HistogramQuestion::Quantiles(quantiles, label) => {
                for (quantile, span) in quantiles {
                    let column = with_given.scalar(quantile)?;
                    column.iter().for_each(|&q| self.notes.quantile(q, *span));
                    let asked = Asked::Quantile(&column, label.as_deref());
                    self.answers(&rows, &asked, call, &mut results)?;
                }
            }
            HistogramQuestion::Fraction { lower, upper } => {
                let (lower, upper) = (with_given.scalar(lower)?, with_given.scalar(upper)?);
                let asked = Asked::Fraction(&lower, &upper);
                self.answers(&rows, &asked, call, &mut results)?;
            }
        }
        let mut results = self.renamed(results)?;
        given.insert(&call.child, floats(&rows, self.limits)?);
        drop(rows);
        let classic = self.with_given(node, &given)?;
        let (mut classic, loan) = of_rows(classic, self.grid.count, self.limits)?.into_parts();
        let (rows, all) = results.parts_mut();
        rows.append(&mut classic);
        all.absorb(loan);
        merged(results)
    }

    /// Takes away native histograms, and buckets of classic ones, that differ in nothing else.
    fn part_classic(&self, rows: &mut [MixedRow], call: &HistogramCall) -> Result<(), Error> {
        let mut charge = Charge::new(self.limits);
        let mut buckets: Vec<(usize, Labels)> = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            if !row.labels.get(BUCKET).is_empty() {
                charge.row(&row.labels, 0)?;
                buckets.push((at, row.labels.with(BUCKET, "")));
            }
        }
        let mut work = 0;
        for at in 0..rows.len() {
            for step in 0..self.grid.count {
                if rows[at].cells[step].histogram().is_none() {
                    continue;
                }
                let compared = 1 + WORK_A_LABEL_SET * buckets.len();
                self.limits.check_work(&mut work, compared)?;
                let same: Vec<usize> = buckets
                    .iter()
                    .filter(|(other, labels)| {
                        *labels == rows[at].labels && is_present(rows[*other].cells[step].float())
                    })
                    .map(|(other, _)| *other)
                    .collect();
                if same.is_empty() {
                    continue;
                }
                let name = rows[at].labels.get(METRIC_NAME).to_owned();
                self.notes.mixed_classic(&name, call.span);
                rows[at].cells[step] = Cell::Absent;
                for other in same {
                    rows[other].cells[step] = Cell::Absent;
                }
            }
        }
        Ok(())
    }

    fn answers(
        &self,
        rows: &[MixedRow],
        asked: &Asked<'_>,
        call: &HistogramCall,
        results: &mut Mixed<'e>,
    ) -> Result<(), Error> {
        let (results, loan) = results.parts_mut();
        let mut work = 0;
        for row in rows {
            let mut charge = Charge::new(self.limits);
            let name = if self.delayed_name_removal {
                row.labels.get(METRIC_NAME)
            } else {
                ""
            };
            let mut parts: Vec<MixedRow> = Vec::new();
            for (step, cell) in row.cells.iter().enumerate() {
                let Some(histogram) = cell.histogram() else {
                    continue;
                };
                self.limits.check_work(&mut work, histogram.cells())?;
                let (value, labels) = match asked {
                    Asked::Quantile(column, label) => {
                        let q = column[step];
                        let value = self.quantile_of(histogram, q, name, call);
                        let labels = match label {
                            Some(label) => row.labels.with(label, &open_metrics_float(q)),
                            None => row.labels.clone(),
                        };
                        (value, labels)
                    }
                    Asked::Fraction(lower, upper) => {
                        let fraction = histogram.fraction(lower[step], upper[step]);
                        if fraction.without_nan {
                            self.notes.fraction_without_nan(name, call.span);
                        }
                        (fraction.value, row.labels.clone())
                    }
                };
                let at = match parts.iter().position(|part| part.labels == labels) {
                    Some(at) => at,
                    None => {
                        charge.row(&labels, self.grid.count)?;
                        parts.push(MixedRow {
                            labels,
                            drop_name: row.drop_name,
                            cells: vec![Cell::Absent; self.grid.count],
                        });
                        parts.len() - 1
                    }
                };
                let cell = Cell::Float(value);
                charge.cell(&cell)?;
                parts[at].cells[step] = cell;
            }
            results.append(&mut parts);
            loan.absorb(charge.into_loan());
        }
        Ok(())
    }

    fn quantile_of(
        &self,
        histogram: &FloatHistogram,
        q: f64,
        name: &str,
        call: &HistogramCall,
    ) -> f64 {
        match histogram.quantile(q) {
            Quantile::Exact(value) => value,
            Quantile::Nan => {
                self.notes.quantile_is_nan(name, call.span);
                f64::NAN
            }
            Quantile::Skewed(value) => {
                self.notes.quantile_is_skewed(name, call.span);
                value
            }
        }
    }
}
