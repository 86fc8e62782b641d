//! Writing a segment, from its first byte to its last.

mod lists;

use std::io;
use std::path::Path;

use super::footer::{Footer, Kind};
use super::record::Encoder;
use super::rows::{RowTable, Summary};
use super::{FORMAT, Origin, SegmentError, SegmentInfo};
use crate::chunk::{LateChunk, OrderedChunk, TimeColumn};
use crate::immutable::{Listed, NewFile, REQUIRED};
use crate::index::stored::{self, IndexInput};
use crate::model::TimeRange;
use crate::section::{SectionRef, SectionWriter};
use crate::sys::Sys;

/// How many bytes are gathered before they go through the checksum.
const GATHERED_BYTES: usize = 64 << 10;

/// Writes a segment: first the time columns, then the rows, what stands beside them, and the
/// index, each once. Its file has a temporary name until [`Writer::finish`]; where that is not
/// reached it is removed.
///
/// Held in memory are some hundred kilobytes and six bytes a row, up to thirty where no two rows
/// of 1024 have first and last timestamp and the number of samples in common.
#[derive(Debug)]
pub struct Writer {
    new: NewFile,
    sections: Vec<Listed>,
    table: RowTable,
    totals: Totals,
    index: Vec<u8>,
}

#[derive(Debug, Default)]
struct Totals {
    samples: u64,
    range: Option<TimeRange>,
}

impl Writer {
    /// Begins the segment `number` in the directory `dir`, which is made if need be.
    ///
    /// # Errors
    /// [`SegmentError::Io`], also where there is a segment with that number.
    pub fn create(sys: &Sys, dir: &Path, number: u64) -> Result<Self, SegmentError> {
        Ok(Self {
            new: NewFile::create(sys, &FORMAT, dir, number)?,
            sections: Vec::new(),
            table: RowTable::default(),
            totals: Totals::default(),
            index: Vec::new(),
        })
    }

    /// Begins with the time columns.
    pub fn times(&mut self) -> TimesWriter<'_> {
        TimesWriter {
            section: Gathered::new(&mut self.new),
            sections: &mut self.sections,
        }
    }

    /// Goes on with the rows.
    pub fn rows(&mut self) -> RowsWriter<'_> {
        RowsWriter {
            section: Gathered::new(&mut self.new),
            sections: &mut self.sections,
            table: &mut self.table,
            totals: &mut self.totals,
        }
    }

    /// Goes on with the index, of the same rows.
    ///
    /// # Errors
    /// [`SegmentError::Io`]
    pub fn index(&mut self, input: &impl IndexInput) -> Result<(), SegmentError> {
        let about = self.new.io("write the index of");
        let refs = stored::write(input, &mut self.new.file).map_err(about)?;
        self.index = refs.encode().to_vec();
        Ok(())
    }

    /// Writes what is left, makes the file durable, then gives it its name and makes that
    /// durable.
    ///
    /// # Errors
    /// [`SegmentError::Io`]. Whether the name lasts where syncing the directory failed is not
    /// known; the file is whole if it does.
    pub fn finish(mut self, origin: Origin) -> Result<SegmentInfo, SegmentError> {
        let about = self.new.io("write");
        self.write_table().map_err(about)?;
        let footer = Footer {
            origin,
            rows: self.table.rows(),
            samples: self.totals.samples,
            range: self.totals.range,
            sections: self.sections,
            index: self.index,
        };
        let number = self.new.number();
        let bytes = self.new.publish(&footer.encode())?;
        Ok(footer.info(number, bytes))
    }
}

impl Writer {
    fn write_table(&mut self) -> io::Result<()> {
        let (table, summaries) = self.table.bytes();
        for (kind, bytes) in [(Kind::Rows, table), (Kind::Summaries, summaries)] {
            let mut section = self.new.file.section();
            section.put(bytes)?;
            self.sections.push(listed(kind, section.finish()?));
        }
        Ok(())
    }
}

fn listed(kind: Kind, at: SectionRef) -> Listed {
    Listed {
        kind: kind as u16,
        flags: REQUIRED,
        at,
    }
}

/// A section to which small parts are added: they go through the checksum together.
#[derive(Debug)]
struct Gathered<'a> {
    section: SectionWriter<'a>,
    bytes: Vec<u8>,
    path: &'a Path,
}

impl<'a> Gathered<'a> {
    fn new(new: &'a mut NewFile) -> Self {
        let (section, path) = new.section();
        Self {
            section,
            bytes: Vec::with_capacity(GATHERED_BYTES),
            path,
        }
    }

    /// Where the next byte goes, from the start of the section.
    fn position(&self) -> u64 {
        self.section.position() + self.bytes.len() as u64
    }

    /// Hands on what was gathered, if it is enough.
    fn hand_on(&mut self, at_least: usize) -> Result<(), SegmentError> {
        if self.bytes.len() >= at_least {
            let put = self.section.put(&self.bytes);
            put.map_err(SegmentError::io(&FORMAT, "write", self.path))?;
            self.bytes.clear();
        }
        Ok(())
    }

