//! One section of an index, and how its bytes are taken apart.

use std::borrow::Cow;

use super::IndexError;
use crate::codec::varint;
use crate::section::Bytes;

/// A section with its name for errors.
#[derive(Debug)]
pub(super) struct Part {
    name: &'static str,
    bytes: Box<dyn Bytes>,
}

impl Part {
    pub(super) fn new(name: &'static str, bytes: Box<dyn Bytes>) -> Self {
        Self { name, bytes }
    }

    pub(super) fn len(&self) -> u64 {
        self.bytes.len()
    }

    pub(super) fn get(&self, offset: u64, bytes: u64) -> Result<Cow<'_, [u8]>, IndexError> {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        self.bytes
            .get(offset, bytes)
            .map_err(|source| IndexError::Section {
                part: self.name,
                source,
            })
    }

    pub(super) fn malformed(&self, offset: u64, what: &'static str) -> IndexError {
        IndexError::Malformed {
            part: self.name,
            offset,
            what,
        }
    }

    /// Takes apart `bytes`, which begin at `offset`.
    pub(super) fn decoder<'a>(&'a self, bytes: &'a [u8], offset: u64) -> Decoder<'a> {
        Decoder {
            part: self,
            offset,
            rest: bytes,
        }
    }
}

/// Takes bytes apart from the front.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decoder<'a> {
    part: &'a Part,
    /// Where the bytes begin, for errors.
    offset: u64,
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn malformed(&self, what: &'static str) -> IndexError {
        self.part.malformed(self.offset, what)
    }

    pub(super) fn u64(&mut self) -> Result<u64, IndexError> {
        // Most numbers are a byte.
        if let Some((&byte, rest)) = self.rest.split_first()
            && byte < 0x80
        {
            self.rest = rest;
            return Ok(byte.into());
        }
        varint::take_u64(&mut self.rest).ok_or_else(|| self.malformed("a number is cut"))
    }

    pub(super) fn u32(&mut self) -> Result<u32, IndexError> {
        let number = self.u64()?;
        u32::try_from(number).map_err(|_| self.malformed("a number exceeds 32 bits"))
    }

    pub(super) fn i64(&mut self) -> Result<i64, IndexError> {
        varint::take_i64(&mut self.rest).ok_or_else(|| self.malformed("a number is cut"))
    }

    pub(super) fn bytes(&mut self, count: u64) -> Result<&'a [u8], IndexError> {
        let split = usize::try_from(count)
            .ok()
            .and_then(|count| self.rest.split_at_checked(count));
        let Some((taken, rest)) = split else {
            return Err(self.malformed("a length exceeds the bytes there are"));
        };
        self.rest = rest;
        Ok(taken)
    }
}
