//! Writing a frozen head as a segment.

use std::path::Path;

use crate::head::{Head, HeadInput};
use crate::segment::{Origin, SegmentError, SegmentInfo, SeqRange, Writer};
use crate::sys::Sys;

/// Writes `head` as the segment `number` in the directory `dir`. It holds the writes `seqs` of
/// the memtable `epoch`, and takes no more. Readers go on meanwhile. `step` is called between
/// pieces of work of a few microseconds each, so that it can make room for others.
///
/// The segment is durable under its name when this returns, and stands for nothing until the
/// manifest names it.
///
/// # Errors
/// [`SegmentError`]; neither the file nor a part of it is left, unless the disk refuses even that.
pub fn write_segment(
    sys: &Sys,
    dir: &Path,
    number: u64,
    head: &Head,
    seqs: SeqRange,
    epoch: u64,
    step: &dyn Fn(),
) -> Result<SegmentInfo, SegmentError> {
    let mut writer = Writer::create(sys, dir, number)?;
    let columns = write_times(&mut writer, head, step)?;
    write_rows(&mut writer, head, &columns, step)?;
    write_extras(&mut writer, head, step)?;
    writer.index(&HeadInput::new(head, step))?;
    writer.finish(Origin {
        epoch,
        seqs,
        series: u32::try_from(head.stats().series).unwrap_or(u32::MAX),
        inputs: Vec::new(),
    })
}

/// Writes the time columns; returns their places, by shard and number.
fn write_times(
    writer: &mut Writer,
    head: &Head,
    step: &dyn Fn(),
) -> Result<Vec<Box<[u64]>>, SegmentError> {
    let mut times = writer.times();
    let mut columns = Vec::new();
    head.export(|shard| {
        let put = |column| {
            step();
            times.put(column)
        };
        let places: Result<_, SegmentError> = shard.columns().map(put).collect();
        columns.push(places?);
        Ok(())
    })?;
    times.finish()?;
    Ok(columns)
}

fn write_rows(
    writer: &mut Writer,
    head: &Head,
    columns: &[Box<[u64]>],
    step: &dyn Fn(),
) -> Result<(), SegmentError> {
    let mut rows = writer.rows();
    let mut columns = columns.iter();
    head.export(|shard| {
        let columns = columns.next().map_or(&[][..], |places| places);
        shard.ids().try_for_each(|id| {
            step();
            rows.put(id, columns, shard.in_order(id), shard.late(id))
        })
    })?;
    rows.finish()
}

/// Writes what is no float: a section each, and none where there is nothing to write.
fn write_extras(writer: &mut Writer, head: &Head, step: &dyn Fn()) -> Result<(), SegmentError> {
    let mut starts = writer.starts();
    head.export(|shard| {
        let mut all = shard.extras();
        all.try_for_each(|(row, extras)| {
            step();
            starts.put(row, extras.starts())
        })
    })?;
    starts.finish()?;
    let mut histograms = writer.histograms();
    head.export(|shard| {
        let mut all = shard.extras();
        all.try_for_each(|(row, extras)| {
            step();
            histograms.put(row, &extras.histograms())
        })
    })?;
    histograms.finish()?;
    let mut exemplars = writer.exemplars();
    head.export(|shard| {
        let mut all = shard.extras();
        all.try_for_each(|(row, extras)| {
            step();
            exemplars.put(row, extras.exemplars())
        })
    })?;
    exemplars.finish()?;
    let mut metadata = writer.metadata();
    head.export_metadata(|metric, last| metadata.put(metric, last))?;
    metadata.finish()
}

#[cfg(test)]
mod tests;
