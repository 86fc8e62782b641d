//! What is merged.

use super::error::MergeError;
use crate::block::{self, InputKind};
use crate::immutable::FileError;
use crate::index::stored::{IndexError, StoredIndex};
use crate::maintenance::plan::SourceId;
use crate::model::{Metadata, TimeRange};

/// A file that is merged.
pub use crate::maintenance::stored::Stored as Source;

/// What a block that is made from a file calls it.
pub(super) fn name(source: &Source) -> block::Input {
    match source.id() {
        SourceId::Segment(number) => block::Input {
            kind: InputKind::Segment,
            number,
        },
        SourceId::Block(number) => block::Input {
            kind: InputKind::Block,
            number,
        },
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
        self.source.with_index(read).map_err(self.named())
    }

    /// The metadata of all families, in order of name.
    pub(super) fn metadata(&self) -> Result<Vec<(String, Metadata)>, MergeError> {
        self.source.metadata(None).map_err(self.named())
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
