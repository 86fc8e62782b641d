//! What a prediction leaves of integers: small numbers mostly, in blocks of [`BLOCK`].
//!
//! A block is bit-packed in the width that makes it smallest; the few numbers that are wider are
//! patched. Where most numbers are zero, the others stand in a list instead.
//!
//! - **Blocks**, each: a byte, the width w and 128 if there are patches; the number of patches, a
//!   byte, if so; the lowest w bits of each number; for each patch its place in the block, a
//!   byte; for each patch the number's bits from w on, a varint.
//! - **List**: how many numbers are not zero, a varint; for each of them a varint of the zeros
//!   before it, back to the one before, and a varint of the number.

use super::bitpack::{self, BLOCK};
use super::error::Fault;
use crate::codec::varint;

const PATCHED: u8 = 128;
const WIDTH_MASK: u8 = 127;

/// How residuals are laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Layout {
    /// Bit-packed blocks with patches.
    Blocks,
    /// A list of those that are not zero.
    List,
}

/// The smaller layout, and its bytes.
pub(super) fn best(residuals: &[u64]) -> (Layout, usize) {
    let blocks = residuals
        .chunks(BLOCK)
        .map(|b| BlockPlan::new(b).bytes)
        .sum();
    match list_bytes(residuals, blocks) {
        Some(list) => (Layout::List, list),
        None => (Layout::Blocks, blocks),
    }
}

/// Appends residuals.
pub(super) fn encode(residuals: &[u64], layout: Layout, out: &mut Vec<u8>) {
    match layout {
        Layout::Blocks => {
            for block in residuals.chunks(BLOCK) {
                encode_block(block, out);
            }
        }
        Layout::List => encode_list(residuals, out),
    }
}

/// How a block is packed.
struct BlockPlan {
    width: u32,
    patches: usize,
    bytes: usize,
}

impl BlockPlan {
    fn new(block: &[u64]) -> Self {
        // By how many bits a number has.
        let mut counts = [0usize; 65];
        for &residual in block {
            counts[bits_of(residual) as usize] += 1;
        }
        let widest = (0..=64)
            .rev()
            .find(|&w| counts[w as usize] > 0)
            .unwrap_or(0);
        let mut best = Self {
            width: widest,
            patches: 0,
            bytes: 1 + bitpack::packed_bytes(block.len(), widest),
        };
        let mut patches = 0;
        for width in (0..widest).rev() {
            patches += counts[width as usize + 1];
            if patches > block.len() / 3 {
                break;
            }
            let wider = (width + 1..=widest).map(|bits| {
                let varint = (bits - width).div_ceil(7) as usize;
                counts[bits as usize] * (1 + varint)
            });
            let bytes = 2 + bitpack::packed_bytes(block.len(), width) + wider.sum::<usize>();
            if bytes < best.bytes {
                best = Self {
                    width,
                    patches,
                    bytes,
                };
            }
        }
        best
    }
}

fn encode_block(block: &[u64], out: &mut Vec<u8>) {
    let BlockPlan { width, patches, .. } = BlockPlan::new(block);
    if patches == 0 {
        out.push(width as u8);
        bitpack::pack(block, width, out);
        return;
    }
    out.push(width as u8 | PATCHED);
    out.push(patches as u8);
    bitpack::pack(block, width, out);
    let wide = |residual: u64| bits_of(residual) > width;
    let patched = || (0u8..).zip(block).filter(|&(_, &residual)| wide(residual));
    out.extend(patched().map(|(place, _)| place));
    for (_, residual) in patched() {
        varint::put_u64(out, residual >> width);
    }
}

fn encode_list(residuals: &[u64], out: &mut Vec<u8>) {
    let count = residuals.iter().filter(|&&residual| residual != 0).count();
    varint::put_u64(out, count as u64);
    let mut next = 0;
    for (place, &residual) in (0u64..).zip(residuals) {
        if residual != 0 {
            varint::put_u64(out, place - next);
            varint::put_u64(out, residual);
            next = place + 1;
        }
    }
}

/// Bytes of the list, if they are not more than `bytes_max`.
fn list_bytes(residuals: &[u64], bytes_max: usize) -> Option<usize> {
    let mut bytes = 0;
    let mut count = 0;
    let mut next = 0;
    for (place, &residual) in (0u64..).zip(residuals) {
        if residual != 0 {
            bytes += varint_bytes(place - next) + varint_bytes(residual);
            if bytes > bytes_max {
                return None;
            }
            count += 1;
            next = place + 1;
        }
    }
    bytes += varint_bytes(count);
    (bytes <= bytes_max).then_some(bytes)
}

