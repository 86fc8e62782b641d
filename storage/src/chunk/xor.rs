//! Floats as Gorilla compresses them (Pelkonen et al., VLDB 2015), in the byte layout of
//! Prometheus's XOR chunk, so that remote read and Prometheus blocks take the bytes as they are.
//!
//! Layout (`tsdb/docs/format/chunks.md` of Prometheus; bits from the most significant one on):
//! - number of samples, u16 big endian;
//! - sample 0: timestamp as a varint, then the 64 bits of the value;
//! - sample 1: timestamp less the first as a uvarint, then the value's XOR with the first;
//! - others: the change of the timestamps' difference, then the XOR with the value before.
//!
//! A change of the difference is `0` for none; `10` + 14, `110` + 17 or `1110` + 20 bits for
//! -(2^(n-1) - 1)..=2^(n-1); else `1111` + 64 bits. All of it is arithmetic modulo 2^64, so that
//! any two timestamps can follow each other, backwards too.
//!
//! A XOR is `0` for the same value; `10` + the bits within the window of the XOR before, if it
//! fits there; else `11`, 5 bits of leading zeros (31 at most), 6 bits of length (0 for 64) and
//! the bits of the new window.

use std::ops::ControlFlow;

use super::ChunkError;
use crate::codec::bits::{BitReader, BitWriter, EndOfBits};

pub(super) const HEADER_BYTES: usize = 2;
const HEADER_BITS: u32 = 16;

/// Sizes of a change of the timestamps' difference, by the number of one bits before it.
const DOD_BITS: [u32; 4] = [0, 14, 17, 20];

/// An open chunk: bytes and what the next sample is encoded against.
#[derive(Clone, Debug, Default)]
pub struct XorChunk {
    /// The samples and unused room; the count's two bytes stand before them and are filled in
    /// when the chunk is sealed. Empty before the first sample.
    bytes: Box<[u8]>,
    timestamp_ms: i64,
    /// Difference of the last two timestamps, modulo 2^64.
    delta: u64,
    value: u64,
    /// How many bits of `bytes` are used, the header's included.
    position: u32,
    count: u16,
    window: Window,
}

/// Which bits of a XOR are written: those between `leading` and `trailing` zeros.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    leading: u8,
    trailing: u8,
    /// Number of bits between the two, 0 before the first window.
    length: u8,
}

impl Window {
    fn around(xor: u64) -> Self {
        let leading = xor.leading_zeros().min(31);
        let trailing = xor.trailing_zeros();
        Self {
            leading: leading as u8,
            trailing: trailing as u8,
            length: (64 - leading - trailing) as u8,
        }
    }

    fn covers(self, other: Self) -> bool {
        self.length > 0 && self.leading <= other.leading && self.trailing <= other.trailing
    }
}

impl XorChunk {
    /// Appends a sample; any timestamp after any other.
    pub fn push(&mut self, timestamp_ms: i64, value: f64) {
        debug_assert!(self.count < u16::MAX, "the owner seals a chunk before");
        let value = value.to_bits();
        let delta = (timestamp_ms as u64).wrapping_sub(self.timestamp_ms as u64);
        let mut writer = BitWriter::resume(&mut self.bytes, self.position);
        match self.count {
            0 => {
                writer.write(0, HEADER_BITS);
                writer.write_varint(timestamp_ms);
                writer.write(value, 64);
            }
            count => {
                let mut pending = Pending::default();
                if count == 1 {
                    writer.write_uvarint(delta);
                } else {
                    let dod = delta.wrapping_sub(self.delta) as i64;
                    add_dod(&mut pending, &mut writer, dod);
                }
                let xor = value ^ self.value;
                add_xor(&mut pending, &mut writer, xor, &mut self.window);
                pending.write(&mut writer);
            }
        }
        self.position = writer.position();
        self.timestamp_ms = timestamp_ms;
        self.delta = delta;
        self.value = value;
        self.count += 1;
    }

    /// How many samples it holds.
    pub fn count(&self) -> u16 {
        self.count
    }

