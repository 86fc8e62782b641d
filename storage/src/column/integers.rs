//! Integers: predicted from those before, divided by what they have in common, bit-packed.
//!
//! Every integer is `origin + divisor * k`, in arithmetic modulo 2^64, so that any integers will
//! do. What is stored of the k depends on the form:
//!
//! | form | k | stored |
//! |---|---|---|
//! | 0 line | the multiples of the step, from 0 | the step |
//! | 1 plain | 0 and more | k |
//! | 2 delta | begins with 0 | k less the one before, zigzag |
//! | 3 rise | begins with 0 | k less the one before, less the smallest such difference |
//! | 4 turn | begins with 0 | the difference to the one before less the difference before, zigzag |
//!
//! A tag byte: the form in its lowest three bits, 8 if a divisor follows (else it is 1, as it is
//! for a line), 16 if the residuals are a list (see `residuals`). Then the divisor (a varint), the
//! origin (a zigzag varint), of a line and a turn the first difference and of a rise the smallest
//! (zigzag varints), then the residuals: those of all k of plain integers, without the first one's
//! of others, without the first two's of a turn.

use super::bitpack::BLOCK;
use super::divisor::{self, Divisor};
use super::error::Fault;
use super::residuals::{self, Estimate, Layout, Residuals, Widths, take_byte, varint_bytes};
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
    layout: Layout,
    divisor: u64,
    origin: i64,
    step: i64,
    /// How far each integer is above the smallest, over the divisor.
    heights: Vec<u64>,
    /// About how many bytes it takes.
    pub(super) bytes: usize,
}

impl Plan {
    /// The form that seems smallest, of at least one integer.
    pub(super) fn best(integers: Vec<i64>) -> Option<Self> {
        let scaled = Scaled::new(integers)?;
        let estimates = scaled.estimates();
        let forms = Form::ALL.into_iter();
        let possible = forms.filter(|&form| form != Form::Line || estimates.turn.is_zero());
        let form = possible.min_by_key(|&form| scaled.bytes(form, &estimates))?;
        Some(scaled.plan(form, &estimates))
    }

    /// Plain ones, whatever the other forms would take; of at least one integer.
    pub(super) fn plain(integers: Vec<i64>) -> Option<Self> {
        let scaled = Scaled::new(integers)?;
        let mut estimates = Estimates::default();
        for heights in scaled.heights.chunks(BLOCK) {
            let mut widths = Widths::new();
            heights.iter().for_each(|&height| widths.add(height));
            estimates.plain.add(&widths, heights.len());
        }
        Some(scaled.plan(Form::Plain, &estimates))
    }

    /// How many integers there are.
    pub(super) fn len(&self) -> usize {
        self.heights.len()
    }

    /// Whether they are not predicted from each other.
    pub(super) fn is_plain(&self) -> bool {
        self.form == Form::Plain
    }

    /// The integers, of a plan of plain ones.
    pub(super) fn integers(&self) -> impl Iterator<Item = i64> {
        let integer = |height: &u64| {
            let height = height.wrapping_mul(self.divisor) as i64;
            self.origin.wrapping_add(height)
        };
        self.heights.iter().map(integer)
    }

    /// One form, if the integers have it.
    #[cfg(test)]
    pub(super) fn of(integers: Vec<i64>, form: Form) -> Option<Self> {
        let scaled = Scaled::new(integers)?;
        let estimates = scaled.estimates();
        let possible = form != Form::Line || estimates.turn.is_zero();
        possible.then(|| scaled.plan(form, &estimates))
    }

    /// Appends the integers.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut tag = self.form as u8;
        if self.form == Form::Line {
            out.push(tag);
            varint::put_i64(out, self.origin);
            varint::put_i64(out, self.step.wrapping_mul(self.divisor as i64));
            return;
        }
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
        if matches!(self.form, Form::Rise | Form::Turn) {
            varint::put_i64(out, self.step);
        }
        let mut writer = residuals::Writer::new(self.layout, out);
        self.each_block(|block| writer.block(block));
        writer.finish();
    }

    /// Hands the residuals to `each`, block by block.
    fn each_block(&self, mut each: impl FnMut(&[u64])) {
        let stored = self.form.stored().min(self.heights.len());
        let (head, rest) = self.heights.split_at(stored);
        let mut before = head.last().copied().unwrap_or(0);
        let mut step = self.step;
        let mut block = [0; BLOCK];
        for heights in rest.chunks(BLOCK) {
            for (slot, &height) in block.iter_mut().zip(heights) {
                let delta = height.wrapping_sub(before) as i64;
                before = height;
                *slot = match self.form {
                    Form::Line | Form::Plain => height,
                    Form::Delta => zigzag(delta),
                    Form::Rise => delta.wrapping_sub(step) as u64,
                    Form::Turn => zigzag(delta.wrapping_sub(std::mem::replace(&mut step, delta))),
                };
            }
            each(block.get(..heights.len()).unwrap_or_default());
        }
    }
}

impl Form {
    /// How many integers stand in the header.
    fn stored(self) -> usize {
        match self {
            Self::Line | Self::Plain => 0,
            Self::Delta | Self::Rise => 1,
            Self::Turn => 2,
        }
    }
}

fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)) as u64
}

/// Integers over their greatest common divisor.
struct Scaled {
    first: i64,
    min: i64,
    divisor: u64,
    heights: Vec<u64>,
    /// The first difference of neighbours, over the divisor, and the smallest.
    first_step: i64,
    step_min: i64,
}

/// What the residuals of each form take.
#[derive(Default)]
struct Estimates {
    plain: Estimate,
    delta: Estimate,
    rise: Estimate,
    turn: Estimate,
}

impl Scaled {
    fn new(integers: Vec<i64>) -> Option<Self> {
        let &first = integers.first()?;
        let (mut min, mut max) = (first, first);
        for &integer in &integers {
            min = min.min(integer);
            max = max.max(integer);
        }
        // In the same allocation.
        let height = |integer: i64| (integer as u64).wrapping_sub(min as u64);
        let mut heights: Vec<u64> = integers.into_iter().map(height).collect();
        let mut divisor = Divisor::common(&heights);
        // With a divisor, differences of heights must be what they are and not modulo 2^64.
        if max.checked_sub(min).is_none() {
            divisor = 1;
        }
        if divisor > 1 {
            divisor::divide(&mut heights, divisor);
        }
        let steps = || {
            let pairs = heights.iter().zip(heights.iter().skip(1));
            pairs.map(|(before, after)| after.wrapping_sub(*before) as i64)
        };
        Some(Self {
            first,
            min,
            divisor,
            first_step: steps().next().unwrap_or(0),
            step_min: steps().min().unwrap_or(0),
            heights,
        })
    }

    /// Looks at all forms in one pass, as if all had as many residuals as there are integers.
    fn estimates(&self) -> Estimates {
        let mut estimates = Estimates::default();
        let mut before = self.heights.first().copied().unwrap_or(0);
        let mut step = self.first_step;
        let mut first = true;
        for heights in self.heights.chunks(BLOCK) {
            let mut plain = Widths::new();
            let mut delta = Widths::new();
            let mut rise = Widths::new();
            let mut turn = Widths::new();
            if first {
                // The first integer stands in the header, and the second may.
                delta.add(0);
                rise.add(0);
                turn.add(0);
                plain.add(before);
            }
            for &height in heights.iter().skip(usize::from(first)) {
                let change = height.wrapping_sub(before) as i64;
                plain.add(height);
                delta.add(zigzag(change));
                rise.add(change.wrapping_sub(self.step_min) as u64);
                turn.add(zigzag(change.wrapping_sub(step)));
                before = height;
                step = change;
            }
            first = false;
            estimates.plain.add(&plain, heights.len());
            estimates.delta.add(&delta, heights.len());
            estimates.rise.add(&rise, heights.len());
            estimates.turn.add(&turn, heights.len());
        }
        estimates
    }

    /// Origin, step and residuals of a form.
    fn parts(&self, form: Form, estimates: &Estimates) -> (i64, i64, (Layout, usize)) {
        let residuals = match form {
            Form::Line => (Layout::Blocks, 0),
            Form::Plain => estimates.plain.best(),
            Form::Delta => estimates.delta.best(),
            Form::Rise => estimates.rise.best(),
            Form::Turn => estimates.turn.best(),
        };
        match form {
            Form::Plain => (self.min, 0, residuals),
            Form::Delta => (self.first, 0, residuals),
            Form::Rise => (self.first, self.step_min, residuals),
            Form::Line | Form::Turn => (self.first, self.first_step, residuals),
        }
    }

    /// About how many bytes a form takes.
    fn bytes(&self, form: Form, estimates: &Estimates) -> usize {
        let (origin, step, (_, residuals_bytes)) = self.parts(form, estimates);
        let divisor = match self.divisor {
            1 => 0,
            divisor => varint_bytes(divisor),
        };
        let step = match form {
            Form::Plain | Form::Delta => 0,
            Form::Line | Form::Rise | Form::Turn => varint_bytes(zigzag(step)),
        };
        1 + divisor + varint_bytes(zigzag(origin)) + step + residuals_bytes
    }

    fn plan(self, form: Form, estimates: &Estimates) -> Plan {
        let bytes = self.bytes(form, estimates);
        let (origin, step, (layout, _)) = self.parts(form, estimates);
        Plan {
            form,
            layout,
            divisor: self.divisor,
            origin,
            step,
            heights: self.heights,
            bytes,
        }
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
        step,
    };
    // The integers that stand in the header.
    let second = header.origin.wrapping_add(step);
    let stored = header.form.stored().min(count);
    let first = [header.origin as i64, second as i64];
    each(first.get(..stored).unwrap_or_default());
    if stored == 2 {
        state.value = second;
    }
    let mut left = count - stored;
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
        let integers = integers.get_mut(..count).unwrap_or_default();
        state.advance(&block, integers);
        each(integers);
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
    /// Turns residuals into integers, as many as `integers` takes.
    #[inline]
    fn advance(&mut self, residuals: &[u64; BLOCK], integers: &mut [i64]) {
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
