//! `count_values`: a group for each value.

use crate::eval::Evaluator;
use crate::eval::column::{ABSENT, is_present};
use crate::eval::keys::{KeyTable, key_bytes};
use crate::eval::rows::{Rows, WORK_A_LABEL_SET, merge_same_labels};
use crate::float_text::{text, write_plain_float};
use crate::limits::{Loan, Swept, bytes_of};
use crate::parse::ast::Grouping;
use crate::parse::strings::quote;
use crate::plan::{Aggregate, Parameter};
use crate::{Error, ErrorKind, Labels};

/// What a group takes beside its labels and counts: its places in tables and lists, which have
/// room for as many again.
const GROUP_BYTES: usize = key_bytes::<Labels>() + 2 * size_of::<Vec<f64>>();

impl<'e> Evaluator<'e> {
    pub(super) fn count_values(&self, node: &'e Aggregate) -> Result<Rows<'e>, Error> {
        let label = match &node.parameter {
            Parameter::Label(label) => label.as_str(),
            Parameter::None | Parameter::Scalar(..) => "",
        };
        if label.is_empty() {
            return Err(Error::new(
                ErrorKind::Execution,
                format!("invalid label name {}", quote(label)),
            ));
        }
        let rows = self.vector(&node.child)?;
        let mut groups: KeyTable<'_, Labels> = KeyTable::new(self.limits);
        let mut counts: Swept<'_, Vec<Vec<f64>>> = Swept::new(Vec::new(), self.limits);
        let mut loan = Loan::new(self.limits);
        let mut work = 0;
        for row in rows.iter() {
            self.limits.check()?;
            // Values mostly repeat from step to step.
            let mut known: Option<(u64, usize)> = None;
            for (step, value) in row.present() {
                let group = match known {
                    Some((bits, group)) if bits == value.to_bits() => group,
                    _ => {
                        self.limits.check_work(&mut work, WORK_A_LABEL_SET)?;
                        let labels = row.labels.with(label, &printed(value));
                        let labels = group_labels(&node.grouping, label, &labels);
                        let next = counts.len();
                        let bytes = labels.heap_bytes() + GROUP_BYTES;
                        let group = groups.get_or_insert(labels, next);
                        if group == next {
                            let count = self.grid.count;
                            loan.add(count, bytes + bytes_of::<f64>(count))?;
                            counts.push(vec![ABSENT; count]);
                        }
                        known = Some((value.to_bits(), group));
                        group
                    }
                };
                let count = &mut counts[group][step];
                *count = if is_present(*count) {
                    *count + 1.0
                } else {
                    1.0
                };
            }
        }
        drop(rows);
        let mut rows = Rows::none(self.limits);
        for ((labels, _), counts) in groups.into_keys().into_iter().zip(counts) {
            self.limits.check()?;
            rows.add(|| labels, false, 0, &counts)?;
            loan.give_back(counts.len(), bytes_of::<f64>(counts.len()));
        }
        merge_same_labels(rows)
    }
}

/// The label of the value belongs to the group, unless it is taken out by name.
fn group_labels(grouping: &Grouping, label: &str, labels: &Labels) -> Labels {
    match grouping {
        Grouping::By(names) => {
            labels.filtered(|name| name == label || names.iter().any(|listed| listed == name))
        }
        Grouping::Without(names) => labels.matching(false, names),
    }
}

/// A value as a label: plain decimals, never an exponent.
fn printed(value: f64) -> String {
    text(|out| write_plain_float(out, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_printed_without_exponent() {
        let cases = [
            (1e21, "1000000000000000000000"),
            (0.1, "0.1"),
            (-0.0, "-0"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Inf"),
            (1.5e-7, "0.00000015"),
        ];
        for (value, text) in cases {
            assert_eq!(printed(value), text);
        }
    }
}
