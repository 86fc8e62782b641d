//! `histogram_quantile`, `histogram_quantiles` and `histogram_fraction` over classic histograms.

use hashbrown::HashMap;

use super::Evaluator;
use super::column::{ABSENT, cell, is_present};
use super::keys::{KeyTable, key_bytes};
use super::order::go_sorted;
use super::rows::{Row, Rows, WORK_A_LABEL_SET, merge_same_labels};
use crate::functions::histogram::{Bucket, Corrected, bound, fraction, quantile};
use crate::functions::numeric::open_metrics_float;
use crate::labels::{BUCKET, METRIC_NAME};
use crate::limits::{Held, Loan, Swept, bytes_of};
use crate::plan::{HistogramCall, HistogramQuestion};
use crate::{Error, Labels};

/// The buckets of a histogram: bounds and rows, sorted by bound.
struct Histogram {
    labels: Labels,
    drop_name: bool,
    buckets: Vec<(f64, usize)>,
}

/// What a histogram takes beside its labels and buckets, in the list and in the table.
const HISTOGRAM_BYTES: usize = size_of::<Histogram>() + key_bytes::<Labels>() / 2;

/// What the label of a quantile and its place take.
const PART_BYTES: usize = 160;

/// What is asked, its numbers evaluated.
enum Asked<'n> {
    /// For each quantile a column, and the label that tells them apart.
    Quantiles(Vec<Held<'n, Vec<f64>>>, Option<&'n str>),
    Fraction {
        lower: Held<'n, Vec<f64>>,
        upper: Held<'n, Vec<f64>>,
    },
}

