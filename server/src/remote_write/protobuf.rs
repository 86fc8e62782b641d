//! The protobuf wire format, read in place: varints, fixed-width numbers and byte strings.
//!
//! Format: <https://protobuf.dev/programming-guides/encoding/>. Groups, which proto3 has not,
//! are refused.

use std::fmt;

/// A reader over one message. Offsets in errors count from the start of the request's decoded
/// body, however deep the message is nested.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    data: &'a [u8],
    at: usize,
    /// Offset of `data` in the body.
    base: usize,
}

/// The bytes of a field behind its tag and its length, which have `header` bytes.
struct ShortBytes<'a> {
    header: usize,
    data: &'a [u8],
}

/// A field of a message.
#[derive(Debug)]
pub(super) struct Field<'a> {
    /// Its number, at least 1.
    pub(super) number: u32,
    /// Its value as the wire has it.
    pub(super) value: Wire<'a>,
    /// Where it starts in the body.
    pub(super) offset: usize,
}

/// A value as the wire has it.
#[derive(Debug)]
pub(super) enum Wire<'a> {
    /// Integers, booleans, enumerations.
    Varint(u64),
    /// `double`, `fixed64`.
    Fixed64(u64),
    /// Strings, bytes, messages.
    Bytes(Reader<'a>),
    /// `float`, `fixed32`; nothing in remote write has one, so its value is not kept.
    Fixed32,
}

/// What is wrong with the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Malformed {
    /// They end in the middle of a field.
    Truncated,
    /// A varint of more than 64 bits.
    VarintTooLong,
    /// Field number 0, or above 2^29 - 1.
    FieldNumber,
    /// A wire type that is a group's or nobody's.
    WireType(u8),
    /// A field that has another type than the message says.
    WrongType,
    /// A number that does not fit the field's type.
    OutOfRange,
    /// A table of strings that does not begin with the empty one.
    FirstSymbol,
    /// More of something than is read of one message.
    TooMany(&'static str, usize),
}

impl Malformed {
    /// The error with its place: an offset in the body.
    pub(super) fn at(self, offset: usize) -> WireError {
        WireError { offset, what: self }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("it ends too early"),
            Self::VarintTooLong => f.write_str("a number has more than 64 bits"),
            Self::FieldNumber => f.write_str("a field number is out of range"),
            Self::WireType(wire_type) => write!(f, "wire type {wire_type} is not supported"),
            Self::WrongType => f.write_str("it has the wrong type"),
            Self::OutOfRange => f.write_str("a number does not fit its type"),
            Self::FirstSymbol => f.write_str("the first string is not empty"),
            Self::TooMany(what, max) => write!(f, "there are more than {max} {what}"),
        }
    }
}

/// Malformed bytes and where they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct WireError {
    pub(super) offset: usize,
    pub(super) what: Malformed,
}

/// The signed number that `sint64` and `sint32` write with the sign as the lowest bit, so that
/// small ones are short.
pub(super) fn zigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

