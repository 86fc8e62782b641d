//! What is merged.

use std::path::Path;
use std::sync::Arc;

use super::error::MergeError;
use crate::block::{self, Block, InputKind};
use crate::immutable::{FileError, SeqRange};
use crate::index::stored::{IndexError, StoredIndex};
use crate::model::{Metadata, TimeRange};
use crate::segment::Segment;

/// A file that is merged.
#[derive(Clone, Debug)]
pub enum Source {
    /// A segment.
    Segment(Arc<Segment>),
    /// A block.
    Block(Arc<Block>),
}

impl Source {
    /// The writes it holds.
    pub fn seqs(&self) -> SeqRange {
        match self {
            Self::Segment(own) => own.seqs(),
            Self::Block(own) => own.seqs(),
        }
    }

    /// From its smallest timestamp to its largest; none without a sample.
    pub fn range(&self) -> Option<TimeRange> {
        match self {
            Self::Segment(own) => own.range(),
            Self::Block(own) => own.range(),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        match self {
            Self::Segment(own) => own.path(),
            Self::Block(own) => own.path(),
        }
    }

    /// What a block that is made from it calls it.
    pub(super) fn name(&self) -> block::Input {
        match self {
            Self::Segment(own) => block::Input {
                kind: InputKind::Segment,
                number: own.info().number,
            },
            Self::Block(own) => block::Input {
                kind: InputKind::Block,
                number: own.info().number,
            },
        }
    }

    fn has_exemplars(&self) -> bool {
        match self {
            Self::Segment(own) => own.has_exemplars(),
            Self::Block(own) => own.has_exemplars(),
        }
    }
}

/// A source and its place among all, by which errors name it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'a> {
    pub(super) number: usize,
    pub(super) source: &'a Source,
}

impl Input<'_> {
    /// Whether it may have anything in a span of time.
    pub(super) fn may_have(&self, span: TimeRange) -> bool {
        let range = self.source.range();
        // Where exemplars lie no file says.
        range.is_some_and(|range| range.overlaps(span)) || self.source.has_exemplars()
    }

    /// Asks the index, by `read`; it may be called again, so it begins anew each time.
    pub(super) fn with_index<T>(
        &self,
        read: impl FnMut(&StoredIndex) -> Result<T, IndexError>,
    ) -> Result<T, MergeError> {
        let read = match self.source {
            Source::Segment(own) => own.with_index(read),
            Source::Block(own) => own.with_index(read),
        };
        read.map_err(self.named())
    }

    /// The metadata of all families, in order of name.
    pub(super) fn metadata(&self) -> Result<Vec<(String, Metadata)>, MergeError> {
        let read = match self.source {
            Source::Segment(own) => own.metadata(None),
            Source::Block(own) => own.metadata(None),
        };
        read.map_err(self.named())
    }

    /// Names the source in an error.
    pub(super) fn named(&self) -> impl Fn(FileError) -> MergeError + use<> {
        let input = self.number;
        move |source| MergeError::Source { input, source }
    }

    /// The error of a source that is not in order.
    pub(super) fn disorder(&self, what: &'static str) -> MergeError {
        MergeError::Disorder {
            input: self.number,
            path: self.source.path().to_owned(),
            what,
        }
    }
}