impl<'e> Evaluator<'e> {
    pub(super) fn histogram(&self, node: &'e HistogramCall) -> Result<Rows<'e>, Error> {
        let asked = match &node.what {
            HistogramQuestion::Quantiles(quantiles, label) => {
                let mut columns = Vec::with_capacity(quantiles.len());
                for (q, span) in quantiles {
                    let column = self.scalar(q)?;
                    for &q in column.iter() {
                        self.notes.quantile(q, *span);
                    }
                    columns.push(column);
                }
                Asked::Quantiles(columns, label.as_deref())
            }
            HistogramQuestion::Fraction { lower, upper } => Asked::Fraction {
                lower: self.scalar(lower)?,
                upper: self.scalar(upper)?,
            },
        };
        let rows = self.vector(&node.child)?;
        let mut results = Rows::none(self.limits);
        let mut values = self.column(ABSENT)?;
        let histograms = self.histograms(&rows, node)?;
        for histogram in histograms.iter() {
            self.limits.check()?;
            match &asked {
                Asked::Fraction { lower, upper } => {
                    self.at_steps(histogram, &rows, &mut values, |step, buckets| {
                        fraction(lower[step], upper[step], buckets)
                    })?;
                    self.push_result(&mut results, histogram, None, (0, &values))?;
                }
                Asked::Quantiles(quantiles, label) => {
                    for column in quantiles {
                        self.at_steps(histogram, &rows, &mut values, |step, buckets| {
                            let (value, corrected) = quantile(column[step], buckets);
                            if let Some(corrected) = corrected {
                                self.note_corrected(histogram, node, step, corrected);
                            }
                            value
                        })?;
                        let Some(label) = label else {
                            self.push_result(&mut results, histogram, None, (0, &values))?;
                            continue;
                        };
                        for (quantile, part) in self.by_quantile(column, &values)?.iter() {
                            let label = Some((*label, quantile.as_str()));
                            let cells = (part.first, part.values.as_slice());
                            self.push_result(&mut results, histogram, label, cells)?;
                        }
                    }
                }
            }
        }
        merge_same_labels(results)
    }

    /// Puts into `values` one for each step at which the histogram has a bucket.
    fn at_steps(
        &self,
        histogram: &Histogram,
        rows: &[Row],
        values: &mut [f64],
        compute: impl Fn(usize, &mut Vec<Bucket>) -> f64,
    ) -> Result<(), Error> {
        let mut loan = Loan::new(self.limits);
        loan.add(0, bytes_of::<Bucket>(histogram.buckets.len()))?;
        let mut buckets = Vec::with_capacity(histogram.buckets.len());
        let mut work = 0;
        for (step, value) in values.iter_mut().enumerate() {
            self.limits.check_work(&mut work, histogram.buckets.len())?;
            buckets.clear();
            buckets.extend(histogram.buckets.iter().filter_map(|&(upper, row)| {
                let count = rows[row].at(step);
                is_present(count).then_some(Bucket { upper, count })
            }));
            *value = if buckets.is_empty() {
                ABSENT
            } else {
                cell(compute(step, &mut buckets))
            };
        }
        Ok(())
    }

    /// Groups rows by all labels but the bucket's.
    fn histograms(
        &self,
        rows: &[Row],
        node: &HistogramCall,
    ) -> Result<Held<'e, Swept<'e, Vec<Histogram>>>, Error> {
        let mut loan = Loan::new(self.limits);
        // The lists of buckets have room for as many again.
        loan.add(0, 2 * bytes_of::<(f64, usize)>(rows.len()))?;
        let mut work = 0;
        let mut numbers: KeyTable<'_, Labels> = KeyTable::new(self.limits);
        let mut histograms: Swept<'_, Vec<Histogram>> = Swept::new(Vec::new(), self.limits);
        for (at, row) in rows.iter().enumerate() {
            self.limits.check_work(&mut work, WORK_A_LABEL_SET)?;
            let label = row.labels.get(BUCKET);
            let Some(upper) = bound(label) else {
                let name = if self.delayed_name_removal {
                    row.labels.get(METRIC_NAME)
                } else {
                    ""
                };
                self.notes.bad_bucket(name, label, node.span);
                continue;
            };
            let labels = row.labels.with(BUCKET, "");
            let next = histograms.len();
            let bytes = labels.heap_bytes();
            let number = numbers.get_or_insert(labels.clone(), next);
            if number == next {
                loan.add(0, 2 * (bytes + HISTOGRAM_BYTES))?;
                histograms.push(Histogram {
                    labels,
                    drop_name: false,
                    buckets: Vec::new(),
                });
            }
            histograms[number].buckets.push((upper, at));
        }
        for histogram in histograms.iter_mut() {
            self.limits
                .check_work(&mut work, WORK_A_LABEL_SET + histogram.buckets.len())?;
            go_sorted(&mut histogram.buckets, self.limits, |a, b| a.0 < b.0)?;
            histogram.drop_name = self.delayed_name_removal;
        }
        Ok(Held::new(histograms, loan))
    }

    fn push_result(
        &self,
        results: &mut Rows<'e>,
        histogram: &Histogram,
        label: Option<(&str, &str)>,
        (first, values): (usize, &[f64]),
    ) -> Result<(), Error> {
        let labels = || {
            let mut labels = histogram.labels.clone();
            if !self.delayed_name_removal {
                labels = labels.without_metadata();
            }
            match label {
                Some((name, value)) => labels.with(name, value),
                None => labels,
            }
        };
        results.add(labels, histogram.drop_name, first, values)
    }

    /// Takes a column apart by the value of the quantile as a label, in the order of the first
    /// step of each.
    fn by_quantile(
        &self,
        quantiles: &[f64],
        values: &[f64],
    ) -> Result<Held<'e, Vec<(String, Part)>>, Error> {
        let mut parts = Held::new(Vec::new(), Loan::new(self.limits));
        let mut places: HashMap<String, usize, foldhash::fast::RandomState> = HashMap::default();
        let mut work = 0;
        for (step, (&q, &value)) in quantiles.iter().zip(values).enumerate() {
            self.limits.check_work(&mut work, WORK_A_LABEL_SET)?;
            let (parts, loan) = parts.parts_mut();
            let label = open_metrics_float(q);
            let at = match places.get(&label) {
                Some(&at) => at,
                None => {
                    loan.add(0, 2 * size_of::<(String, Part)>() + PART_BYTES)?;
                    places.insert(label.clone(), parts.len());
                    let values = Vec::new();
                    parts.push((
                        label,
                        Part {
                            first: step,
                            values,
                        },
                    ));
                    parts.len() - 1
                }
            };
            let (_, part) = &mut parts[at];
            let count = step + 1 - part.first;
            // There is room for as many again.
            loan.add(0, 2 * size_of::<f64>() * (count - part.values.len()))?;
            part.values.resize(count - 1, ABSENT);
            part.values.push(value);
        }
        Ok(parts)
    }

    fn note_corrected(
        &self,
        histogram: &Histogram,
        node: &HistogramCall,
        step: usize,
        corrected: Corrected,
    ) {
        let name = if self.delayed_name_removal {
            histogram.labels.get(METRIC_NAME)
        } else {
            ""
        };
        let time_ms = self.grid.time_ms(step);
        self.notes
            .forced_monotonicity(name, node.span, time_ms, corrected);
    }
}

/// The steps at which a quantile has one value, from the first one on.
struct Part {
    first: usize,
    values: Vec<f64>,
}