impl<'a> Reader<'a> {
    /// Reads the message that `body` is.
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self {
            data: body,
            at: 0,
            base: 0,
        }
    }

    /// How many bytes were read.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// All bytes of the message, or of the string that it is.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.data
    }

    /// The next field; none at the end.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<Field<'a>>, WireError> {
        if let Some(field) = self.next_short() {
            return Ok(Some(field));
        }
        self.next_any()
    }

    /// The next field, whatever it is. Not inlined, so that what nearly all fields are can be.
    #[inline(never)]
    fn next_any(&mut self) -> Result<Option<Field<'a>>, WireError> {
        if self.at >= self.data.len() {
            return Ok(None);
        }
        let start = self.at;
        let tag = self.varint(start)?;
        let number = u32::try_from(tag >> 3)
            .ok()
            .filter(|number| (1..1 << 29).contains(number))
            .ok_or_else(|| self.error(start, Malformed::FieldNumber))?;
        let value = match (tag & 7) as u8 {
            0 => Wire::Varint(self.varint(start)?),
            1 => {
                let bytes = self.take(start, 8)?;
                Wire::Fixed64(u64::from_le_bytes(bytes.try_into().unwrap_or_default()))
            }
            2 => {
                let len = self.varint(start)?;
                let len =
                    usize::try_from(len).map_err(|_| self.error(start, Malformed::Truncated))?;
                let data = self.take(start, len)?;
                Wire::Bytes(Reader {
                    data,
                    at: 0,
                    base: self.base + self.at - len,
                })
            }
            5 => {
                self.take(start, 4)?;
                Wire::Fixed32
            }
            other => return Err(self.error(start, Malformed::WireType(other))),
        };
        Ok(Some(Field {
            number,
            value,
            offset: self.base + start,
        }))
    }

    /// The next of the varints that these bytes are, one after the other; none at the end.
    pub(super) fn packed_varint(&mut self) -> Result<Option<u64>, WireError> {
        if self.at >= self.data.len() {
            return Ok(None);
        }
        self.varint(self.at).map(Some)
    }

    /// The next field, if it is a string or a message with a tag of one byte and a length of one
    /// or two, as nearly all fields are. Otherwise nothing is read.
    #[inline]
    fn next_short(&mut self) -> Option<Field<'a>> {
        let (tag, value) = self.short_bytes()?;
        Some(Field {
            number: u32::from(tag >> 3),
            offset: self.base + self.at,
            value: Wire::Bytes(self.pass(value)),
        })
    }

    /// The next field as a message, if it has this number, of 15 at most, and its length takes one
    /// byte or two. Otherwise nothing is read.
    #[inline]
    pub(super) fn next_message(&mut self, number: u8) -> Option<Self> {
        let (_, message) = self.short_bytes().filter(|&(tag, _)| tag >> 3 == number)?;
        Some(self.pass(message))
    }

    /// The tag of such a field, and its bytes.
    #[inline]
    fn short_bytes(&self) -> Option<(u8, ShortBytes<'a>)> {
        let rest = self.data.get(self.at..)?;
        let &[tag, low, high] = rest.first_chunk()?;
        let (header, len) = match (low, high) {
            (0..0x80, _) => (2, usize::from(low)),
            (_, 0..0x80) => (3, usize::from(low & 0x7f) | usize::from(high) << 7),
            _ => return None,
        };
        let is_short = tag & 7 == 2 && (1 << 3..0x80).contains(&tag);
        let data = rest.get(header..header + len).filter(|_| is_short)?;
        Some((tag, ShortBytes { header, data }))
    }

    #[inline]
    fn pass(&mut self, bytes: ShortBytes<'a>) -> Self {
        let ShortBytes { header, data } = bytes;
        let base = self.base + self.at + header;
        self.at += header + data.len();
        Self { data, at: 0, base }
    }

    #[inline]
    fn varint(&mut self, field_start: usize) -> Result<u64, WireError> {
        match self.data.get(self.at) {
            // Nearly all tags and lengths.
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(u64::from(byte))
            }
            _ => self.long_varint(field_start),
        }
    }

    fn long_varint(&mut self, field_start: usize) -> Result<u64, WireError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let Some(&byte) = self.data.get(self.at) else {
                return Err(self.error(field_start, Malformed::Truncated));
            };
            self.at += 1;
            // The tenth byte holds the 64th bit and nothing else.
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.error(field_start, Malformed::VarintTooLong))
    }

    fn take(&mut self, field_start: usize, len: usize) -> Result<&'a [u8], WireError> {
        let taken = self
            .at
            .checked_add(len)
            .and_then(|end| self.data.get(self.at..end));
        let taken = taken.ok_or_else(|| self.error(field_start, Malformed::Truncated))?;
        self.at += len;
        Ok(taken)
    }

    fn error(&self, field_start: usize, what: Malformed) -> WireError {
        WireError {
            offset: self.base + field_start,
            what,
        }
    }
}

impl<'a> Field<'a> {
    /// The value as a number of type int64, int32 or an enumeration.
    pub(super) fn int64(&self) -> Result<i64, WireError> {
        match self.value {
            Wire::Varint(value) => Ok(value.cast_signed()),
            _ => Err(self.wrong_type()),
        }
    }

    /// The value as a number of type uint64 or uint32.
    pub(super) fn uint64(&self) -> Result<u64, WireError> {
        match self.value {
            Wire::Varint(value) => Ok(value),
            _ => Err(self.wrong_type()),
        }
    }

    /// The value as a number of type sint64 or sint32, whose sign is its lowest bit.
    pub(super) fn sint64(&self) -> Result<i64, WireError> {
        self.uint64().map(zigzag)
    }

    /// The value in the field's own type, into which it was converted.
    pub(super) fn narrow<T, E>(&self, converted: Result<T, E>) -> Result<T, WireError> {
        converted.map_err(|_| Malformed::OutOfRange.at(self.offset))
    }

    /// The value as a double.
    pub(super) fn double(&self) -> Result<f64, WireError> {
        match self.value {
            Wire::Fixed64(bits) => Ok(f64::from_bits(bits)),
            _ => Err(self.wrong_type()),
        }
    }