    /// Timestamp and value bits of the last sample, kept when the bytes are taken.
    pub(super) fn last(&self) -> (i64, u64) {
        (self.timestamp_ms, self.value)
    }

    pub(super) fn capacity_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// A reader of the samples so far.
    pub fn reader(&self) -> XorReader<'_> {
        XorReader::with_count(self.samples(), self.count)
    }

    /// The samples so far, encoded, without the header.
    pub(super) fn samples(&self) -> &[u8] {
        let samples = self.bytes.get(HEADER_BYTES..self.used_bytes());
        samples.unwrap_or(&[])
    }

    /// The whole chunk as Prometheus lays it out; leaves an empty one.
    pub(super) fn take_bytes(&mut self) -> Box<[u8]> {
        // The room is given back: kept, every open chunk would hold that of a full one.
        let mut bytes = std::mem::take(&mut self.bytes).into_vec();
        bytes.resize(self.used_bytes().max(HEADER_BYTES), 0);
        if let Some(header) = bytes.first_chunk_mut::<HEADER_BYTES>() {
            *header = self.count.to_be_bytes();
        }
        self.count = 0;
        self.position = 0;
        self.window = Window::default();
        bytes.into_boxed_slice()
    }

    fn used_bytes(&self) -> usize {
        self.position.div_ceil(8) as usize
    }
}

/// Bits that are put together before they are written: one write a sample, mostly.
#[derive(Default)]
pub(super) struct Pending {
    bits: u64,
    count: u32,
}

impl Pending {
    /// Adds the `count` (0..=64) bits of `value`, which has no others.
    #[inline]
    pub(super) fn add(&mut self, writer: &mut BitWriter<'_>, value: u64, count: u32) {
        if self.count + count > 64 {
            self.write(writer);
        }
        // In two steps, as a shift by 64 is none.
        self.bits = (self.bits << (count / 2) << (count - count / 2)) | value;
        self.count += count;
    }

    #[inline]
    pub(super) fn write(&mut self, writer: &mut BitWriter<'_>) {
        writer.write(self.bits, self.count);
        *self = Self::default();
    }
}

#[inline]
fn add_dod(pending: &mut Pending, writer: &mut BitWriter<'_>, dod: i64) {
    if dod == 0 {
        pending.add(writer, 0, 1);
        return;
    }
    for (ones, bits) in (1u32..).zip(&DOD_BITS[1..]) {
        let half = 1i64 << (bits - 1);
        if -half < dod && dod <= half {
            // `ones` one bits and a zero bit, then the lowest bits of the number.
            let prefix = (1u64 << (ones + 1)) - 2;
            let low = dod as u64 & ((1 << bits) - 1);
            pending.add(writer, (prefix << bits) | low, ones + 1 + bits);
            return;
        }
    }
    pending.add(writer, 0b1111, 4);
    pending.add(writer, dod as u64, 64);
}

#[inline]
pub(super) fn add_xor(
    pending: &mut Pending,
    writer: &mut BitWriter<'_>,
    xor: u64,
    window: &mut Window,
) {
    if xor == 0 {
        pending.add(writer, 0, 1);
        return;
    }
    let own = Window::around(xor);
    if window.covers(own) {
        pending.add(writer, 0b10, 2);
    } else {
        *window = own;
        let length = u64::from(own.length) & 63;
        let header = (0b11 << 11) | (u64::from(own.leading) << 6) | length;
        pending.add(writer, header, 13);
    }
    pending.add(writer, xor >> window.trailing, u32::from(window.length));
}

/// Reads the samples of a chunk in the order in which they were pushed.
#[derive(Clone, Debug)]
pub struct XorReader<'a> {
    bits: BitReader<'a>,
    count: u16,
    read: u16,
    timestamp_ms: i64,
    delta: u64,
    value: u64,
    window: Window,
}

/// Why a sample cannot be read; the reader of the chunk adds where.
pub(super) enum Fault {
    End,
    Corrupt,
}

impl Fault {
    pub(super) fn at(self, sample: u16, count: u16) -> ChunkError {
        match self {
            Self::End => ChunkError::Truncated { sample, count },
            Self::Corrupt => ChunkError::Corrupt { sample },
        }
    }
}

