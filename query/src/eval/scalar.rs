//! Nodes that give a number for each step.

use super::Evaluator;
use super::binary::arithmetic;
use super::column::is_present;
use crate::Error;
use crate::functions::numeric;
use crate::limits::{Held, Loan, bytes_of};
use crate::plan::ScalarNode;

impl<'e> Evaluator<'e> {
    /// One number a step; none is absent.
    pub(crate) fn scalar(&self, node: &'e ScalarNode) -> Result<Held<'e, Vec<f64>>, Error> {
        match node {
            ScalarNode::Number(number) => self.column(*number),
            ScalarNode::Time => {
                let mut times = self.column(0.0)?;
                for (step, time) in times.iter_mut().enumerate() {
                    *time = self.grid.time_ms(step) as f64 / 1000.0;
                }
                Ok(times)
            }
            ScalarNode::Once(inner) => {
                let at_first = self.at_first_step()?;
                let value = at_first.scalar(inner)?;
                self.count_once(&at_first);
                self.column(value.first().copied().unwrap_or(f64::NAN))
            }
            ScalarNode::OfVector(child) => {
                let mut values = self.column(f64::NAN)?;
                let mut loan = Loan::new(self.limits);
                loan.add(0, bytes_of::<u8>(values.len()))?;
                let mut elements = vec![0u8; values.len()];
                self.open(child)?.run(self, &mut |_, cells| {
                    for (step, &value) in (cells.first..).zip(&*cells.values) {
                        if is_present(value) {
                            elements[step] = elements[step].saturating_add(1);
                            values[step] = if elements[step] == 1 { value } else { f64::NAN };
                        }
                    }
                    Ok(())
                })?;
                Ok(values)
            }
            ScalarNode::Chain { first, rest } => {
                let mut lhs = self.scalar(first)?;
                for (op, rhs) in rest {
                    self.limits.check()?;
                    arithmetic::scalars(*op, &mut lhs, &self.scalar(rhs)?);
                }
                Ok(lhs)
            }
            ScalarNode::Negate(inner) => {
                let mut values = self.scalar(inner)?;
                for value in values.iter_mut() {
                    *value = super::column::cell(-*value);
                }
                Ok(values)
            }
            ScalarNode::Extreme { largest, lhs, rhs } => {
                let (mut lhs, rhs) = (self.scalar(lhs)?, self.scalar(rhs)?);
                let pick = if *largest { numeric::max } else { numeric::min };
                for (value, other) in lhs.iter_mut().zip(rhs.iter()) {
                    *value = pick(*value, *other);
                }
                Ok(lhs)
            }
        }
    }
}
