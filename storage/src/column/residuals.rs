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

/// How many residuals of a block have how many bits.
#[derive(Debug)]
pub(super) struct Widths {
    /// A block has 128 residuals at most. More room than widths, to look beyond the widest.
    counts: [u8; WIDTHS],
}

/// The widths 0 to 64, and seven more that none has.
const WIDTHS: usize = 72;

impl Widths {
    /// Of no residuals.
    pub(super) fn new() -> Self {
        Self {
            counts: [0; WIDTHS],
        }
    }

    /// Counts a residual.
    #[inline]
    pub(super) fn add(&mut self, residual: u64) {
        if let Some(count) = self.counts.get_mut(bits_of(residual) as usize) {
            *count = count.wrapping_add(1);
        }
    }

    /// The widest residual's width; 0 where there is none.
    fn widest(&self) -> usize {
        let (words, _) = self.counts.as_chunks::<8>();
        let words = words.iter().map(|word| u64::from_le_bytes(*word));
        let last = words.enumerate().rfind(|&(_, word)| word != 0);
        last.map_or(0, |(place, word)| 8 * place + word.ilog2() as usize / 8)
    }

    /// The smallest way to pack a block of so many residuals, `widest` being their [`Self::widest`].
    fn plan(&self, residuals: usize, widest: usize) -> BlockPlan {
        let mut best = BlockPlan {
            width: widest as u32,
            patches: 0,
            bytes: 1 + bitpack::packed_bytes(residuals, widest as u32),
        };
        // How many residuals do not fit in a width, of the widths that were looked at.
        let mut wider = [0u8; WIDTHS];
        let mut sum = 0u8;
        let counts = self.counts.iter().skip(1).take(widest);
        for (width, count) in counts.enumerate().rev() {
            sum = sum.wrapping_add(*count);
            if let Some(wider) = wider.get_mut(width) {
                *wider = sum;
            }
            let patches = usize::from(sum);
            if patches * PATCHED_RESIDUALS_MIN > residuals {
                break;
            }
            // Each patch has a place, a byte of its varint, and one more for seven bits each.
            let varints = wider.iter().take(widest).skip(width).step_by(7);
            let varints: usize = varints.map(|&longer| usize::from(longer)).sum();
            let packed = bitpack::packed_bytes(residuals, width as u32);
            let bytes = 2 + packed + patches + varints;
            if bytes < best.bytes {
                best = BlockPlan {
                    width: width as u32,
                    patches,
                    bytes,
                };
            }
        }
        best
    }
}

/// No more than one residual in so many is patched.
const PATCHED_RESIDUALS_MIN: usize = 3;

/// How a block is packed.
struct BlockPlan {
    width: u32,
    patches: usize,
    bytes: usize,
}

/// How many bytes residuals take in either layout.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Estimate {
    blocks_bytes: usize,
    list_bytes: usize,
}

impl Estimate {
    /// Adds a block of so many residuals.
    pub(super) fn add(&mut self, widths: &Widths, residuals: usize) {
        let widest = widths.widest();
        self.blocks_bytes += widths.plan(residuals, widest).bytes;
        let entries = widths.counts.iter().zip(0u32..).take(widest + 1).skip(1);
        // Two bytes of place are rare where the list is the smaller layout.
        let bytes = entries.map(|(&count, bits)| usize::from(count) * (1 + varint_of(bits)));
        self.list_bytes += bytes.sum::<usize>();
    }

    /// The smaller layout, and how many bytes that takes.
    pub(super) fn best(&self) -> (Layout, usize) {
        let list_bytes = 1 + self.list_bytes;
        if list_bytes <= self.blocks_bytes {
            (Layout::List, list_bytes)
        } else {
            (Layout::Blocks, self.blocks_bytes)
        }
    }

    /// Whether all residuals are zero.
    pub(super) fn is_zero(&self) -> bool {
        self.list_bytes == 0
    }
}

/// Appends residuals, which come in blocks of [`BLOCK`], the last of them shorter or none.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    layout: Layout,
    out: &'a mut Vec<u8>,
    /// Of a list: what was appended to it, and how many entries that is.
    list: Vec<u8>,
    entries: u64,
    /// Of a list: how many residuals were zero since the last entry.
    zeros: u64,
}

impl<'a> Writer<'a> {
    /// Begins residuals at the end of `out`.
    pub(super) fn new(layout: Layout, out: &'a mut Vec<u8>) -> Self {
        Self {
            layout,
            out,
            list: Vec::new(),
            entries: 0,
            zeros: 0,
        }
    }

    /// Appends a block.
    pub(super) fn block(&mut self, block: &[u64]) {
        match self.layout {
            Layout::Blocks => encode_block(block, self.out),
            Layout::List => block
                .iter()
                .for_each(|&residual| self.add_to_list(residual)),
        }
    }

    fn add_to_list(&mut self, residual: u64) {
        if residual == 0 {
            self.zeros += 1;
            return;
        }
        varint::put_u64(&mut self.list, self.zeros);
        varint::put_u64(&mut self.list, residual);
        self.entries += 1;
        self.zeros = 0;
    }

    /// Ends the residuals.
    pub(super) fn finish(self) {
        if self.layout == Layout::List {
            varint::put_u64(self.out, self.entries);
            self.out.extend_from_slice(&self.list);
        }
    }
}

fn encode_block(block: &[u64], out: &mut Vec<u8>) {
    let mut widths = Widths::new();
    block.iter().for_each(|&residual| widths.add(residual));
    let BlockPlan { width, patches, .. } = widths.plan(block.len(), widths.widest());
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

#[inline]
fn bits_of(number: u64) -> u32 {
    64 - number.leading_zeros()
}

/// Length of a varint of so many bits.
fn varint_of(bits: u32) -> usize {
    bits.div_ceil(7).max(1) as usize
}

/// Length of a varint.
pub(super) fn varint_bytes(number: u64) -> usize {
    varint_of(bits_of(number))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_block_takes_the_width_that_makes_it_smallest(
            shifts in prop::collection::vec(prop_oneof![9 => 54..64u32, 1 => 0..64u32], 1..=BLOCK),
            bits: u64,
        ) {
            let residual = |&shift: &u32| bits.rotate_left(shift) >> shift;
            let block: Vec<u64> = shifts.iter().map(residual).collect();
            let bytes = |width: u32| {
                let patched = block.iter().filter(|&&residual| bits_of(residual) > width);
                let patches = patched.clone().count();
                let varints: usize = patched.map(|&residual| varint_bytes(residual >> width)).sum();
                let header = 1 + usize::from(patches > 0);
                let packed = bitpack::packed_bytes(block.len(), width);
                (patches * PATCHED_RESIDUALS_MIN <= block.len())
                    .then_some(header + packed + patches + varints)
            };
            let mut out = Vec::new();
            encode_block(&block, &mut out);
            prop_assert_eq!(Some(out.len()), (0..=64).filter_map(bytes).min());
            let mut widths = Widths::new();
            block.iter().for_each(|&residual| widths.add(residual));
            prop_assert_eq!(widths.plan(block.len(), widths.widest()).bytes, out.len());
        }
    }
}
