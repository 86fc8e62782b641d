//! Bits within bytes, most significant bit first.

use thiserror::Error;

/// The bits ran out before the value was complete.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the bits end inside a value")]
pub struct EndOfBits;

/// The size that a writer gives its buffer at first, and by how much it grows then at least: by
/// this, or by a half. There is one buffer for each series, so doubling would keep much room for
/// nothing, and leave holes in the heap when it is given back.
const FIRST_BYTES: usize = 24;
const GROWTH_BYTES: usize = 32;

/// Bytes that a write of 64 bits may touch.
const WRITE_BYTES: usize = 9;

/// Appends bits to a buffer that grows as needed; what is not written yet is zero.
///
/// The writer keeps nothing but its position, so that its owner can store that one number and go
/// on later. The buffer has no capacity besides its length: it takes two words.
#[derive(Debug)]
pub struct BitWriter<'a> {
    buffer: &'a mut Box<[u8]>,
    position: usize,
}

impl<'a> BitWriter<'a> {
    /// Goes on after the first `position` bits of `buffer`, after which all are zero.
    pub fn resume(buffer: &'a mut Box<[u8]>, position: u32) -> Self {
        let position = position as usize;
        debug_assert!(position <= buffer.len() * 8);
        Self { buffer, position }
    }

    /// How many bits are written: what [`BitWriter::resume`] takes.
    pub fn position(&self) -> u32 {
        self.position as u32
    }

    /// Appends the lowest `count` (0..=64) bits of `value`.
    #[inline]
    pub fn write(&mut self, value: u64, count: u32) {
        debug_assert!(count <= 64);
        if count == 0 {
            return;
        }
        let start = self.position / 8;
        if self.buffer.len() < start + WRITE_BYTES {
            self.grow();
        }
        let aligned = value << (64 - count);
        let shift = (self.position % 8) as u32;
        let bytes = &mut self.buffer[start..];
        if let Some((word, rest)) = bytes.split_first_chunk_mut::<8>() {
            *word = (u64::from_be_bytes(*word) | aligned >> shift).to_be_bytes();
            if shift + count > 64
                && let Some(next) = rest.first_mut()
            {
                *next = (aligned << (64 - shift) >> 56) as u8;
            }
        }
        self.position += count as usize;
    }

    #[cold]
    fn grow(&mut self) {
        let mut bytes = std::mem::take(self.buffer).into_vec();
        let length = match bytes.len() {
            0 => FIRST_BYTES,
            length => whole_room(length + (length / 2).max(GROWTH_BYTES)),
        };
        bytes.reserve_exact(length - bytes.len());
        bytes.resize(length, 0);
        *self.buffer = bytes.into_boxed_slice();
    }

    /// Appends an unsigned LEB128 integer: 7 bits a byte, the lowest first; 1 to 10 bytes.
    pub fn write_uvarint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.write(value | 0x80, 8);
            value >>= 7;
        }
        self.write(value, 8);
    }

    /// Appends a signed integer in zigzag form as an unsigned one.
    pub fn write_varint(&mut self, value: i64) {
        self.write_uvarint(((value << 1) ^ (value >> 63)) as u64);
    }
}

/// A size not below `bytes` that is a multiple of 16 with the 8 bytes that an allocator commonly
/// adds.
pub fn whole_room(bytes: usize) -> usize {
    (bytes + 8).next_multiple_of(16) - 8
}

/// Reads bits from bytes; whatever the bytes hold, it fails rather than reads beyond them.
#[derive(Clone, Debug)]
pub struct BitReader<'a> {
    /// Bytes not yet in `window`.
    rest: &'a [u8],
    /// The next bits, from the most significant one on.
    window: u64,
    /// How many bits of `window` may be used. Those after them are zero or the bits to come.
    valid: u32,
}

