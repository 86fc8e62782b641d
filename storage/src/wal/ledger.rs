//! Which records a replay has met, and which are gone.

use super::recovery::{Damage, DamageKind, SeqRange};
use crate::model::Seq;

/// Follows the seqs through a replay.
#[derive(Debug)]
pub(super) struct Ledger {
    /// Records up to this one are in other files: it does not matter whether the log has them.
    covered: Seq,
    /// The highest seq met, read or known to be lost.
    last: Seq,
    damage: Vec<Damage>,
    /// Damage whose records are not known before the next good bytes; with the last seq before.
    open: Vec<(Damage, Seq)>,
}

impl Ledger {
    pub(super) fn new(covered: Seq) -> Self {
        Self {
            covered,
            last: Seq::ZERO,
            damage: Vec::new(),
            open: Vec::new(),
        }
    }

    pub(super) fn last(&self) -> Seq {
        self.last
    }

    /// Damage whose records are known.
    pub(super) fn add(&mut self, damage: Damage) {
        self.damage.push(damage);
    }

    /// Damage in the place of records to be told from what follows.
    pub(super) fn add_gap(&mut self, damage: Damage) {
        self.open.push((damage, self.last));
    }

    /// A record that stands in damaged bytes.
    pub(super) fn skip(&mut self, seq: Seq) {
        self.last = self.last.max(seq);
    }

    /// A file header: no record before it is later than `durable`, and all were durable.
    pub(super) fn file(&mut self, durable: Seq, records_missing: impl FnOnce() -> Damage) {
        let upper = durable.max(self.last);
        if self.open.is_empty() {
            self.check_durable(durable, records_missing);
        }
        self.close(upper);
        self.last = upper;
    }

    /// A good record, later than all before it.
    pub(super) fn record(
        &mut self,
        seq: Seq,
        durable: Seq,
        records_missing: impl FnOnce() -> Damage,
    ) {
        if self.open.is_empty() {
            self.check_durable(durable, records_missing);
        } else {
            self.close(Seq(seq.0.saturating_sub(1)));
        }
        self.last = seq;
    }

    /// Records known to be durable that never came, without bad bytes in their place.
    fn check_durable(&mut self, durable: Seq, records_missing: impl FnOnce() -> Damage) {
        if let Some(lost) = self.range(self.last, durable) {
            let mut damage = records_missing();
            damage.lost = Some(lost);
            self.damage.push(damage);
        }
    }

    /// What is lost of the seqs after `after` up to `upper`.
    fn range(&self, after: Seq, upper: Seq) -> Option<SeqRange> {
        let last_needless = after.max(self.covered);
        (last_needless < upper).then(|| SeqRange {
            first: last_needless.next(),
            last: upper,
        })
    }

    fn close(&mut self, upper: Seq) {
        for (mut damage, after) in std::mem::take(&mut self.open) {
            damage.lost = self.range(after, upper);
            // What was there is in other files, or was a file without records.
            let is_file = matches!(damage.kind, DamageKind::Files { .. });
            let is_harmless = upper <= self.covered || (is_file && damage.lost.is_none());
            if !is_harmless {
                self.damage.push(damage);
            }
        }
    }

    /// The end of the log: the highest seq that is taken, and the damage in order.
    pub(super) fn finish(mut self) -> (Seq, Vec<Damage>) {
        for (mut damage, after) in std::mem::take(&mut self.open) {
            damage.lost = self.range(after, self.last);
            self.damage.push(damage);
        }
        let place = |damage: &Damage| (damage.path.clone(), damage.offset);
        self.damage.sort_by_key(place);
        (self.last.max(self.covered), self.damage)
    }
}