fn bits_of(residual: u64) -> u32 {
    64 - residual.leading_zeros()
}

/// Length of a varint.
pub(super) fn varint_bytes(number: u64) -> usize {
    bits_of(number).div_ceil(7).max(1) as usize
}

/// Reads residuals in blocks.
#[derive(Debug)]
pub(super) struct Residuals {
    layout: Layout,
    /// Of a list: how many entries are not read yet.
    entries: u64,
    /// Of a list: the zeros before the next entry, and that entry, if it is read already.
    next: Option<(u64, u64)>,
}

impl Residuals {
    /// Begins to read residuals from `input`.
    pub(super) fn new(layout: Layout, input: &mut &[u8]) -> Result<Self, Fault> {
        let entries = match layout {
            Layout::Blocks => 0,
            Layout::List => varint::take_u64(input).ok_or(Fault::Truncated)?,
        };
        Ok(Self {
            layout,
            entries,
            next: None,
        })
    }

    /// Puts the next `count` residuals, at most a block, at the front of `block`.
    #[inline]
    pub(super) fn next_block(
        &mut self,
        input: &mut &[u8],
        count: usize,
        block: &mut [u64; BLOCK],
    ) -> Result<(), Fault> {
        match self.layout {
            Layout::Blocks => decode_block(input, count, block),
            Layout::List => self.next_of_list(input, count, block),
        }
    }

    fn next_of_list(
        &mut self,
        input: &mut &[u8],
        count: usize,
        block: &mut [u64; BLOCK],
    ) -> Result<(), Fault> {
        let block = block.get_mut(..count).ok_or(Fault::Position)?;
        block.fill(0);
        let mut rest = block;
        loop {
            let (zeros, residual) = match self.next.take() {
                Some(entry) => entry,
                None if self.entries == 0 => return Ok(()),
                None => {
                    self.entries -= 1;
                    let zeros = varint::take_u64(input).ok_or(Fault::Truncated)?;
                    (zeros, varint::take_u64(input).ok_or(Fault::Truncated)?)
                }
            };
            if zeros >= rest.len() as u64 {
                self.next = Some((zeros - rest.len() as u64, residual));
                return Ok(());
            }
            let (_, from) = rest.split_at_mut(zeros as usize);
            let Some((slot, after)) = from.split_first_mut() else {
                return Err(Fault::Position);
            };
            *slot = residual;
            rest = after;
        }
    }

    /// Says whether all of it was read, once the last block has been.
    pub(super) fn finish(&self) -> Result<(), Fault> {
        if self.entries > 0 || self.next.is_some() {
            return Err(Fault::Position);
        }
        Ok(())
    }
}

#[inline]
fn decode_block(input: &mut &[u8], count: usize, block: &mut [u64; BLOCK]) -> Result<(), Fault> {
    let header = take_byte(input)?;
    let width = header & WIDTH_MASK;
    if width > 64 {
        return Err(Fault::Width(width));
    }
    let patches = match header & PATCHED {
        0 => 0,
        _ => usize::from(take_byte(input)?),
    };
    let taken = bitpack::unpack(input, u32::from(width), count, block).ok_or(Fault::Truncated)?;
    *input = input.get(taken..).ok_or(Fault::Truncated)?;
    if patches == 0 {
        return Ok(());
    }
    let (places, rest) = input.split_at_checked(patches).ok_or(Fault::Truncated)?;
    *input = rest;
    let block = block.get_mut(..count).ok_or(Fault::Position)?;
    for &place in places {
        let high = varint::take_u64(input).ok_or(Fault::Truncated)?;
        let slot = block.get_mut(usize::from(place)).ok_or(Fault::Position)?;
        *slot |= high.checked_shl(u32::from(width)).unwrap_or(0);
    }
    Ok(())
}

/// Takes a byte off the front of `input`.
pub(super) fn take_byte(input: &mut &[u8]) -> Result<u8, Fault> {
    let (&byte, rest) = input.split_first().ok_or(Fault::Truncated)?;
    *input = rest;
    Ok(byte)
}
