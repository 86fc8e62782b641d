//! What an index is made from.

use std::borrow::Cow;
use std::io;

use roaring::RoaringBitmap;

use crate::model::SymbolId;

/// Series and their labels as whoever writes an index has them: by row, with symbols of a table
/// of its own in any order.
///
/// All methods speak of the same series: a label that [`IndexInput::labels`] gives for a row is
/// among [`IndexInput::values`] of its name, and the row among its [`IndexInput::postings`].
///
/// # Errors
/// Methods fail where the input itself is read from files; the write ends with that.
pub trait IndexInput {
    /// Symbols are below this.
    fn symbols_end(&self) -> u32;

    /// Calls `each` with all symbols that rows have as names or values, in bytewise order of
    /// their strings, each string once. An error of `each` ends it.
    fn for_each_symbol(
        &self,
        each: &mut dyn FnMut(SymbolId, &str) -> io::Result<()>,
    ) -> io::Result<()>;

    /// How many rows there are.
    fn rows(&self) -> u32;

    /// The rows that hold a series: those an index without matchers finds.
    fn all(&self) -> io::Result<Cow<'_, RoaringBitmap>>;

    /// Adds names and values of a row to `out`, in bytewise order of name; none for a row
    /// without a series.
    fn labels(&self, row: u32, out: &mut Vec<(SymbolId, SymbolId)>) -> io::Result<()>;

    /// The label names, each once, in any order.
    fn names(&self) -> io::Result<Vec<SymbolId>>;

    /// The values of a label name, each once, in any order.
    fn values(&self, name: SymbolId) -> io::Result<Vec<SymbolId>>;

    /// The rows that have a label of this name.
    fn present(&self, name: SymbolId) -> io::Result<Cow<'_, RoaringBitmap>>;

    /// The rows that have this label.
    fn postings(&self, name: SymbolId, value: SymbolId) -> io::Result<InputRows<'_>>;
}

/// The rows of one label.
#[derive(Clone, Debug)]
pub enum InputRows<'a> {
    /// A single one.
    One(u32),
    /// Any number.
    Many(Cow<'a, RoaringBitmap>),
}

/// The error of an input that does not keep what [`IndexInput`] asks for.
pub(super) fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}
