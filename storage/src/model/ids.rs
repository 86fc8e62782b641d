//! Identifiers, newtyped. Width and lifetime of each: `docs/ids.md`.

use std::fmt;

/// A series within one database: dense, rising from 0, never used twice while anything names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SeriesId(pub u32);

impl SeriesId {
    /// The id as an index into tables that hold one entry per series.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// An interned string, valid within the symbol table that gave it (one head, or one selection).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SymbolId(pub u32);

impl SymbolId {
    /// The id as an index into the symbol table.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A commit sequence number: the place of one write in the total order of all writes.
///
/// The first write of a database has `Seq(1)`; `Seq(0)` stands for "before every write".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Seq(pub u64);

impl Seq {
    /// Before every write.
    pub const ZERO: Self = Self(0);

    /// The seq after this one. A u64 counted once a nanosecond lasts 584 years.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
