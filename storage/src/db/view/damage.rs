//! What the answers of a view are without.
//!
//! A file whose bytes fail their checksum answers what it still can: of a damaged page the rows in
//! it go missing, of a damaged index the file. The query goes on, and whoever asked is told. This is
//! for damage alone: what the system refused to read may be there when it is asked again, and an
//! answer without it would look like data that is gone, so that fails the query.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use parking_lot::Mutex;
use roaring::RoaringBitmap;
use tracing::error;

use super::part::Part;
use crate::db::Shared;
use crate::error::{Error, ErrorKind};
use crate::model::ReadDamage;
use crate::sys::Clock;

/// A file is logged no more often than this.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// The damage that one view has met.
#[derive(Debug)]
pub(super) struct Damage {
    /// The directory stays locked as long as views of it are read.
    shared: Arc<Shared>,
    found: Mutex<BTreeMap<PathBuf, Found>>,
}

/// The damage in one file.
#[derive(Debug)]
struct Found {
    error: String,
    /// Rows that could not be read.
    rows: RoaringBitmap,
    /// A selection or a list is without the file.
    is_whole: bool,
}

impl Damage {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            found: Mutex::default(),
        }
    }

    /// The database that the view is of.
    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// What was read of a source; none where that is damaged, and noted.
    ///
    /// # Errors
    /// All that is no damage of a file.
    pub(super) fn of_file<T>(
        &self,
        part: &Part,
        read: Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        self.sift(part.path(), None, read)
    }

    /// The same of one row.
    ///
    /// # Errors
    /// All that is no damage of a file.
    pub(super) fn of_row<T>(
        &self,
        part: &Part,
        row: u32,
        read: Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        self.sift(part.path(), Some(row), read)
    }

    fn sift<T>(
        &self,
        path: Option<&Path>,
        row: Option<u32>,
        read: Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let cause = match read {
            Ok(read) => return Ok(Some(read)),
            Err(cause) => cause,
        };
        // A head has no file: only a bug damages it.
        match path {
            Some(path) if cause.kind() == ErrorKind::Corrupt => {
                self.note(path, row, &cause);
                Ok(None)
            }
            _ => Err(cause),
        }
    }

    fn note(&self, path: &Path, row: Option<u32>, cause: &Error) {
        let mut all = self.found.lock();
        let is_known = all.contains_key(path);
        let found = all.entry(path.to_owned()).or_insert_with(|| Found {
            error: cause.to_string(),
            rows: RoaringBitmap::new(),
            is_whole: false,
        });
        match row {
            Some(row) => {
                found.rows.insert(row);
            }
            None => found.is_whole = true,
        }
        drop(all);
        if !is_known {
            self.shared.counters.read_damage.fetch_add(1, Relaxed);
            self.shared
                .damage_log
                .tell(&*self.shared.clock, path, cause);
        }
    }

    /// What there is of it so far, in order of path.
    pub(super) fn list(&self) -> Vec<ReadDamage> {
        let all = self.found.lock();
        let list = all.iter().map(|(path, found)| ReadDamage {
            path: path.clone(),
            error: found.error.clone(),
            series: (!found.is_whole).then(|| found.rows.len()),
        });
        list.collect()
    }
}

/// When damage of a file was last logged: each query meets it again.
#[derive(Debug, Default)]
pub(in crate::db) struct DamageLog(Mutex<BTreeMap<PathBuf, Duration>>);

impl DamageLog {
    fn tell(&self, clock: &dyn Clock, path: &Path, cause: &Error) {
        if self.is_due(clock.monotonic(), path) {
            error!(
                file = %path.display(),
                error = %cause,
                "a file is damaged; queries go on without what cannot be read of it"
            );
        }
    }

    fn is_due(&self, now: Duration, path: &Path) -> bool {
        let mut told = self.0.lock();
        // Files that are gone are forgotten too.
        told.retain(|_, last| now.saturating_sub(*last) < LOG_EVERY);
        let is_due = !told.contains_key(path);
        if is_due {
            told.insert(path.to_owned(), now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_logged_once_a_minute() {
        let log = DamageLog::default();
        let due = |s, path| log.is_due(Duration::from_secs(s), Path::new(path));
        assert!(due(5, "a"));
        assert!(!due(30, "a"));
        assert!(due(30, "b"));
        assert!(!due(64, "a"));
        assert!(due(65, "a"), "a minute after it was told");
        assert!(!due(66, "a"));
        assert!(!due(89, "b"));
        assert!(due(90, "b"));
    }
}
