//! Values of one series without their timestamps, in the form that suits them.
//!
//! A chunk is **constant** until a value differs from the first: it is that value and a count.
//! From then on it is a stream of bits (from the most significant one on):
//! - 8 bits: the exponent e of decimal form, 0 to 15, or 255 for XOR form;
//! - 8 bits: how many samples have the first value, from 1; then the 64 bits of that value;
//! - a code for each of the others.
//!
//! In **decimal** form a value stands for the integer i with i / 10^e = value, to the bit. Codes:
//! - `0`: the value before once more;
//! - `10`: the integer before plus the last delta coded;
//! - `11` + 3 bits, class 0 to 6: the zigzag-coded delta of the integers, in as many bits as the
//!   class has ([`DELTA_BITS`]);
//! - `11111` + 2 bits: `00` the 64 bits of a value as it is (a stale marker, another NaN or
//!   infinity, -0.0, or a step too large); `01` + 4 bits a new exponent, then the code of the
//!   sample; `10` XOR form from here on.
//!
//! The integer before is 0 if the value before is not one of the exponent. A delta that does not
//! fit in 24 bits, or a new exponent, leaves 0 as the last delta.
//!
//! In **XOR** form codes are those of Prometheus's XOR chunk (`chunk/xor.rs`). Decimals that a
//! sum has moved by a last digit and raw doubles end there.

use std::ops::ControlFlow;

use super::xor::{Fault, Pending, Window, add_xor, read_xor};
use super::{CHUNK_SAMPLES_MAX, ChunkError};
use crate::codec::bits::{BitReader, BitWriter, whole_room};

/// Sizes of a delta by class.
const DELTA_BITS: [u32; 7] = [4, 7, 10, 14, 19, 26, 40];
/// The header's first byte in XOR form.
const XOR_FORM: u64 = 255;
/// The largest exponent that is tried. Larger ones are read.
const EXPONENT_MAX: u8 = 9;
/// The least room of a chunk that follows one with a stream.
const ROOM_BYTES_MIN: usize = 24;
/// Integers of doubles are exact below.
const INTEGER_END: f64 = 9_007_199_254_740_992.0;
const POWERS: [f64; 16] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];
/// What follows `11` for codes that are no delta, and the two bits that tell them apart.
const ESCAPE: u64 = 0b11111 << 2;
const RAW: u64 = 0;
const NEW_EXPONENT: u64 = 1;
const TO_XOR: u64 = 2;
const ESCAPE_BITS: u32 = 7;

/// Values that more are added to.
#[derive(Clone, Debug, Default)]
pub struct OpenValues {
    /// The stream and unused room; not used while the chunk is constant.
    bytes: Box<[u8]>,
    /// Bits of the last value.
    last: u64,
    /// How many bits of the stream there are: 84 a sample at most.
    position: u16,
    form: Form,
    count: u8,
}

/// How the next value is coded.
#[derive(Clone, Copy, Debug, Default)]
enum Form {
    #[default]
    Constant,
    Decimal(Decimal),
    Xor(Window),
}

#[derive(Clone, Copy, Debug)]
struct Decimal {
    exponent: u8,
    /// The last delta coded, 0 for none: little endian, in three bytes, as every open chunk has
    /// one.
    delta: [u8; 3],
}

impl Decimal {
    fn of(exponent: u8) -> Self {
        Self {
            exponent,
            delta: [0; 3],
        }
    }

    #[inline]
    fn remember(&mut self, delta: i64) {
        let is_short = delta << 40 >> 40 == delta;
        let [a, b, c, ..] = if is_short { delta } else { 0 }.to_le_bytes();
        self.delta = [a, b, c];
    }

    #[inline]
    fn delta(self) -> i64 {
        let [a, b, c] = self.delta;
        i64::from(i32::from_le_bytes([0, a, b, c]) >> 8)
    }

    /// The code of a value that is an integer of the exponent and not too far from the value
    /// before, or is that value, and how many bits it has: that of nearly all.
    ///
    /// The value before is an integer of the exponent or an exception. What exceptions are taken
    /// for here is 0, as it should be.
    #[inline]
    fn code(&mut self, last: u64, bits: u64) -> Option<(u64, u32)> {
        if bits == last {
            return Some((0, 1));
        }
        let (before, _) = nearest(last, self.exponent);
        debug_assert_eq!(before, to_integer(last, self.exponent).unwrap_or(0));
        let (integer, is_small) = nearest(bits, self.exponent);
        let delta = integer - before;
        let zigzag = ((delta << 1) ^ (delta >> 63)) as u64;
        let (class, width) = *CLASS_OF_BITS.get(64 - zigzag.leading_zeros() as usize)?;
        if !is_small | (from_integer(integer, self.exponent) != bits) {
            return None;
        }
        if (delta == self.delta()) & (delta != 0) {
            return Some((0b10, 2));
        }
        self.remember(delta);
        let (class, width) = (u64::from(class), u32::from(width));
        Some(((0b11000 | class) << width | zigzag, 5 + width))
    }
}

