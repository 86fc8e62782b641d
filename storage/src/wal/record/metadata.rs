//! Section 6: metadata of metrics, row by row.

use super::{BODY_BYTES_MAX, DecodeError, Input};
use crate::codec::labels::{put_suffix, take_suffix};
use crate::codec::varint::put_u64;
use crate::model::{Metadata, MetadataRow, MetricType};

/// Bytes of names, units and help texts.
pub(super) fn text_bytes(rows: &[MetadataRow]) -> usize {
    rows.iter()
        .map(|row| row.metric.len() + row.metadata.unit.len() + row.metadata.help.len())
        .sum()
}

fn texts(row: &MetadataRow) -> [&str; 3] {
    [&row.metric, &row.metadata.unit, &row.metadata.help]
}

pub(super) fn put(out: &mut Vec<u8>, rows: &[MetadataRow]) {
    put_u64(out, rows.len() as u64);
    let mut before = [""; 3];
    for row in rows {
        out.push(row.metadata.metric_type as u8);
        for (text, before) in texts(row).into_iter().zip(before) {
            put_suffix(out, text.as_bytes(), before.as_bytes());
        }
        before = texts(row);
    }
}

pub(super) fn take(input: &mut Input<'_>, rows: &mut Vec<MetadataRow>) -> Result<(), DecodeError> {
    let count = input.rows("a bad number of metrics with metadata")?;
    let mut bytes = 0;
    for _ in 0..count {
        let &[number] = input.take(1, "metadata cut short")? else {
            return Err(input.corrupt("metadata cut short"));
        };
        let metric_type = MetricType::from_number(number);
        let metric_type = metric_type.ok_or_else(|| input.corrupt("an unknown metric type"))?;
        let before = rows.last().map_or([""; 3], texts);
        let mut read = [const { Vec::new() }; 3];
        for (text, before) in read.iter_mut().zip(before) {
            take_suffix(&mut input.rest, before.as_bytes(), text)
                .map_err(|what| input.corrupt(what))?;
            // A text may repeat a long one at the cost of two bytes: the sum has a limit.
            bytes += text.len();
            if bytes > BODY_BYTES_MAX {
                return Err(input.corrupt("more metadata bytes than a record may hold"));
            }
        }
        let [metric, unit, help] = read.map(String::from_utf8);
        let (Ok(metric), Ok(unit), Ok(help)) = (metric, unit, help) else {
            return Err(input.corrupt("metadata that is not UTF-8"));
        };
        rows.push(MetadataRow {
            metric,
            metadata: Metadata {
                metric_type,
                unit,
                help,
            },
        });
    }
    Ok(())
}
