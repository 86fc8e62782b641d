//! Late samples over samples in order.

use crate::model::Samples;

/// Puts late samples, in the order in which they came, over samples in order of time: of several
/// at one timestamp the one that came last counts.
pub fn overlay(out: &mut Samples, mut late: Vec<(i64, f64)>) {
    // Stable, so that of equal timestamps the one that came last stays last.
    late.sort_by_key(|&(timestamp_ms, _)| timestamp_ms);
    let mut merged = Samples {
        timestamps_ms: Vec::with_capacity(out.len() + late.len()),
        values: Vec::with_capacity(out.len() + late.len()),
    };
    let mut in_order = out.iter().peekable();
    let mut late = late.into_iter().peekable();
    while let Some((timestamp_ms, value)) = late.next() {
        if late.peek().is_some_and(|next| next.0 == timestamp_ms) {
            continue;
        }
        while let Some((t, v)) = in_order.next_if(|&(t, _)| t < timestamp_ms) {
            merged.push(t, v);
        }
        in_order.next_if(|&(t, _)| t == timestamp_ms);
        merged.push(timestamp_ms, value);
    }
    for (t, v) in in_order {
        merged.push(t, v);
    }
    *out = merged;
}