/// The class of a delta by the bits that it needs in zigzag form, and the bits of the class.
const CLASS_OF_BITS: [(u8, u8); DELTA_BITS[6] as usize + 1] = {
    let mut classes = [(0, 0); DELTA_BITS[6] as usize + 1];
    let (mut bits, mut class) = (0, 0);
    while bits < classes.len() {
        if bits > DELTA_BITS[class] as usize {
            class += 1;
        }
        classes[bits] = (class as u8, DELTA_BITS[class] as u8);
        bits += 1;
    }
    classes
};

/// The integer that is nearest to a value times a power of ten, and true; 0 and false if that is
/// too large.
#[inline]
fn nearest(bits: u64, exponent: u8) -> (i64, bool) {
    let scaled = f64::from_bits(bits) * POWERS[usize::from(exponent & 15)];
    // NaN is not below.
    let is_small = scaled.abs() < INTEGER_END;
    let integer = (scaled + 0.5f64.copysign(scaled)) as i64;
    (if is_small { integer } else { 0 }, is_small)
}

/// The integer that a value is at an exponent, if it is one to the bit.
#[inline]
fn to_integer(bits: u64, exponent: u8) -> Option<i64> {
    let (integer, is_small) = nearest(bits, exponent);
    (is_small && from_integer(integer, exponent) == bits).then_some(integer)
}

#[inline]
fn from_integer(integer: i64, exponent: u8) -> u64 {
    let value = integer as f64;
    if exponent == 0 {
        return value.to_bits();
    }
    (value / POWERS[usize::from(exponent & 15)]).to_bits()
}

/// Whether a value says nothing about the form of the others.
fn is_exception(bits: u64) -> bool {
    !f64::from_bits(bits).is_finite() || bits == (-0.0f64).to_bits()
}

impl OpenValues {
    /// Adds a value. At most [`CHUNK_SAMPLES_MAX`] go into a chunk.
    #[inline]
    pub fn push(&mut self, value: f64) {
        debug_assert!(
            u16::from(self.count) < CHUNK_SAMPLES_MAX,
            "the owner seals a chunk before"
        );
        let bits = value.to_bits();
        if self.count == 0 {
            self.last = bits;
        } else if bits != self.last || !matches!(self.form, Form::Constant) {
            self.push_code(bits);
        }
        self.count += 1;
    }

    /// Adds a value if that takes no code, since all values so far are this one; says whether it
    /// did. Does so without a branch, as values of many series come in no order.
    #[inline]
    pub fn repeat(&mut self, value: f64) -> bool {
        let is_constant = matches!(self.form, Form::Constant);
        let repeats = (self.count > 0) & is_constant & (value.to_bits() == self.last);
        self.count += u8::from(repeats);
        repeats
    }

    /// The byte that the next code begins in; 0 where there is none yet.
    #[inline]
    pub fn next_byte(&self) -> u8 {
        let place = usize::from(self.position) / 8;
        self.bytes.get(place).copied().unwrap_or(0)
    }

    fn push_code(&mut self, bits: u64) {
        if let Form::Decimal(decimal) = &mut self.form
            && let Some((code, count)) = decimal.code(self.last, bits)
        {
            let mut writer = BitWriter::resume(&mut self.bytes, u32::from(self.position));
            writer.write(code, count);
            self.position = writer.position() as u16;
            self.last = bits;
            return;
        }
        self.push_long_code(bits);
    }

    /// Adds what [`Decimal::code`] has no code for.
    fn push_long_code(&mut self, bits: u64) {
        let mut writer = BitWriter::resume(&mut self.bytes, u32::from(self.position));
        if let Form::Constant = self.form {
            self.form = first_form(self.last, bits);
            let tag = match self.form {
                Form::Decimal(decimal) => u64::from(decimal.exponent),
                _ => XOR_FORM,
            };
            writer.write(tag << 8 | u64::from(self.count), 16);
            writer.write(self.last, 64);
        }
        let mut pending = Pending::default();
        if let Form::Decimal(decimal) = &mut self.form
            && !add_decimal(&mut pending, &mut writer, self.last, bits, decimal)
        {
            pending.add(&mut writer, ESCAPE | TO_XOR, ESCAPE_BITS);
            self.form = Form::Xor(Window::default());
        }
        if let Form::Xor(window) = &mut self.form {
            add_xor(&mut pending, &mut writer, bits ^ self.last, window);
        }
        pending.write(&mut writer);
        self.position = writer.position() as u16;
        self.last = bits;
    }