impl From<EndOfBits> for Fault {
    fn from(_: EndOfBits) -> Self {
        Self::End
    }
}

impl<'a> XorReader<'a> {
    /// Reads a whole chunk with its header.
    ///
    /// # Errors
    /// The bytes are shorter than the header.
    pub fn new(bytes: &'a [u8]) -> Result<Self, ChunkError> {
        let (header, samples) = bytes
            .split_first_chunk::<HEADER_BYTES>()
            .ok_or(ChunkError::NoHeader)?;
        Ok(Self::with_count(samples, u16::from_be_bytes(*header)))
    }

    fn with_count(samples: &'a [u8], count: u16) -> Self {
        Self {
            bits: BitReader::new(samples),
            count,
            read: 0,
            timestamp_ms: 0,
            delta: 0,
            value: 0,
            window: Window::default(),
        }
    }

    /// How many samples are left, as the header says.
    pub fn left(&self) -> u16 {
        self.count.saturating_sub(self.read)
    }

    /// The next sample, or none after the last.
    ///
    /// # Errors
    /// The bytes end before it does, or hold what no encoder writes.
    #[inline]
    pub fn next_sample(&mut self) -> Result<Option<(i64, f64)>, ChunkError> {
        if self.read >= self.count {
            return Ok(None);
        }
        self.advance()
            .map_err(|fault| fault.at(self.read, self.count))?;
        self.read += 1;
        Ok(Some((self.timestamp_ms, f64::from_bits(self.value))))
    }