    /// The value as a message, or as the bytes of a string.
    pub(super) fn message(self) -> Result<Reader<'a>, WireError> {
        match self.value {
            Wire::Bytes(reader) => Ok(reader),
            _ => Err(self.wrong_type()),
        }
    }

    fn wrong_type(&self) -> WireError {
        WireError {
            offset: self.offset,
            what: Malformed::WrongType,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::test_encoder::{bytes_field, fixed64_field, varint_field};
    use super::*;

    fn error_of(data: &[u8]) -> WireError {
        let mut reader = Reader::new(data);
        loop {
            match reader.next() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("no error in {data:?}"),
                Err(error) => return error,
            }
        }
    }

    #[test]
    fn malformed_bytes_are_named_with_their_place() {
        use Malformed::{FieldNumber, Truncated, VarintTooLong, WireType};
        let long = [&[8][..], &[0xff; 10], &[1]].concat();
        let bit_65 = [&[8][..], &[0xff; 9], &[2]].concat();
        for (data, offset, what) in [
            (&[0x80][..], 0, Truncated),
            (&[8], 0, Truncated),
            (&[8, 1, 8, 0x80], 2, Truncated),
            (&[0x0a, 5, 1], 0, Truncated),
            (
                &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
                0,
                Truncated,
            ),
            (&[0x09, 1, 2, 3], 0, Truncated),
            (&[0x0d, 1], 0, Truncated),
            (&[0x00, 1], 0, FieldNumber),
            (&[8, 1, 0x0b], 2, WireType(3)),
            (&[0x0f], 0, WireType(7)),
            (&long, 0, VarintTooLong),
            (&bit_65, 0, VarintTooLong),
        ] {
            assert_eq!(error_of(data), WireError { offset, what }, "{data:?}");
        }
    }

    #[test]
    fn offsets_of_nested_errors_count_from_the_body() {
        let mut body = varint_field(1, 7);
        body.extend(bytes_field(2, &[8, 1, 8]));
        let mut reader = Reader::new(&body);
        reader.next().unwrap();
        let mut inner = reader.next().unwrap().unwrap().message().unwrap();
        inner.next().unwrap();
        // 2 bytes of the first field, 2 of tag and length, 2 of the inner field.
        assert_eq!(inner.next().unwrap_err().offset, 6);
    }

    #[test]
    fn messages_of_any_length_are_read() {
        for len in [0, 1, 127, 128, 300, 16_383, 16_384] {
            for number in [1, 15, 16] {
                let mut body = varint_field(1, 7);
                body.extend(bytes_field(number, &vec![7; len]));
                let mut reader = Reader::new(&body);
                reader.next().unwrap();
                let is_quick = number == 1 && (1..1 << 14).contains(&len);
                assert_eq!(reader.clone().next_message(1).is_some(), is_quick);
                let field = reader.next().unwrap().unwrap();
                assert_eq!((field.number, field.offset), (number, 2));
                let message = field.message().unwrap();
                assert_eq!(message.bytes().len(), len);
                assert_eq!(message.base, body.len() - len);
                assert!(reader.next().unwrap().is_none());
                // One byte less than it says.
                body.pop();
                let mut reader = Reader::new(&body);
                reader.next().unwrap();
                let what = Malformed::Truncated;
                assert_eq!(reader.next().unwrap_err(), WireError { offset: 2, what });
            }
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(data in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut readers = vec![Reader::new(&data)];
            while let Some(mut reader) = readers.pop() {
                while let Ok(Some(field)) = reader.next() {
                    let _ = (field.int64(), field.double());
                    if let Ok(inner) = field.message() {
                        readers.push(inner);
                    }
                }
            }
        }

        #[test]
        fn a_message_of_a_number_is_the_next_field_or_nothing_is_read(
            data in prop::collection::vec(
                prop::sample::select(&[0x08, 0x0a, 0x12, 0x0b, 0x80, 0x81, 0, 1, 2, 3][..]),
                0..40,
            )
        ) {
            let mut reader = Reader::new(&data);
            loop {
                let (start, mut quick) = (reader.at, reader.clone());
                let field = reader.next();
                match quick.next_message(1) {
                    Some(message) => {
                        let field = field.unwrap().unwrap();
                        prop_assert_eq!(field.number, 1);
                        let expected = field.message().unwrap();
                        prop_assert_eq!(message.bytes(), expected.bytes());
                        prop_assert_eq!((message.at, message.base), (0, expected.base));
                        prop_assert_eq!(quick.at, reader.at);
                    }
                    None => {
                        prop_assert_eq!(quick.at, start);
                        if !matches!(field, Ok(Some(_))) {
                            break;
                        }
                    }
                }
            }
        }

        #[test]
        fn fields_come_back(
            fields in prop::collection::vec((1u32..1 << 29, 0u8..3, any::<u64>()), 0..20)
        ) {
            let mut body = Vec::new();
            for &(number, kind, value) in &fields {
                body.extend(match kind {
                    0 => varint_field(number, value),
                    1 => fixed64_field(number, value),
                    _ => bytes_field(number, &value.to_le_bytes()),
                });
            }
            let mut reader = Reader::new(&body);
            for &(number, kind, value) in &fields {
                let field = reader.next().unwrap().unwrap();
                prop_assert_eq!(field.number, number);
                match kind {
                    0 => prop_assert_eq!(field.int64().unwrap(), value.cast_signed()),
                    1 => prop_assert_eq!(field.double().unwrap().to_bits(), value),
                    _ => {
                        let inner = field.message().unwrap();
                        prop_assert_eq!(inner.bytes(), value.to_le_bytes());
                    }
                }
            }
            prop_assert!(reader.next().unwrap().is_none());
        }
    }
}
