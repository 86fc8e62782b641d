//! The head of the next epoch, made ready while this one still takes writes.
//!
//! All series that go on have to be known to the next epoch: to its head, and to its log before
//! their first samples. Were that left to the writes that come first, all of them would wait
//! while each brings two thousand series, and those behind them. What is made ready is all of the
//! head, and the records that define its series, which the committer writes before any other of
//! the epoch.

use std::ops::Range;
use std::sync::Arc;

use super::freeze::Fill;
use super::series_limits::SeriesLimits;
use crate::head::{Head, HeadStats};
use crate::model::{Batch, Seq, SeriesDefinition, SeriesId};
use crate::wal::record::encode_body;

/// With more series none is made: two heads take memory, and the records time to be written.
/// Where there are more, they come over a longer time too.
const SERIES_MAX: u64 = 128 << 10;
/// Series a record.
const RECORD_SERIES: usize = 1024;
/// Series that are made known without a pause.
const STEP_SERIES: usize = 64;
/// From when on it is looked which series are live, and when it is time to make a successor.
const LOOK: Fill = Fill::of(3, 4);
const ASK: Fill = Fill::of(7, 8);

/// What a successor is made of.
#[derive(Debug)]
pub(super) struct Request {
    /// The epoch that it follows, and its head.
    pub(super) epoch: u64,
    pub(super) head: Arc<Head>,
    /// Series that were not written to after this one are gone.
    pub(super) live_since: Seq,
}

/// A head for the epoch that follows.
#[derive(Debug)]
pub(super) struct Successor {
    /// The epoch that it follows.
    pub(super) follows: u64,
    pub(super) head: Head,
    /// The limits on series, which count those of the head.
    pub(super) limits: SeriesLimits,
    /// Records that define them all, for the log.
    pub(super) records: Vec<Predefined>,
}

/// A record that defines series which no write has used yet.
#[derive(Debug)]
pub(super) struct Predefined {
    pub(super) ids: Range<u32>,
    pub(super) body: Vec<u8>,
}

/// When the committer asks for a successor.
#[derive(Debug, Default)]
pub(super) struct Succession {
    /// Since when it is looked which series are live, and how many samples there were before.
    since: Option<(Seq, u64)>,
    is_asked: bool,
}

impl Succession {
    /// After a group was applied: since when series are live, if it is time to ask. It is once,
    /// when the epoch is nearly full and there were samples enough since for each series to have
    /// been among them.
    pub(super) fn is_due(&mut self, fill: Fill, stats: &HeadStats, now: Seq) -> Option<Seq> {
        if self.is_asked || fill < LOOK {
            return None;
        }
        let samples = stats.rows.samples;
        let (seq, before) = *self.since.get_or_insert((now, samples));
        let is_due = fill >= ASK && samples - before >= stats.series;
        self.is_asked = is_due;
        (is_due && stats.series <= SERIES_MAX).then_some(seq)
    }
}

impl Successor {
    /// Makes one; none if `go_on`, which is asked from time to time, says no, or where the series
    /// do not fit into a head, which then are refused one by one.
    pub(super) fn make(
        request: &Request,
        limits: &SeriesLimits,
        mut go_on: impl FnMut() -> bool,
    ) -> Option<Self> {
        let head = Head::new();
        let mut limits = limits.anew();
        let mut records = Vec::new();
        let live = request.head.live_since(request.live_since);
        let mut next = 0;
        for ids in live.chunks(RECORD_SERIES) {
            if !go_on() {
                return None;
            }
            let definitions = definitions(&request.head, ids, next);
            let end = next + definitions.len() as u32;
            for few in definitions.chunks(STEP_SERIES) {
                if !go_on() {
                    return None;
                }
                for definition in few {
                    limits.note(definition.labels.as_ref());
                }
                head.predefine(few).ok()?;
            }
            let batch = Batch {
                definitions,
                ..Batch::default()
            };
            let mut body = Vec::new();
            encode_body(&batch, &mut body).ok()?;
            records.push(Predefined {
                ids: next..end,
                body,
            });
            next = end;
        }
        Some(Self {
            follows: request.epoch,
            head,
            limits,
            records,
        })
    }
}

/// The labels of series of a head, with ids from `next` on.
fn definitions(head: &Head, ids: &[SeriesId], next: u32) -> Vec<SeriesDefinition> {
    let view = head.labels_view();
    let labels = ids.iter().filter_map(|&id| view.labels(id));
    (next..)
        .zip(labels)
        .map(|(id, labels)| SeriesDefinition {
            id: SeriesId(id),
            labels,
        })
        .collect()
}
