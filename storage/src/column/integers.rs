//! Integers: predicted from those before, divided by what they have in common, bit-packed.
//!
//! Every integer is `origin + divisor * k`, in arithmetic modulo 2^64, so that any integers will
//! do. What is stored of the k depends on the form:
//!
//! | form | k | stored |
//! |---|---|---|
//! | 0 line | k = i * step, divisor 1 | the step |
//! | 1 plain | k >= 0 | k |
//! | 2 delta | begins with 0 | k less the one before, zigzag |
//! | 3 rise | begins with 0 | k less the one before, less the smallest of these |
//! | 4 turn | begins with 0 | how the difference to the one before changes, zigzag |
//!
//! A tag byte: the form in its lowest three bits, 8 if a divisor follows, 16 if the residuals are
//! a list ([`residuals`]). Then the divisor (a varint), the origin (a zigzag varint), for a line
//! or a turn the first step and for a rise the smallest (zigzag varints), then the residuals: all
//! k of plain integers, without the first of others, without the first two of a turn.

use super::bitpack::BLOCK;
use super::error::Fault;
use super::residuals::{self, Layout, Residuals, take_byte, varint_bytes};
use crate::codec::varint;

const FORM_MASK: u8 = 7;
const DIVISOR_FOLLOWS: u8 = 8;
const LIST: u8 = 16;

/// How integers are predicted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Form {
    Line = 0,
    Plain = 1,
    Delta = 2,
    Rise = 3,
    Turn = 4,
}

impl Form {
    /// All, in the order in which they are tried.
    pub(super) const ALL: [Self; 5] =
        [Self::Line, Self::Delta, Self::Turn, Self::Rise, Self::Plain];
}

/// Integers ready to be written in one form.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    form: Form,
    divisor: u64,
    origin: i64,
    /// What stands after the origin, if the form has something there.
    step: Option<i64>,
    residuals: Vec<u64>,
    layout: Layout,
    /// How many bytes it takes.
    pub(super) bytes: usize,
}

impl Plan {
    /// The smallest form of at least one integer.
    pub(super) fn best(integers: &[i64]) -> Option<Self> {
        let scaled = Scaled::new(integers)?;
        if let Some(line) = scaled.plan(Form::Line) {
            return Some(line);
        }
        let plans = Form::ALL.into_iter().filter_map(|form| scaled.plan(form));
        plans.min_by_key(|plan| plan.bytes)
    }

    /// One form, if the integers have it.
    #[cfg(test)]
    pub(super) fn of(integers: &[i64], form: Form) -> Option<Self> {
        Scaled::new(integers)?.plan(form)
    }

    /// Appends the integers.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut tag = self.form as u8;
        if self.divisor > 1 {
            tag |= DIVISOR_FOLLOWS;
        }
        if self.layout == Layout::List {
            tag |= LIST;
        }
        out.push(tag);
        if self.divisor > 1 {
            varint::put_u64(out, self.divisor);
        }
        varint::put_i64(out, self.origin);
        if let Some(step) = self.step {
            varint::put_i64(out, step);
        }
        if self.form != Form::Line {
            residuals::encode(&self.residuals, self.layout, out);
        }
    }
}

/// Integers over their greatest common divisor.
struct Scaled {
    first: i64,
    min: i64,
    divisor: u64,
    /// How far each is above the smallest, over the divisor.
    heights: Vec<u64>,
}

impl Scaled {
    fn new(integers: &[i64]) -> Option<Self> {
        let &first = integers.first()?;
        let (mut min, mut max) = (first, first);
        for &integer in integers {
            min = min.min(integer);
            max = max.max(integer);
        }
        let height = |integer: i64| (integer as u64).wrapping_sub(min as u64);
        let mut heights: Vec<u64> = integers.iter().map(|&i| height(i)).collect();
        // With a divisor, differences of heights must be what they are and not modulo 2^64.
        let divisor = match max.checked_sub(min) {
            Some(_) => common_divisor(&heights),
            None => 1,
        };
        if divisor > 1 {
            divide(&mut heights, divisor);
        }
        Some(Self {
            first,
            min,
            divisor,
            heights,
        })
    }

