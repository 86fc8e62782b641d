//! Epochs: a head, the log files with its writes, and the segment that it becomes.

use std::fmt;
use std::sync::Arc;

use crate::head::Head;
use crate::model::Seq;

/// The epoch that takes writes.
pub(super) struct Epoch {
    /// Its number, from 1.
    pub(super) number: u64,
    /// Its head.
    pub(super) head: Arc<Head>,
    /// Up to here its records define series and hold nothing else.
    pub(super) predefined_seq: Seq,
}

impl Epoch {
    /// An epoch without writes.
    pub(super) fn new(number: u64) -> Self {
        Self {
            number,
            head: Arc::new(Head::new()),
            predefined_seq: Seq::ZERO,
        }
    }

    /// Whether nothing was written to it that is not in its log alone.
    pub(super) fn is_empty(&self) -> bool {
        self.head.visible_seq() <= self.predefined_seq
    }
}

/// Without the head, of which there is much.
impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, .. } = self;
        f.debug_struct("Epoch")
            .field("number", number)
            .finish_non_exhaustive()
    }
}

/// An epoch that takes no more writes and waits for its segment.
#[derive(Debug)]
pub(super) struct Frozen {
    /// Its number.
    pub(super) number: u64,
    /// Its head, to which nothing is added any more.
    pub(super) head: Arc<Head>,
    /// Its last write.
    pub(super) last_seq: Seq,
}

impl Frozen {
    /// The end of an epoch: every write of it is in the head.
    pub(super) fn new(epoch: &Epoch) -> Self {
        Self {
            number: epoch.number,
            head: Arc::clone(&epoch.head),
            last_seq: epoch.head.visible_seq(),
        }
    }
}
