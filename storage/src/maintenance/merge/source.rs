//! What is merged.

use std::path::Path;
use std::sync::Arc;

use super::error::MergeError;
use crate::index::stored::{IndexError, StoredIndex};
use crate::segment::{Segment, SegmentError};

/// A file that is merged.
#[derive(Clone, Debug)]
pub enum Source {
    /// A segment.
    Segment(Arc<Segment>),
}

impl Source {
    fn path(&self) -> &Path {
        match self {
            Self::Segment(own) => own.path(),
        }
    }
}

/// A source and its place among all, by which errors name it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'a> {
    pub(super) number: usize,
    pub(super) source: &'a Source,
}

impl<'a> Input<'a> {
    /// Asks the index, by `read`; it may be called again, so it begins anew each time.
    pub(super) fn with_index<T>(
        &self,
        read: impl FnMut(&StoredIndex) -> Result<T, IndexError>,
    ) -> Result<T, MergeError> {
        match self.source {
            Source::Segment(own) => own.with_index(read).map_err(self.of_segment()),
        }
    }

    /// Names the source in an error.
    pub(super) fn of_segment(&self) -> impl Fn(SegmentError) -> MergeError + use<> {
        let input = self.number;
        move |source| MergeError::Segment { input, source }
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
