//! What a question is about.

use roaring::RoaringBitmap;

use crate::db::matcher_cache::MatcherCache;
use crate::error::Error;
use crate::index::Memory;
use crate::maintenance::files::file_error;
use crate::maintenance::stored::Stored;
use crate::model::{Matcher, ReadBounds};

/// The series for which all of some matchers hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) matchers: &'a [Matcher],
    /// What the matchers were found to do over files before.
    pub(super) cache: &'a MatcherCache,
}

impl Wanted<'_> {
    /// The rows of a file for which all matchers hold.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io), [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt),
    /// [`ErrorKind::Ended`](crate::ErrorKind::Ended).
    pub(super) fn rows_of(
        &self,
        file: &Stored,
        bounds: ReadBounds<'_>,
    ) -> Result<RoaringBitmap, Error> {
        let matchers = self.matchers;
        let Some(known) = self.cache.known(file.id(), matchers) else {
            let rows = file.with_index(|index| index.evaluate_with(matchers, None, bounds));
            return rows.map_err(file_error);
        };
        // What a read finds out counts once all of it is known to be right: it may have met bytes
        // that the system lost, and have begun anew.
        let read = file.with_index(|index| {
            let mut memory = Memory::new(&known);
            let rows = index.evaluate_with(matchers, Some(&mut memory), bounds)?;
            Ok((rows, memory.into_found()))
        });
        let (rows, found) = read.map_err(file_error)?;
        self.cache.keep(file.id(), matchers, found);
        Ok(rows)
    }
}
