//! The inverted index and the label table of an immutable file: written once, read in parts.
//!
//! Four [sections](crate::section): the symbols, the label table (which names and values there
//! are), the postings (which rows have them) and the label sets of the rows. A *row* is the place
//! of a series in the file, from 0; rows are in whatever order the file has them. [`IndexRefs`]
//! says where the sections lie. Nothing is kept in memory: a question reads the few groups of
//! entries that its answer takes. Byte by byte: `docs/format/index.md`.
//!
//! What it was weighed against, and figures: `docs/adr/0005-stored-index.md`.

mod access;
mod bulk;
mod cardinality;
mod error;
mod groups;
mod input;
mod labels;
mod names;
mod part;
mod postings;
mod refs;
mod series;
mod symbols;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;

use crate::section::{Bytes, FileWriter, Section};
use crate::sys::File;

pub use bulk::ValueRows;
pub use error::IndexError;
pub use input::{IndexInput, InputRows};
pub use refs::IndexRefs;

use names::Names;
use postings::{ListRef, Lists, RowsAt};
use series::Series;
use symbols::Symbols;

/// Writes the index of `input` where `file` stands.
///
/// Takes 4 bytes of memory a symbol of the input, some a value of a name and 5 for each 32 rows.
///
/// # Errors
/// What the system says of a write; what the input says;
/// [`io::ErrorKind::InvalidInput`] where it does not keep what [`IndexInput`] asks of it.
pub fn write(input: &impl IndexInput, file: &mut FileWriter) -> io::Result<IndexRefs> {
    let (symbols, ranks) = symbols::write(input, file)?;
    let names = names::write(input, &ranks, file)?;
    let (series, shapes) = series::write(input, &ranks, file)?;
    Ok(IndexRefs {
        symbols,
        names: names.names,
        postings: names.postings,
        series,
        rows: input.rows(),
        symbols_count: ranks.count,
        names_count: names.names_count,
        shapes_count: shapes,
        all: names.all,
    })
}

/// The index of a file. Its symbols are ranks in bytewise order of their strings.
#[derive(Debug)]
pub struct StoredIndex {
    symbols: Symbols,
    names: Names,
    lists: Lists,
    series: Series,
    rows: u32,
    all: ListRef,
}

impl StoredIndex {
    /// The index at `refs` of `file`. Reads nothing.
    ///
    /// # Errors
    /// The references make no sense.
    pub fn open(file: &Arc<dyn File>, refs: &IndexRefs) -> Result<Self, IndexError> {
        let section = |at| Box::new(Section::new(Arc::clone(file), at)) as Box<dyn Bytes>;
        Self::from_bytes(refs.section_refs().map(section), refs)
    }

    /// The index in these bytes: symbols, names, postings, series.
    ///
    /// # Errors
    /// The references make no sense, or there are not as many bytes as they take.
    pub fn from_bytes(
        [symbols, names, postings, series]: [Box<dyn Bytes>; 4],
        refs: &IndexRefs,
    ) -> Result<Self, IndexError> {
        let count = refs.symbols_count;
        Ok(Self {
            symbols: Symbols::new(symbols, count)?,
            names: Names::new(names, refs.names_count)?,
            series: Series::new(series, refs.rows, refs.shapes_count, count)?,
            lists: Lists::new(postings, refs.rows),
            rows: refs.rows,
            all: refs.all,
        })
    }

    /// How many rows there are.
    pub fn rows(&self) -> u32 {
        self.rows
    }
}
