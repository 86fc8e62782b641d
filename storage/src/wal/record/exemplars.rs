//! Section 5: exemplars. Their labels come first, row by row, then columns of ids, timestamps
//! and values.

use super::definitions::LabelSets;
use super::{DecodeError, Input, deltas, values};
use crate::codec::labels::put_labels;
use crate::codec::varint::put_u64;
use crate::model::{Exemplar, ExemplarRow, Labels, SeriesId};

pub(super) fn put(out: &mut Vec<u8>, rows: &[ExemplarRow]) {
    put_u64(out, rows.len() as u64);
    let none = Labels::default();
    let mut before = &none;
    for row in rows {
        put_labels(out, &row.exemplar.labels, before);
        before = &row.exemplar.labels;
    }
    deltas::put(out, rows.len(), |place| i64::from(rows[place].series.0));
    deltas::put(out, rows.len(), |place| rows[place].exemplar.timestamp_ms);
    values::put(out, rows.iter().map(|row| row.exemplar.value));
}

pub(super) fn take(input: &mut Input<'_>, rows: &mut Vec<ExemplarRow>) -> Result<(), DecodeError> {
    let count = input.rows("a bad number of exemplars")?;
    let mut sets = LabelSets::default();
    for _ in 0..count {
        rows.push(ExemplarRow {
            series: SeriesId(0),
            exemplar: Exemplar {
                labels: sets.take(input)?,
                timestamp_ms: 0,
                value: 0.0,
            },
        });
    }
    let mut row = rows.iter_mut();
    deltas::take(input, count, |id| {
        let id = u32::try_from(id).map_err(|_| "a series id that is no u32")?;
        if let Some(row) = row.next() {
            row.series = SeriesId(id);
        }
        Ok(())
    })?;
    let mut row = rows.iter_mut();
    deltas::take(input, count, |timestamp_ms| {
        if let Some(row) = row.next() {
            row.exemplar.timestamp_ms = timestamp_ms;
        }
        Ok(())
    })?;
    let mut values = vec![0.0; count];
    values::take(input, &mut values)?;
    for (row, value) in rows.iter_mut().zip(values) {
        row.exemplar.value = value;
    }
    Ok(())
}
