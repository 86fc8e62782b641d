//! Samples of one series from several sources, each over those before.

use crate::model::{Sample, Samples};

/// Puts samples that came in this order in order of time; of several at one timestamp the last
/// counts.
pub(super) fn floats(arrived: &mut Samples) {
    if arrived.timestamps_ms.is_sorted_by(|one, next| one < next) {
        return;
    }
    let mut pairs: Vec<(i64, f64)> = arrived.iter().collect();
    arrived.clear();
    // Stable, so that of equal timestamps the one that came last is last.
    pairs.sort_by_key(|&(timestamp_ms, _)| timestamp_ms);
    for (place, &(timestamp_ms, value)) in pairs.iter().enumerate() {
        let next = pairs.get(place + 1);
        if next.is_none_or(|next| next.0 != timestamp_ms) {
            arrived.push(timestamp_ms, value);
        }
    }
}

/// As [`floats`], of samples of any kinds.
pub(super) fn points(arrived: &mut Vec<Sample>) {
    if arrived.is_sorted_by(|one, next| one.timestamp_ms < next.timestamp_ms) {
        return;
    }
    arrived.sort_by_key(|sample| sample.timestamp_ms);
    // The first of several stays.
    arrived.reverse();
    arrived.dedup_by_key(|sample| sample.timestamp_ms);
    arrived.reverse();
}
