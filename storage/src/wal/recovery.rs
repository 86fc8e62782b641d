//! What a replay found.

use std::fmt;
use std::path::PathBuf;

use crate::model::Seq;

/// A file of the log that is complete: nothing more is written to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WalFile {
    /// The number in its name.
    pub number: u64,
    /// The epoch that the ids in its records belong to. A file that holds nothing may be given
    /// that of the file before.
    pub epoch: u64,
    /// No record in it or in the files before it is later than this one.
    pub last_seq: Seq,
    /// Its length in bytes, without room that was reserved and not used; with it where a replay
    /// passed over the file.
    pub bytes: u64,
}

/// Seqs from `first` to `last`, both inside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SeqRange {
    /// The lowest.
    pub first: Seq,
    /// The highest.
    pub last: Seq,
}

/// What is wrong with bytes that had been made durable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DamageKind {
    /// The file header. The records of the file are read all the same.
    Header {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Bytes that hold no valid frame, in the place of one or more records.
    Frames,
    /// A record whose checksum is right and whose body no version writes.
    Body {
        /// What is wrong with it.
        reason: String,
    },
    /// Records known to have been durable are gone without a trace in the bytes.
    Records,
    /// Files are gone: this one and the following up to `through`. Not reported where they held
    /// no record.
    Files {
        /// The number of the last one missing.
        through: u64,
    },
}

/// Damage to a log: what was durable and is not readable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
    /// The records lost are among these; `None` where none is lost, or nothing tells which.
    pub lost: Option<SeqRange>,
    /// What is wrong.
    pub kind: DamageKind,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path.display())?;
        match &self.kind {
            DamageKind::Header { reason } => f.write_str(reason)?,
            DamageKind::Frames => write!(
                f,
                "{} bytes at {} hold no valid record",
                self.length, self.offset
            )?,
            DamageKind::Body { reason } => {
                write!(
                    f,
                    "the record at {} cannot be decoded: {reason}",
                    self.offset
                )?;
            }
            DamageKind::Records => f.write_str("records are missing before this file")?,
            DamageKind::Files { through } => {
                write!(f, "the file is missing, and those up to number {through}")?;
            }
        }
        match self.lost {
            Some(SeqRange { first, last }) if first == last => write!(f, " (lost: record {first})"),
            Some(SeqRange { first, last }) => {
                write!(f, " (lost: records among {first} to {last})")
            }
            None => Ok(()),
        }
    }
}

/// What a replay found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recovery {
    /// The highest seq that is taken: of the records read, of those known to be lost, and of
    /// those covered by other files. The next write has a higher one.
    pub last_seq: Seq,
    /// The highest epoch of a file; 0 where there is none.
    pub last_epoch: u64,
    /// The files, in order, also those that were not read because all in them is covered.
    pub files: Vec<WalFile>,
    /// Records handed to the sink.
    pub records: u64,
    /// Series definitions in them.
    pub definitions: u64,
    /// Float samples in them.
    pub samples: u64,
    /// Bytes of all files read.
    pub bytes: u64,
    /// Bytes of a write cut short by a crash, never acknowledged, and dropped.
    pub torn_bytes: u64,
    /// What was durable and is not readable, in order.
    pub damage: Vec<Damage>,
    /// The number of the next file; `None` where all numbers are used up.
    pub next_file_number: Option<u64>,
}