    /// How many values there are.
    pub fn count(&self) -> u8 {
        self.count
    }

    /// Bits of the last value; 0 before the first.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Bytes of the stream, with unused room.
    pub fn capacity_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The values so far.
    pub fn values(&self) -> ValuesRef<'_> {
        match self.form {
            Form::Constant => ValuesRef::Constant(self.last),
            _ => ValuesRef::Stream(self.bytes.get(..self.used_bytes()).unwrap_or(&[])),
        }
    }

    /// Takes the values out and leaves none. The caller knows how many there were.
    ///
    /// What comes next mostly takes as much room as what there was. Half of that is taken at once: it
    /// saves the allocator much of its work, and costs 3 % of the chunks' memory.
    pub fn seal(&mut self) -> SealedValues {
        let used = self.used_bytes();
        let Self {
            bytes, last, form, ..
        } = std::mem::take(self);
        if let Form::Constant = form {
            return SealedValues::Constant(last);
        }
        let mut bytes = bytes.into_vec();
        bytes.truncate(used);
        self.bytes = vec![0; whole_room((used / 2).max(ROOM_BYTES_MIN))].into_boxed_slice();
        SealedValues::Stream(bytes.into_boxed_slice())
    }

    fn used_bytes(&self) -> usize {
        usize::from(self.position).div_ceil(8)
    }
}

/// The form of a chunk whose first two different values are these.
#[cold]
fn first_form(first: u64, second: u64) -> Form {
    let fits = |bits, exponent| is_exception(bits) || to_integer(bits, exponent).is_some();
    match (0..=EXPONENT_MAX).find(|&e| fits(first, e) && fits(second, e)) {
        Some(exponent) => Form::Decimal(Decimal::of(exponent)),
        None => Form::Xor(Window::default()),
    }
}

/// Adds the code of a value to a chunk in decimal form; says whether there is one.
#[inline]
fn add_decimal(
    pending: &mut Pending,
    writer: &mut BitWriter<'_>,
    last: u64,
    bits: u64,
    decimal: &mut Decimal,
) -> bool {
    if bits == last {
        pending.add(writer, 0, 1);
        return true;
    }
    let integer = match to_integer(bits, decimal.exponent) {
        Some(integer) => integer,
        None if is_exception(bits) => {
            add_raw(pending, writer, bits);
            return true;
        }
        None => {
            let wider = (decimal.exponent + 1..=EXPONENT_MAX)
                .find_map(|exponent| Some((exponent, to_integer(bits, exponent)?)));
            let Some((exponent, integer)) = wider else {
                return false;
            };
            let code = (ESCAPE | NEW_EXPONENT) << 4 | u64::from(exponent);
            pending.add(writer, code, ESCAPE_BITS + 4);
            *decimal = Decimal::of(exponent);
            integer
        }
    };
    let delta = integer - to_integer(last, decimal.exponent).unwrap_or(0);
    if delta == decimal.delta() && delta != 0 {
        pending.add(writer, 0b10, 2);
        return true;
    }
    let zigzag = ((delta << 1) ^ (delta >> 63)) as u64;
    let bits_needed = 64 - zigzag.leading_zeros() as usize;
    match CLASS_OF_BITS.get(bits_needed) {
        Some(&(class, width)) => {
            let (class, width) = (u64::from(class), u32::from(width));
            pending.add(writer, (0b11000 | class) << width | zigzag, 5 + width);
            decimal.remember(delta);
        }
        None => add_raw(pending, writer, bits),
    }
    true
}

fn add_raw(pending: &mut Pending, writer: &mut BitWriter<'_>, bits: u64) {
    pending.add(writer, ESCAPE | RAW, ESCAPE_BITS);
    pending.add(writer, bits, 64);
}

/// Values that do not change any more.
#[derive(Clone, Debug)]
pub enum SealedValues {
    /// The bits that all of them have.
    Constant(u64),
    /// A stream, as this module describes it.
    Stream(Box<[u8]>),
}

