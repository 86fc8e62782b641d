//! Nodes that give a number for each step.

use super::Evaluator;
use super::binary::arithmetic;
use super::column::is_present;
use crate::Error;
use crate::functions::numeric;
use crate::plan::ScalarNode;

impl<'e> Evaluator<'e> {
    /// One number a step; none is absent.
    pub(crate) fn scalar(&self, node: &'e ScalarNode) -> Result<Vec<f64>, Error> {
        let count = self.grid.count;
        self.limits.room_for(count)?;
        match node {
            ScalarNode::Number(number) => Ok(vec![*number; count]),
            ScalarNode::Time => Ok((0..count)
                .map(|step| self.grid.time_ms(step) as f64 / 1000.0)
                .collect()),
            ScalarNode::Once(inner) => {
                let value = self.at_first_step().scalar(inner)?;
                Ok(vec![value.first().copied().unwrap_or(f64::NAN); count])
            }
            ScalarNode::OfVector(child) => {
                let held = self.limits.held();
                let mut values = vec![f64::NAN; count];
                let mut elements = vec![0u8; count];
                self.open(child)?.run(self, &mut |_, cells| {
                    for (step, &value) in (cells.first..).zip(&*cells.values) {
                        if is_present(value) {
                            elements[step] = elements[step].saturating_add(1);
                            values[step] = if elements[step] == 1 { value } else { f64::NAN };
                        }
                    }
                    Ok(())
                })?;
                self.limits.release_to(held, 0);
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
                for value in &mut values {
                    *value = super::column::cell(-*value);
                }
                Ok(values)
            }
            ScalarNode::Extreme { largest, lhs, rhs } => {
                let (mut lhs, rhs) = (self.scalar(lhs)?, self.scalar(rhs)?);
                let pick = if *largest { numeric::max } else { numeric::min };
                for (value, other) in lhs.iter_mut().zip(rhs) {
                    *value = pick(*value, other);
                }
                Ok(lhs)
            }
        }
    }
}
