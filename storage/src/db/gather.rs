//! Writes that wait a moment for others, so that one sync serves them all.

use std::time::Duration;

use super::Db;

/// How long a write waits for others at the most, as those see it that come after it: about
/// what a sync takes on a fast disk.
const GATHER_MAX: Duration = Duration::from_micros(300);

/// Whether the writes in a queue are to be committed.
#[derive(Debug, Default)]
pub(super) struct Due {
    is_due: bool,
    /// When the first of them came, on the monotonic clock.
    since: Option<Duration>,
}

impl Due {
    /// They are, whoever waits for others.
    pub(super) fn hurry(&mut self) {
        self.is_due = true;
    }

    /// One was added.
    pub(super) fn note_came(&mut self, now: Duration) {
        self.since.get_or_insert(now);
    }

    /// One was added that may wait for others.
    pub(super) fn linger(&mut self, now: Duration) {
        self.note_came(now);
        let waited = self.since.map(|since| now.saturating_sub(since));
        self.is_due |= waited >= Some(GATHER_MAX);
    }

    pub(super) fn since(&self) -> Option<Duration> {
        self.since
    }

    pub(super) fn is_due(&self) -> bool {
        self.is_due
    }
}

impl Db {
    /// Has what was [gathered](Db::gather) committed. Does nothing where nothing was.
    pub fn commit_gathered(&self) {
        let shared = &self.0.shared;
        let mut sequencer = shared.sequencer.lock();
        if !sequencer.is_idle() && !sequencer.is_due() {
            sequencer.hurry();
            shared.work.notify_one();
        }
    }
}