impl SealedValues {
    /// Bytes outside of the entry itself.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Constant(_) => 0,
            Self::Stream(bytes) => bytes.len(),
        }
    }

    /// The values.
    pub fn values(&self) -> ValuesRef<'_> {
        match self {
            Self::Constant(bits) => ValuesRef::Constant(*bits),
            Self::Stream(bytes) => ValuesRef::Stream(bytes),
        }
    }
}

/// Values, borrowed.
#[derive(Clone, Copy, Debug)]
pub enum ValuesRef<'a> {
    /// The bits that all of them have.
    Constant(u64),
    /// A stream, as this module describes it.
    Stream(&'a [u8]),
}

impl ValuesRef<'_> {
    /// Calls `each` with the first `count` values until it breaks; says whether it did. The
    /// caller knows how many there are.
    ///
    /// # Errors
    /// The stream ends before, or holds what no encoder writes.
    #[inline]
    pub fn for_each(
        self,
        count: u16,
        mut each: impl FnMut(f64) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ChunkError> {
        let (first, run, mut reader) = match self {
            Self::Constant(bits) => (bits, count, None),
            Self::Stream(bytes) => {
                let (run, reader) = Reader::new(bytes).map_err(|fault| fault.at(0, count))?;
                (reader.last, run.min(count), Some(reader))
            }
        };
        for _ in 0..run {
            if each(f64::from_bits(first)).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        let Some(reader) = &mut reader else {
            return Ok(ControlFlow::Continue(()));
        };
        for sample in run..count {
            reader.advance().map_err(|fault| fault.at(sample, count))?;
            if each(f64::from_bits(reader.last)).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Reads the codes of a stream.
#[derive(Debug)]
struct Reader<'a> {
    bits: BitReader<'a>,
    last: u64,
    /// Of `last`, in decimal form.
    integer: i64,
    form: Form,
}

impl<'a> Reader<'a> {
    /// Reads the header; also how many values are the first one.
    fn new(bytes: &'a [u8]) -> Result<(u16, Self), Fault> {
        let mut bits = BitReader::new(bytes);
        let form = match bits.read(8)? {
            XOR_FORM => Form::Xor(Window::default()),
            exponent @ 0..=15 => Form::Decimal(Decimal::of(exponent as u8)),
            _ => return Err(Fault::Corrupt),
        };
        let run = bits.read(8)? as u16;
        if run == 0 {
            return Err(Fault::Corrupt);
        }
        let mut reader = Self {
            last: bits.read(64)?,
            bits,
            integer: 0,
            form,
        };
        reader.rebase();
        Ok((run, reader))
    }

    /// Finds the integer of the last value.
    fn rebase(&mut self) {
        if let Form::Decimal(decimal) = self.form {
            self.integer = to_integer(self.last, decimal.exponent).unwrap_or(0);
        }
    }

    #[inline]
    fn advance(&mut self) -> Result<(), Fault> {
        match &mut self.form {
            Form::Xor(window) => self.last ^= read_xor(&mut self.bits, window)?,
            Form::Constant => return Err(Fault::Corrupt),
            Form::Decimal(decimal) => {
                let delta = match self.bits.read_ones(2)? {
                    0 => return Ok(()),
                    1 if decimal.delta() == 0 => return Err(Fault::Corrupt),
                    1 => decimal.delta(),
                    _ => {
                        let class = self.bits.read(3)? as usize;
                        let Some(&width) = DELTA_BITS.get(class) else {
                            return self.escape();
                        };
                        let zigzag = self.bits.read(width)?;
                        let delta = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
                        decimal.remember(delta);
                        delta
                    }
                };
                self.integer = self.integer.wrapping_add(delta);
                self.last = from_integer(self.integer, decimal.exponent);
            }
        }
        Ok(())
    }

    #[cold]
    fn escape(&mut self) -> Result<(), Fault> {
        match self.bits.read(2)? {
            RAW => {
                self.last = self.bits.read(64)?;
                self.rebase();
                Ok(())
            }
            NEW_EXPONENT => {
                let exponent = self.bits.read(4)? as u8;
                // Exponents rise, so that codes without a value come to an end.
                if let Form::Decimal(decimal) = self.form
                    && exponent <= decimal.exponent
                {
                    return Err(Fault::Corrupt);
                }
                self.form = Form::Decimal(Decimal::of(exponent));
                self.rebase();
                self.advance()
            }
            TO_XOR => {
                self.form = Form::Xor(Window::default());
                self.advance()
            }
            _ => Err(Fault::Corrupt),
        }
    }
}

#[cfg(test)]
mod tests;
