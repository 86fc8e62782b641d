//! Each double as its XOR with the one before, in Gorilla's codes.
//!
//! The bits of the first value, then a code each, from the most significant bit on: `0` for the
//! value before once more; `10` and the bits within the window of the XOR before; `11`, 6 bits of
//! leading zeros, 6 bits of the window's length less one, and the bits of the new window.

use super::tag;
use crate::codec::bits::{BitReader, BitWriter};
use crate::column::error::Fault;

/// Bits of the code that opens a window.
const HEADER_BITS: u32 = 2 + 6 + 6;
/// Most bits of a code.
const CODE_BITS_MAX: u32 = HEADER_BITS + 64;

/// The bits of a XOR that are written.
#[derive(Clone, Copy)]
struct Window {
    leading: u32,
    trailing: u32,
}

impl Window {
    /// Before the first window: covers nothing that is not zero.
    const NONE: Self = Self {
        leading: 64,
        trailing: 64,
    };

    fn around(xor: u64) -> Self {
        Self {
            leading: xor.leading_zeros(),
            trailing: xor.trailing_zeros(),
        }
    }

    fn length(self) -> u32 {
        64u32.saturating_sub(self.leading + self.trailing)
    }

    /// Whether the other's bits are best written in this window: they fit, and a window of their
    /// own would save less than it costs.
    fn suits(self, other: Self) -> bool {
        self.leading <= other.leading
            && self.trailing <= other.trailing
            && self.length() <= other.length() + HEADER_BITS - 2
    }
}

/// How many bytes the values take.
pub(super) fn bytes(values: &[f64]) -> usize {
    let mut bits = 64;
    let mut window = Window::NONE;
    for (before, value) in values.iter().zip(values.iter().skip(1)) {
        let xor = before.to_bits() ^ value.to_bits();
        bits += match xor {
            0 => 1,
            _ if window.suits(Window::around(xor)) => 2 + window.length() as usize,
            _ => {
                window = Window::around(xor);
                (HEADER_BITS + window.length()) as usize
            }
        };
    }
    1 + bits.div_ceil(8)
}

/// Appends at least one value.
pub(super) fn encode(values: &[f64], out: &mut Vec<u8>) {
    out.push(tag::XOR);
    // Room for the longest codes: the writer grows its buffer in small steps.
    let room = values.len() * CODE_BITS_MAX.div_ceil(8) as usize + 16;
    let mut buffer = vec![0; room].into_boxed_slice();
    let mut writer = BitWriter::resume(&mut buffer, 0);
    writer.write(values.first().map_or(0, |value| value.to_bits()), 64);
    let mut window = Window::NONE;
    for (before, value) in values.iter().zip(values.iter().skip(1)) {
        let xor = before.to_bits() ^ value.to_bits();
        if xor == 0 {
            writer.write(0, 1);
            continue;
        }
        let own = Window::around(xor);
        if window.suits(own) {
            writer.write(0b10, 2);
        } else {
            window = own;
            let length = u64::from(window.length() - 1);
            writer.write(
                0b11 << 12 | u64::from(window.leading) << 6 | length,
                HEADER_BITS,
            );
        }
        writer.write(xor >> window.trailing, window.length());
    }
    let used = writer.position().div_ceil(8) as usize;
    out.extend_from_slice(buffer.get(..used).unwrap_or_default());
}

/// Reads what stands after [`tag::XOR`].
pub(super) fn decode(input: &mut &[u8], out: &mut [f64]) -> Result<(), Fault> {
    let (first, rest) = input.split_first_chunk::<8>().ok_or(Fault::Truncated)?;
    let mut value = u64::from_be_bytes(*first);
    let mut reader = BitReader::new(rest);
    let mut window = Window::NONE;
    let mut bits = 0usize;
    let (head, tail) = out.split_at_mut(1.min(out.len()));
    head.fill(f64::from_bits(value));
    for slot in tail {
        let ones = reader.read_ones(2).map_err(|_| Fault::Truncated)?;
        bits += 2 - usize::from(ones == 0);
        if ones == 2 {
            let header = reader.read(12).map_err(|_| Fault::Truncated)?;
            bits += 12;
            let (leading, length) = ((header >> 6) as u32, (header & 63) as u32 + 1);
            let trailing = 64u32.checked_sub(leading + length);
            let trailing = trailing.ok_or(Fault::Width(length as u8))?;
            window = Window { leading, trailing };
        }
        if ones > 0 {
            let length = window.length();
            if length == 0 {
                return Err(Fault::Width(0));
            }
            let xor = reader.read(length).map_err(|_| Fault::Truncated)?;
            value ^= xor << window.trailing;
            bits += length as usize;
        }
        *slot = f64::from_bits(value);
    }
    *input = rest.get(bits.div_ceil(8)..).ok_or(Fault::Truncated)?;
    Ok(())
}