    /// Differences of neighbours over the divisor.
    fn deltas(&self) -> impl Iterator<Item = i64> {
        let pairs = self.heights.iter().zip(self.heights.iter().skip(1));
        pairs.map(|(before, after)| after.wrapping_sub(*before) as i64)
    }

    fn plan(&self, form: Form) -> Option<Plan> {
        let zigzag = |n: i64| ((n << 1) ^ (n >> 63)) as u64;
        let first_step = || self.deltas().next().unwrap_or(0);
        let (step, residuals) = match form {
            Form::Line => {
                let step = first_step();
                if self.deltas().any(|delta| delta != step) {
                    return None;
                }
                return Some(self.line(step.wrapping_mul(self.divisor as i64)));
            }
            Form::Plain => (None, self.heights.clone()),
            Form::Delta => (None, self.deltas().map(zigzag).collect()),
            Form::Rise => {
                let step = self.deltas().min().unwrap_or(0);
                let above = self.deltas().map(|d| d.wrapping_sub(step) as u64);
                (Some(step), above.collect())
            }
            Form::Turn => {
                let mut before = first_step();
                let turns = self.deltas().skip(1).map(|delta| {
                    let turn = delta.wrapping_sub(before);
                    before = delta;
                    zigzag(turn)
                });
                let turns = turns.collect();
                (Some(first_step()), turns)
            }
        };
        let origin = if form == Form::Plain {
            self.min
        } else {
            self.first
        };
        let (layout, bytes) = residuals::best(&residuals);
        let mut plan = Plan {
            form,
            divisor: self.divisor,
            origin,
            step,
            residuals,
            layout,
            bytes,
        };
        plan.bytes += plan.header_bytes();
        Some(plan)
    }

    fn line(&self, step: i64) -> Plan {
        let mut plan = Plan {
            form: Form::Line,
            divisor: 1,
            origin: self.first,
            step: Some(step),
            residuals: Vec::new(),
            layout: Layout::Blocks,
            bytes: 0,
        };
        plan.bytes = plan.header_bytes();
        plan
    }
}

impl Plan {
    fn header_bytes(&self) -> usize {
        let zigzag = |n: i64| ((n << 1) ^ (n >> 63)) as u64;
        let divisor = match self.divisor {
            1 => 0,
            divisor => varint_bytes(divisor),
        };
        let step = self.step.map_or(0, |step| varint_bytes(zigzag(step)));
        1 + divisor + varint_bytes(zigzag(self.origin)) + step
    }
}