impl<'a> BitReader<'a> {
    /// Reads `bytes` from their first bit.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            window: 0,
            valid: 0,
        }
    }

    /// Fills the window to at least 57 bits, or with all there are.
    fn refill(&mut self) {
        if let Some((word, _)) = self.rest.split_first_chunk::<8>() {
            self.window |= u64::from_be_bytes(*word) >> self.valid;
            let bytes = (63 - self.valid) / 8;
            self.rest = &self.rest[bytes as usize..];
            self.valid += bytes * 8;
            return;
        }
        while self.valid <= 56
            && let Some((&byte, rest)) = self.rest.split_first()
        {
            self.window |= u64::from(byte) << (56 - self.valid);
            self.valid += 8;
            self.rest = rest;
        }
    }

    /// The next `count` (0..=64) bits as the lowest bits of a number.
    ///
    /// # Errors
    /// Fewer bits are left.
    #[inline]
    pub fn read(&mut self, count: u32) -> Result<u64, EndOfBits> {
        debug_assert!(count <= 64);
        if count > 32 {
            let high = self.read_short(count - 32)?;
            return Ok(high << 32 | self.read_short(32)?);
        }
        self.read_short(count)
    }

    /// [`BitReader::read`] for up to 32 bits.
    #[inline]
    fn read_short(&mut self, count: u32) -> Result<u64, EndOfBits> {
        if self.valid < count {
            self.refill();
            if self.valid < count {
                return Err(EndOfBits);
            }
        }
        // In two steps, as a shift by 64 is none.
        let value = self.window >> 32 >> (32 - count);
        self.window <<= count;
        self.valid -= count;
        Ok(value)
    }

    /// Counts one bits up to the first zero bit, which it takes too, or up to `max` (0..=32)
    /// ones, after which no zero bit stands.
    ///
    /// # Errors
    /// The bits end before that.
    #[inline]
    pub fn read_ones(&mut self, max: u32) -> Result<u32, EndOfBits> {
        debug_assert!(max <= 32);
        if self.valid < max {
            self.refill();
        }
        let ones = self.window.leading_ones().min(max);
        let used = if ones == max { ones } else { ones + 1 };
        if self.valid < used {
            return Err(EndOfBits);
        }
        self.window <<= used;
        self.valid -= used;
        Ok(ones)
    }

    /// An integer as [`BitWriter::write_uvarint`] writes it. Bits above the 64th are dropped.
    ///
    /// # Errors
    /// The bits end before its last byte, or its tenth byte is not its last.
    pub fn read_uvarint(&mut self) -> Result<u64, EndOfBits> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let byte = self.read_short(8)?;
            value |= (byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(EndOfBits)
    }

    /// An integer as [`BitWriter::write_varint`] writes it.
    ///
    /// # Errors
    /// As [`BitReader::read_uvarint`].
    pub fn read_varint(&mut self) -> Result<i64, EndOfBits> {
        let zigzag = self.read_uvarint()?;
        Ok((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Item {
        Bits(u64, u32),
        Ones(u32, u32),
        Unsigned(u64),
        Signed(i64),
    }

    fn item() -> impl Strategy<Value = Item> {
        prop_oneof![
            (any::<u64>(), 0..=64u32).prop_map(|(value, count)| {
                let mask = if count == 0 {
                    0
                } else {
                    u64::MAX >> (64 - count)
                };
                Item::Bits(value & mask, count)
            }),
            (0..=32u32)
                .prop_flat_map(|max| (0..=max, Just(max)))
                .prop_map(|(ones, max)| Item::Ones(ones, max)),
            (any::<u64>(), 0..64u32).prop_map(|(value, shift)| Item::Unsigned(value >> shift)),
            (any::<i64>(), 0..64u32).prop_map(|(value, shift)| Item::Signed(value >> shift)),
        ]
    }

    fn write(writer: &mut BitWriter<'_>, item: &Item) {
        match *item {
            Item::Bits(value, count) => writer.write(value, count),
            Item::Ones(ones, max) if ones == max => writer.write(u64::MAX, ones),
            Item::Ones(ones, _) => writer.write(u64::MAX << 1, ones + 1),
            Item::Unsigned(value) => writer.write_uvarint(value),
            Item::Signed(value) => writer.write_varint(value),
        }
    }

    #[test]
    fn varints_have_the_bytes_of_go() {
        let mut bytes = Box::default();
        let mut writer = BitWriter::resume(&mut bytes, 0);
        writer.write_uvarint(300);
        writer.write_varint(-65);
        writer.write_varint(64);
        writer.write_uvarint(u64::MAX);
        let max = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(bytes[..6], [0xac, 0x02, 0x81, 0x01, 0x80, 0x01]);
        assert_eq!(bytes[6..16], max);
    }

    #[test]
    fn eleven_byte_varint_is_refused() {
        assert_eq!(BitReader::new(&[0xff; 11]).read_uvarint(), Err(EndOfBits));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(items in prop::collection::vec(item(), 0..80)) {
            let (mut bytes, mut position) = (Box::default(), 0);
            for item in &items {
                // A new writer each time: nothing but the position is carried over.
                let mut writer = BitWriter::resume(&mut bytes, position);
                write(&mut writer, item);
                position = writer.position();
            }
            let written = position.div_ceil(8);
            prop_assert!(bytes[written as usize..].iter().all(|&byte| byte == 0));
            let mut reader = BitReader::new(&bytes[..written as usize]);
            for item in &items {
                match *item {
                    Item::Bits(value, count) => prop_assert_eq!(reader.read(count), Ok(value)),
                    Item::Ones(ones, max) => prop_assert_eq!(reader.read_ones(max), Ok(ones)),
                    Item::Unsigned(value) => prop_assert_eq!(reader.read_uvarint(), Ok(value)),
                    Item::Signed(value) => prop_assert_eq!(reader.read_varint(), Ok(value)),
                }
            }
            prop_assert_eq!(reader.read(written * 8 - position), Ok(0), "padding is zero");
            prop_assert_eq!(reader.read(1), Err(EndOfBits));
        }

        #[test]
        fn any_bytes_end_in_an_error(
            bytes in prop::collection::vec(any::<u8>(), 0..40),
            items in prop::collection::vec(item(), 1..20),
        ) {
            let mut reader = BitReader::new(&bytes);
            let mut read = 0;
            for item in items.iter().cycle().take(2000) {
                let result = match *item {
                    Item::Bits(_, count) => reader.read(count.max(1)),
                    Item::Ones(_, max) => reader.read_ones(max.max(1)).map(u64::from),
                    Item::Unsigned(_) => reader.read_uvarint(),
                    Item::Signed(_) => reader.read_varint().map(|_| 0),
                };
                if result.is_err() {
                    return Ok(());
                }
                read += 1;
            }
            prop_assert!(read <= bytes.len() * 8);
        }
    }
}
