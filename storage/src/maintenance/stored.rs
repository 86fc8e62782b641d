//! What samples are in that left memory: a segment or a block, which answer the same questions.

use std::path::Path;
use std::sync::Arc;

use crate::block::{self, Block};
use crate::immutable::{FileError, SeqRange};
use crate::index::stored::{IndexError, StoredIndex};
use crate::maintenance::plan::{SourceEntry, SourceId};
use crate::model::{Exemplar, Metadata, Pace, Sample, Samples, Seq, TimeRange};
use crate::segment::{self, Segment};

/// An open file with samples. Clones are the same file.
#[derive(Clone, Debug)]
pub enum Stored {
    /// A segment.
    Segment(Arc<Segment>),
    /// A block.
    Block(Arc<Block>),
}

impl From<Segment> for Stored {
    fn from(segment: Segment) -> Self {
        Self::Segment(Arc::new(segment))
    }
}

impl From<Block> for Stored {
    fn from(block: Block) -> Self {
        Self::Block(Arc::new(block))
    }
}

impl Stored {
    /// Which file it is.
    pub fn id(&self) -> SourceId {
        match self {
            Self::Segment(own) => SourceId::Segment(own.info().number),
            Self::Block(own) => SourceId::Block(own.info().number),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        match self {
            Self::Segment(own) => own.path(),
            Self::Block(own) => own.path(),
        }
    }

    /// The writes it holds.
    pub fn seqs(&self) -> SeqRange {
        match self {
            Self::Segment(own) => own.seqs(),
            Self::Block(own) => own.seqs(),
        }
    }

    /// Smallest and largest timestamp; none without a sample.
    pub fn range(&self) -> Option<TimeRange> {
        match self {
            Self::Segment(own) => own.range(),
            Self::Block(own) => own.range(),
        }
    }

    /// Length of the file.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Segment(own) => own.info().bytes,
            Self::Block(own) => own.info().bytes,
        }
    }

    /// What is to be known of it to plan merges.
    pub fn entry(&self) -> SourceEntry {
        SourceEntry {
            id: self.id(),
            seqs: self.seqs(),
            range: self.range(),
            bytes: self.bytes(),
            is_fixed: false,
        }
    }

    /// By this, files are in the order in which they count: of two that overlap in time, the
    /// later one counts.
    pub fn place(&self) -> (Seq, i64, SourceId) {
        self.entry().place()
    }

    /// Asks the index, by `read`; it may be called again, so it begins anew each time.
    ///
    /// # Errors
    /// [`FileError::Index`] and [`FileError::Section`]
    pub fn with_index<T>(
        &self,
        read: impl FnMut(&StoredIndex) -> Result<T, IndexError>,
    ) -> Result<T, FileError> {
        match self {
            Self::Segment(own) => own.with_index(read),
            Self::Block(own) => own.with_index(read),
        }
    }

    /// Whether any row has exemplars.
    pub fn has_exemplars(&self) -> bool {
        match self {
            Self::Segment(own) => own.has_exemplars(),
            Self::Block(own) => own.has_exemplars(),
        }
    }

    /// The metadata of a metric family, or of all that have some, in order of name.
    ///
    /// # Errors
    /// [`FileError::Section`] and [`FileError::CorruptSection`]
    pub fn metadata(&self, metric: Option<&str>) -> Result<Vec<(String, Metadata)>, FileError> {
        match self {
            Self::Segment(own) => own.metadata(metric),
            Self::Block(own) => own.metadata(metric),
        }
    }

    /// Reads rows; one for many rows in rising order is quicker than one for each.
    pub fn reader(&self) -> StoredReader<'_> {
        match self {
            Self::Segment(own) => StoredReader::Segment(Box::new(own.reader())),
            Self::Block(own) => StoredReader::Block(Box::new(own.reader())),
        }
    }
}

/// Reads rows of a file.
#[derive(Debug)]
pub enum StoredReader<'a> {
    /// Of a segment.
    Segment(Box<segment::Reader<'a>>),
    /// Of a block.
    Block(Box<block::Reader<'a>>),
}

impl StoredReader<'_> {
    /// Those of `rows` that have a sample in `range`.
    ///
    /// # Errors
    /// The row cannot be read.
    pub fn with_samples(&mut self, rows: &[u32], range: TimeRange) -> Result<Vec<u32>, FileError> {
        match self {
            Self::Segment(own) => own.with_samples(rows, range),
            Self::Block(own) => own.with_samples(rows, range),
        }
    }

    /// Reads the floats of a row in `range` into `out` (emptied first), in rising order of time,
    /// no timestamp twice; none where a histogram came over it. Part of them where the pace ends it.
    ///
    /// # Errors
    /// The row cannot be read.
    pub fn read(
        &mut self,
        row: u32,
        range: TimeRange,
        out: &mut Samples,
        pace: &mut Pace<'_>,
    ) -> Result<(), FileError> {
        match self {
            Self::Segment(own) => own.read_within(row, range, out, pace),
            Self::Block(own) => own.read_within(row, range, out, pace),
        }
    }

    /// Whether a row may have histograms, in whatever range.
    ///
    /// # Errors
    /// The row cannot be read.
    pub fn has_histograms(&mut self, row: u32) -> Result<bool, FileError> {
        match self {
            Self::Segment(own) => own.has_histograms(row),
            Self::Block(own) => own.has_histograms(row),
        }
    }

    /// Reads all samples of a row in `range` into `out` (emptied first), in rising order of time,
    /// no timestamp twice.
    ///
    /// # Errors
    /// The row cannot be read.
    pub fn points(
        &mut self,
        row: u32,
        range: TimeRange,
        out: &mut Vec<Sample>,
    ) -> Result<(), FileError> {
        match self {
            Self::Segment(own) => own.points(row, range, out),
            Self::Block(own) => own.points(row, range, out),
        }
    }

    /// The exemplars in `range` of those of `rows` that have any; `rows` rise.
    ///
    /// # Errors
    /// A row cannot be read.
    pub fn exemplars(
        &mut self,
        rows: &[u32],
        range: TimeRange,
    ) -> Result<Vec<(u32, Vec<Exemplar>)>, FileError> {
        match self {
            Self::Segment(own) => own.exemplars(rows, range),
            Self::Block(own) => own.exemplars(rows, range),
        }
    }
}