/// The greatest common divisor of heights; 1 where all are zero.
fn common_divisor(heights: &[u64]) -> u64 {
    let mut divisor = 0;
    let mut before = 0;
    for &height in heights {
        // The same height again, and its multiples, are settled without a division or with one.
        if height == before {
            continue;
        }
        before = height;
        divisor = greatest_common_divisor(height, divisor);
        if divisor == 1 {
            break;
        }
    }
    divisor.max(1)
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn divide(heights: &mut [u64], divisor: u64) {
    if divisor.is_power_of_two() {
        let shift = divisor.trailing_zeros();
        heights.iter_mut().for_each(|height| *height >>= shift);
    } else {
        heights.iter_mut().for_each(|height| *height /= divisor);
    }
}

/// What stands before the residuals.
struct Header {
    form: Form,
    layout: Layout,
    divisor: u64,
    origin: u64,
    step: u64,
}

impl Header {
    fn decode(input: &mut &[u8]) -> Result<Self, Fault> {
        let tag = take_byte(input)?;
        let flags = tag & !FORM_MASK;
        let form = Form::ALL
            .into_iter()
            .find(|&form| form as u8 == tag & FORM_MASK)
            .filter(|&form| form != Form::Line || flags == 0)
            .filter(|_| flags & !(DIVISOR_FOLLOWS | LIST) == 0)
            .ok_or(Fault::Integers(tag))?;
        let divisor = match tag & DIVISOR_FOLLOWS {
            0 => 1,
            _ => varint::take_u64(input).ok_or(Fault::Truncated)?,
        };
        let mut signed = || varint::take_i64(input).ok_or(Fault::Truncated);
        Ok(Self {
            form,
            layout: if tag & LIST == 0 {
                Layout::Blocks
            } else {
                Layout::List
            },
            divisor,
            origin: signed()? as u64,
            step: match form {
                Form::Line | Form::Rise | Form::Turn => signed()? as u64,
                Form::Plain | Form::Delta => 0,
            },
        })
    }
}

/// Reads `count` integers from `input` and hands them to `each`, block by block.
#[inline]
pub(super) fn decode(
    input: &mut &[u8],
    count: usize,
    mut each: impl FnMut(&[i64]),
) -> Result<(), Fault> {
    let header = Header::decode(input)?;
    let step = header.step.wrapping_mul(header.divisor);
    let mut state = State {
        form: header.form,
        divisor: header.divisor,
        value: header.origin,
        step: match header.form {
            Form::Line => header.step,
            _ => step,
        },
    };
    // The integers that stand in the header.
    let second = header.origin.wrapping_add(step);
    let stored = [header.origin as i64, second as i64];
    let stored = match header.form {
        Form::Line | Form::Plain => &[],
        Form::Delta | Form::Rise => &stored[..1.min(count)],
        Form::Turn => &stored[..2.min(count)],
    };
    each(stored);
    if let (Form::Turn, 2) = (header.form, stored.len()) {
        state.value = second;
    }
    let mut left = count - stored.len();
    let mut residuals = match header.form {
        Form::Line => None,
        _ => Some(Residuals::new(header.layout, input)?),
    };
    let mut block = [0; BLOCK];
    let mut integers = [0; BLOCK];
    while left > 0 {
        let count = left.min(BLOCK);
        if let Some(residuals) = &mut residuals {
            residuals.next_block(input, count, &mut block)?;
        }
        state.advance(&block, &mut integers);
        each(integers.get(..count).unwrap_or_default());
        left -= count;
    }
    residuals.map_or(Ok(()), |residuals| residuals.finish())
}

/// Where the reading of integers is.
struct State {
    form: Form,
    divisor: u64,
    /// The last integer; of plain ones the origin, of a line the next one.
    value: u64,
    /// The last difference; of a rise the smallest.
    step: u64,
}

impl State {
    /// Turns residuals into integers. Beyond those that are wanted they are nonsense, which does
    /// no harm: only a last block has such.
    #[inline]
    fn advance(&mut self, residuals: &[u64; BLOCK], integers: &mut [i64; BLOCK]) {
        let Self {
            form,
            divisor,
            mut value,
            mut step,
        } = *self;
        let unzigzag = |n: u64| (n >> 1) ^ (n & 1).wrapping_neg();
        let slots = integers.iter_mut().zip(residuals);
        match form {
            Form::Line => slots.for_each(|(slot, _)| {
                *slot = value as i64;
                value = value.wrapping_add(step);
            }),
            Form::Plain => slots.for_each(|(slot, &residual)| {
                *slot = value.wrapping_add(divisor.wrapping_mul(residual)) as i64;
            }),
            Form::Delta => slots.for_each(|(slot, &residual)| {
                value = value.wrapping_add(divisor.wrapping_mul(unzigzag(residual)));
                *slot = value as i64;
            }),
            Form::Rise => slots.for_each(|(slot, &residual)| {
                value = value.wrapping_add(step.wrapping_add(divisor.wrapping_mul(residual)));
                *slot = value as i64;
            }),
            Form::Turn => slots.for_each(|(slot, &residual)| {
                step = step.wrapping_add(divisor.wrapping_mul(unzigzag(residual)));
                value = value.wrapping_add(step);
                *slot = value as i64;
            }),
        }
        self.value = value;
        self.step = step;
    }
}