    fn finish(mut self) -> Result<SectionRef, SegmentError> {
        self.hand_on(0)?;
        let finished = self.section.finish();
        finished.map_err(SegmentError::io(&FORMAT, "write", self.path))
    }
}

/// Writes the time columns of a segment.
#[derive(Debug)]
pub struct TimesWriter<'a> {
    section: Gathered<'a>,
    sections: &'a mut Vec<Listed>,
}

impl TimesWriter<'_> {
    /// Adds a column; returns its place, by which rows name it.
    ///
    /// # Errors
    /// [`SegmentError::Io`]
    pub fn put(&mut self, column: &TimeColumn) -> Result<u64, SegmentError> {
        let at = self.section.position();
        column.encode(&mut self.section.bytes);
        self.section.hand_on(GATHERED_BYTES)?;
        Ok(at)
    }

    /// Ends the columns.
    ///
    /// # Errors
    /// [`SegmentError::Io`]
    pub fn finish(self) -> Result<(), SegmentError> {
        let at = self.section.finish()?;
        self.sections.push(listed(Kind::Times, at));
        Ok(())
    }
}

/// Writes the rows of a segment.
#[derive(Debug)]
pub struct RowsWriter<'a> {
    section: Gathered<'a>,
    sections: &'a mut Vec<Listed>,
    table: &'a mut RowTable,
    totals: &'a mut Totals,
}

impl RowsWriter<'_> {
    /// Adds a row above all before; those left out have no chunks. `columns` are the places of
    /// the time columns that the chunks name, by number; chunks of other columns are none of
    /// the row's, and must not be.
    ///
    /// # Errors
    /// [`SegmentError::Io`]; [`SegmentError::TooLarge`] where a row has 2^32 samples or 1024 rows
    /// 4 GiB.
    pub fn put<'c>(
        &mut self,
        row: u32,
        columns: &[u64],
        in_order: impl Iterator<Item = OrderedChunk<'c>>,
        late: impl Iterator<Item = LateChunk<'c>>,
    ) -> Result<(), SegmentError> {
        let too_large = |path: &Path| SegmentError::TooLarge {
            noun: FORMAT.noun,
            path: path.to_owned(),
            what: "2^32 rows, 2^32 samples in a row or 4 GiB in 1024 rows",
        };
        let next = row.checked_add(1);
        let next = next.ok_or_else(|| too_large(self.section.path))?;
        self.table.skip_to(row, self.section.position());
        self.table.begin(self.section.position());
        let mut tally = Tally::default();
        let mut in_order = in_order.peekable();
        let first = in_order
            .peek()
            .and_then(|chunk| columns.get(chunk.column as usize));
        let times_base = first.map_or(0, |&column_at| self.table.times_base(column_at));
        let mut encoder = Encoder::new(&mut self.section.bytes, times_base);
        for chunk in in_order {
            let column_at = columns.get(chunk.column as usize);
            debug_assert!(column_at.is_some(), "every column was written");
            if let Some(&column_at) = column_at {
                encoder.in_order(&chunk, column_at);
                tally.in_order(&chunk);
            }
        }
        for chunk in late {
            encoder.late(&chunk);
            tally.late += u64::from(chunk.count);
            tally.include(chunk.range);
        }
        let end = self.section.position();
        if let Some(range) = tally.range {
            let added = tally.summary(range).and_then(|s| self.table.add(end, s));
            added.ok_or_else(|| too_large(self.section.path))?;
            self.totals.samples += tally.in_order + tally.late;
            let all = self.totals.range.get_or_insert(range);
            *all = cover(*all, range);
        }
        self.table.skip_to(next, end);
        self.section.hand_on(GATHERED_BYTES)
    }

    /// Ends the rows.
    ///
    /// # Errors
    /// [`SegmentError::Io`]
    pub fn finish(self) -> Result<(), SegmentError> {
        let at = self.section.finish()?;
        self.sections.push(listed(Kind::Chunks, at));
        Ok(())
    }
}

/// What a row holds.
#[derive(Debug, Default)]
struct Tally {
    in_order: u64,
    late: u64,
    range: Option<TimeRange>,
}

impl Tally {
    fn in_order(&mut self, chunk: &OrderedChunk<'_>) {
        self.in_order += u64::from(chunk.count);
        let at = |place| chunk.times.get(place).unwrap_or(chunk.times.last_ms());
        let (start, count) = (usize::from(chunk.start), usize::from(chunk.count));
        let first_ms = match start {
            0 => chunk.times.first_ms(),
            start => at(start),
        };
        self.include(TimeRange::new(first_ms, at(start + count - 1)));
    }

    fn include(&mut self, range: TimeRange) {
        self.range = Some(self.range.map_or(range, |all| cover(all, range)));
    }

    fn summary(&self, range: TimeRange) -> Option<Summary> {
        Some(Summary {
            range,
            in_order: u32::try_from(self.in_order).ok()?,
            late: u32::try_from(self.late).ok()?,
        })
    }
}

/// The smallest range with both inside.
fn cover(a: TimeRange, b: TimeRange) -> TimeRange {
    TimeRange::new(a.start_ms.min(b.start_ms), a.end_ms.max(b.end_ms))
}
