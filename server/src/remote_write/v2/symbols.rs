//! The table of strings of a request, to which everything else in it refers.

use super::super::decode_error::{DecodeError, within};
use super::super::protobuf::{Field, Malformed, Reader, Wire};

/// Strings of a request. An empty one takes two bytes in the body and sixteen here; a million is
/// ten times what the largest honest request has.
const SYMBOLS_MAX: usize = 1 << 20;

/// The strings of a request, by number.
#[derive(Debug, Default)]
pub(super) struct Symbols<'a>(Vec<&'a [u8]>);

impl<'a> Symbols<'a> {
    /// Takes the next string.
    ///
    /// # Errors
    /// Not a string, too many of them, or a first one that is not empty.
    pub(super) fn take(&mut self, field: Field<'a>) -> Result<(), DecodeError> {
        const NAME: &str = "Request.symbols";
        let offset = field.offset;
        if self.0.len() == SYMBOLS_MAX {
            let error = Malformed::TooMany("strings", SYMBOLS_MAX);
            return within(NAME, Err(error.at(offset)));
        }
        let text = within(NAME, field.message())?.bytes();
        if self.0.is_empty() && !text.is_empty() {
            return within(NAME, Err(Malformed::FirstSymbol.at(offset)));
        }
        self.0.push(text);
        Ok(())
    }

    /// The string with a number.
    ///
    /// # Errors
    /// There is none, or it is not UTF-8: with what it is wanted for.
    pub(super) fn get(&self, number: u32, what: &str) -> Result<&'a str, String> {
        // What is left out of a message is number 0, and a request without any string has none.
        let bytes = match self.0.get(number as usize) {
            Some(bytes) => bytes,
            None if number == 0 => return Ok(""),
            None => {
                let count = self.0.len();
                return Err(format!("{what} is symbol {number}, and there are {count}"));
            }
        };
        std::str::from_utf8(bytes).map_err(|_| {
            let shown = String::from_utf8_lossy(bytes.get(..64).unwrap_or(bytes));
            format!("{what} is symbol {number}, {shown:?}, which is not UTF-8")
        })
    }
}

/// Reads references to strings: names and values in turn.
///
/// # Errors
/// Bytes that are no references, more than twice `labels_max` of them.
pub(super) fn refs(
    name: &'static str,
    field: Field<'_>,
    labels_max: usize,
    out: &mut Refs,
) -> Result<(), DecodeError> {
    let offset = field.offset;
    let mut push = |value: u64| {
        if out.0.len() == labels_max * 2 {
            return Err(Malformed::TooMany("references", labels_max * 2).at(offset));
        }
        out.0
            .push(u32::try_from(value).map_err(|_| Malformed::OutOfRange.at(offset))?);
        Ok(())
    };
    if let Wire::Varint(value) = field.value {
        return within(name, push(value));
    }
    let mut packed: Reader<'_> = within(name, field.message())?;
    while let Some(value) = within(name, packed.packed_varint())? {
        within(name, push(value))?;
    }
    Ok(())
}

/// References as they stand in a message.
#[derive(Debug, Default)]
pub(super) struct Refs(Vec<u32>);

impl Refs {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The labels that these are, as far as they are; what is wrong otherwise.
    pub(super) fn resolve<'a>(
        &self,
        symbols: &Symbols<'a>,
        out: &mut Vec<(&'a str, &'a str)>,
    ) -> Option<String> {
        let mut flaw = None;
        let (pairs, rest) = self.0.as_chunks();
        for &[name, value] in pairs {
            let label = symbols
                .get(name, "a label name")
                .and_then(|name| Ok((name, symbols.get(value, "a label value")?)));
            match label {
                Ok(label) => out.push(label),
                Err(why) => flaw = flaw.or(Some(why)),
            }
        }
        if !rest.is_empty() {
            let count = self.0.len();
            flaw = flaw.or(Some(format!(
                "its labels are {count} references: names and values make an even number"
            )));
        }
        flaw
    }
}