    /// Calls `each` with the next `count` samples, or all that are left if there are fewer,
    /// until it breaks; says whether it did.
    ///
    /// # Errors
    /// As [`XorReader::next_sample`].
    pub fn for_each(
        mut self,
        count: u16,
        mut each: impl FnMut(i64, f64) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ChunkError> {
        for _ in 0..count {
            let Some((timestamp_ms, value)) = self.next_sample()? else {
                break;
            };
            if each(timestamp_ms, value).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    #[inline]
    fn advance(&mut self) -> Result<(), Fault> {
        match self.read {
            0 => {
                self.timestamp_ms = self.bits.read_varint()?;
                self.value = self.bits.read(64)?;
                return Ok(());
            }
            1 => self.delta = self.bits.read_uvarint()?,
            _ => self.delta = self.delta.wrapping_add(self.read_dod()?),
        }
        self.timestamp_ms = self.timestamp_ms.wrapping_add(self.delta as i64);
        self.value ^= read_xor(&mut self.bits, &mut self.window)?;
        Ok(())
    }

    #[inline]
    fn read_dod(&mut self) -> Result<u64, EndOfBits> {
        let bits = match self.bits.read_ones(4)? {
            0 => return Ok(0),
            4 => return self.bits.read(64),
            ones => DOD_BITS[ones as usize],
        };
        let low = self.bits.read(bits)?;
        // The upper half stands for negative numbers; the middle, 2^(n-1), is positive.
        let negative = low > 1 << (bits - 1);
        Ok(low.wrapping_sub(u64::from(negative) << bits))
    }
}

/// The next XOR, as [`add_xor`] writes it.
#[inline]
pub(super) fn read_xor(bits: &mut BitReader<'_>, window: &mut Window) -> Result<u64, Fault> {
    match bits.read_ones(2)? {
        0 => return Ok(0),
        1 => {}
        _ => {
            let header = bits.read(11)?;
            let leading = (header >> 6) as u8;
            let length = match (header & 63) as u8 {
                0 => 64,
                length => length,
            };
            let trailing = 64u8.checked_sub(leading + length).ok_or(Fault::Corrupt)?;
            *window = Window {
                leading,
                trailing,
                length,
            };
        }
    }
    if window.length == 0 {
        return Err(Fault::Corrupt);
    }
    Ok(bits.read(u32::from(window.length))? << window.trailing)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::STALE_NAN_BITS;

    fn chunk_of(samples: &[(i64, u64)]) -> XorChunk {
        let mut chunk = XorChunk::default();
        for &(timestamp_ms, value) in samples {
            chunk.push(timestamp_ms, f64::from_bits(value));
        }
        chunk
    }

    fn samples_of(reader: XorReader<'_>, count: u16) -> Result<Vec<(i64, u64)>, ChunkError> {
        let mut samples = Vec::new();
        let _all = reader.for_each(count, |timestamp_ms, value| {
            samples.push((timestamp_ms, value.to_bits()));
            ControlFlow::Continue(())
        })?;
        Ok(samples)
    }

    fn timestamps() -> impl Strategy<Value = i64> {
        prop_oneof![
            4 => 0..100i64,
            4 => (0..1000i64).prop_map(|i| 1_700_000_000_000 + 15_000 * i),
            2 => -600_000..600_000i64,
            1 => any::<i64>(),
            1 => prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0)],
        ]
    }

    fn values() -> impl Strategy<Value = u64> {
        prop_oneof![
            4 => (0..50u32).prop_map(|i| f64::from(i).to_bits()),
            2 => (0..1000u32).prop_map(|i| (f64::from(i) / 10.0).to_bits()),
            1 => any::<u64>(),
            1 => prop_oneof![
                Just(STALE_NAN_BITS),
                Just(f64::NAN.to_bits()),
                Just((-0.0f64).to_bits()),
                Just(u64::MAX),
                Just(1),
            ],
        ]
    }

    /// The chunk that Prometheus 3.5.3 wrote for these samples: sent by remote write, read from
    /// `chunks/000001` of a snapshot of its head.
    #[test]
    fn bytes_are_those_of_prometheus() {
        const START_MS: i64 = 1_700_000_000_000;
        let samples = [
            (0, 0x3ff0_0000_0000_0000),
            (15_000, 0x3ff0_0000_0000_0000),
            (30_000, 0x4000_0000_0000_0000),
            (45_000, 0x4000_0000_0000_0000),
            (60_003, 0x3fb9_9999_9999_999a),
            (74_996, 0x40b2_d5c2_8f5c_28f6),
            (90_000, 0x7ff0_0000_0000_0002),
            (105_000, 0x8000_0000_0000_0000),
            (105_001, 0x0000_0000_0000_0000),
            (121_000, 0x4197_d784_0000_0000),
            (400_000, 0x4197_d784_0300_0000),
            (415_000, 0x4197_d784_0300_0000),
            (2_000_000, 0x7ff8_0000_0000_0001),
            (2_000_001, 0x7fef_ffff_ffff_ffff),
            (2_015_000, 0x0000_0000_0000_0001),
            (2_030_000, 0xc08f_4000_0000_0000),
            (2_045_000, 0x3ff0_0000_0000_0001),
            (2_060_000, 0xbff0_0000_0000_0001),
        ];
        let hex = concat!(
            "001280a0abfef9623ff000000000000098753097ffc8003c3f7fb999999999999b7fed7f0b4c5b16",
            "c5b16d00173f42d5c28f5c28f57ff983ffff0000000000003b8ad34000000000000000c3e7e9065f",
            "5e1000000007201acc0000000006000003afe301e00000000002fe9a18bef9bf5e100c000007ffff",
            "fffffff9f4266005ffffffffffffb0ea5b0fdffbffffffffffffc000e003023d0000000000057fbf",
            "a00000000000a80000000000000000",
        );
        let samples = samples.map(|(offset_ms, bits)| (START_MS + offset_ms, bits));
        let bytes = chunk_of(&samples).take_bytes();
        let own: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(own, hex);
        assert_eq!(
            samples_of(XorReader::new(&bytes).unwrap(), 18).unwrap(),
            samples
        );
    }

    #[test]
    fn edges_of_each_size_come_back() {
        let mut samples = vec![(0, 0), (0, 0)];
        let mut timestamp_ms = 0i64;
        let mut delta = 0;
        for bits in [1, 13, 14, 16, 17, 19, 20, 21, 62] {
            for dod in [
                -(1i64 << bits) - 1,
                -(1 << bits),
                -(1 << bits) + 1,
                (1 << bits) - 1,
                1 << bits,
                (1 << bits) + 1,
            ] {
                delta = dod.wrapping_add(delta);
                timestamp_ms = timestamp_ms.wrapping_add(delta);
                samples.push((timestamp_ms, dod as u64));
            }
        }
        let chunk = chunk_of(&samples);
        assert_eq!(samples_of(chunk.reader(), u16::MAX).unwrap(), samples);
    }

    #[test]
    fn a_constant_series_takes_two_bits_a_sample() {
        let samples: Vec<_> = (0..120).map(|i| (15_000 * i, 1f64.to_bits())).collect();
        let bytes = chunk_of(&samples).take_bytes();
        // Header, varint 0 and the value; uvarint 15000 and a bit; two bits for each of 118.
        assert_eq!(bytes.len(), 2 + 1 + 8 + 2 + (1usize + 2 * 118).div_ceil(8));
    }

    #[test]
    fn a_window_that_was_never_set_is_corrupt() {
        let mut bytes = chunk_of(&[(0, 0), (0, 0)]).take_bytes();
        let last = bytes.len() - 1;
        bytes[last] = 0b1000_0000;
        assert_eq!(
            samples_of(XorReader::new(&bytes).unwrap(), 2),
            Err(ChunkError::Corrupt { sample: 1 })
        );
    }

    #[test]
    fn reading_stops_where_told() {
        let chunk = chunk_of(&[(1, 1), (2, 2), (3, 3)]);
        let mut seen = Vec::new();
        let flow = chunk.reader().for_each(3, |timestamp_ms, _| {
            seen.push(timestamp_ms);
            match timestamp_ms {
                2 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        });
        assert_eq!((flow, seen), (Ok(ControlFlow::Break(())), vec![1, 2]));
    }

    #[test]
    fn an_empty_chunk_has_no_samples() {
        let bytes = XorChunk::default().take_bytes();
        assert_eq!(samples_of(XorReader::new(&bytes).unwrap(), 1), Ok(vec![]));
        assert_eq!(XorReader::new(&[0]).unwrap_err(), ChunkError::NoHeader);
    }

    proptest! {
        #[test]
        fn samples_come_back_to_the_bit(
            samples in prop::collection::vec((timestamps(), values()), 0..200),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut chunk = XorChunk::default();
            for (i, &(timestamp_ms, value)) in samples.iter().enumerate() {
                prop_assert_eq!(usize::from(chunk.count()), i);
                chunk.push(timestamp_ms, f64::from_bits(value));
            }
            let prefix = cut.index(samples.len() + 1);
            prop_assert_eq!(&samples_of(chunk.reader(), prefix as u16).unwrap(), &samples[..prefix]);
            let bytes = chunk.take_bytes();
            let sealed = samples_of(XorReader::new(&bytes).unwrap(), u16::MAX).unwrap();
            prop_assert_eq!(&sealed, &samples);
            // The emptied chunk starts anew.
            for &(timestamp_ms, value) in &samples[..prefix] {
                chunk.push(timestamp_ms, f64::from_bits(value));
            }
            prop_assert_eq!(&samples_of(chunk.reader(), u16::MAX).unwrap(), &samples[..prefix]);
        }

        #[test]
        fn a_cut_chunk_says_where(samples in prop::collection::vec((timestamps(), values()), 2..50)) {
            let bytes = chunk_of(&samples).take_bytes();
            let cut = XorReader::new(&bytes[..bytes.len() - 1]).unwrap();
            let error = samples_of(cut, u16::MAX).unwrap_err();
            let is_truncated = matches!(
                error,
                ChunkError::Truncated { sample, count }
                    if usize::from(count) == samples.len() && sample < count
            );
            prop_assert!(is_truncated, "{error}");
        }

        #[test]
        fn any_bytes_decode_or_fail(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(reader) = XorReader::new(&bytes) {
                // Whatever it is, it ends and does not panic.
                let _ = samples_of(reader, u16::MAX);
            }
        }
    }
}
