//! What a caller may choose when opening a database.

use std::time::Duration;

/// When a write is acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum WalSync {
    /// After the fdatasync that covers it: an acknowledged write survives a power cut.
    #[default]
    Always,
    /// After the write(2), with a sync at least this often: a power cut may take what was
    /// acknowledged since; a crash of the process takes nothing.
    Interval(Duration),
    /// After the write(2); the operating system syncs when it likes, and closing does.
    Never,
}

/// Options of a database. `Options::default()` is right for a server.
#[derive(Clone, Debug)]
pub struct Options {
    /// When a write is acknowledged.
    pub wal_sync: WalSync,
    /// Size of one WAL file, in bytes; a larger write gets a larger file. Default 32 MiB.
    pub wal_file_bytes_max: u64,
    /// Bytes of the log at which the head is frozen and written to a segment, so that its log is
    /// dropped. Default 128 MiB. This bounds what a restart has to read: the log of a head that
    /// is being written out may come on top, and a head of many live series with few samples goes
    /// up to twice the size.
    pub wal_bytes_max: u64,
    /// Bytes of memory at which the head is frozen, about. Default 64 MiB. A head with fewer than
    /// 32 samples for each series that still gets some grows on.
    pub head_bytes_max: u64,
    /// How many series the head takes; samples of further new ones are refused until it is
    /// frozen. `None` for no limit (the default).
    pub series_max: Option<u64>,
    /// The same of each metric name. Counting them takes memory for each name.
    pub series_of_metric_max: Option<u64>,
    /// Bytes of memory for what matchers were found to match in files, so that the next query with
    /// the same ones need not find it out again: over the whole database, however many files it
    /// has. 0 for none. Default 32 MiB.
    pub matcher_cache_bytes_max: u64,
    /// How old a sample may be, against the wall clock or the newest stored sample, whichever
    /// is older. `None` takes samples of any age, negative timestamps included (the default).
    pub retention: Option<Duration>,
    /// How far in the future a sample may lie; `None` takes any. Default 10 minutes.
    pub max_future: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            wal_sync: WalSync::Always,
            wal_file_bytes_max: 32 << 20,
            wal_bytes_max: 128 << 20,
            head_bytes_max: 64 << 20,
            series_max: None,
            series_of_metric_max: None,
            matcher_cache_bytes_max: 32 << 20,
            retention: None,
            max_future: Some(Duration::from_secs(600)),
        }
    }
}
