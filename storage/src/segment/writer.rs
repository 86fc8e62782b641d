//! Writing a segment, from its first byte to its last.

mod lists;

use std::io;
use std::path::{Path, PathBuf};

use super::error::SegmentError;
use super::file::{encode_header, file_name, temporary_name};
use super::footer::{Footer, Kind, Listed, REQUIRED};
use super::record::Encoder;
use super::rows::{RowTable, Summary};
use super::{Origin, SegmentInfo};
use crate::chunk::{LateChunk, OrderedChunk, TimeColumn};
use crate::index::stored::{self, IndexInput};
use crate::model::TimeRange;
use crate::section::{FileWriter, SectionRef, SectionWriter};
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
    dir: PathBuf,
    number: u64,
    file: FileWriter,
    sections: Vec<Listed>,
    table: RowTable,
    totals: Totals,
    index: Vec<u8>,
    // Removed after the file is closed.
    temporary: Temporary,
}

#[derive(Debug, Default)]
struct Totals {
    samples: u64,
    range: Option<TimeRange>,
}

/// A file that is removed unless it is kept.
#[derive(Debug)]
struct Temporary {
    sys: Sys,
    paths: Vec<PathBuf>,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        for path in &self.paths {
            // It may not be there, and nothing more can be done: a leftover is no segment, and
            // the next start removes it.
            let _ = self.sys.disk.remove(path);
        }
    }
}

impl Temporary {
    fn path(&self) -> &Path {
        self.paths.first().map_or(Path::new(""), PathBuf::as_path)
    }
}

impl Writer {
    /// Begins the segment `number` in the directory `dir`, which is made if need be.
    ///
    /// # Errors
    /// [`SegmentError::Io`], also where there is a segment with that number.
    pub fn create(sys: &Sys, dir: &Path, number: u64) -> Result<Self, SegmentError> {
        let name = file_name(number);
        let path = dir.join(temporary_name(number));
        let about = |action| SegmentError::io(action, &path);
        sys.disk
            .create_dir_all(dir)
            .map_err(about("make the directory of"))?;
        let names = sys.disk.list(dir).map_err(about("look for"))?;
        if names.contains(&name) {
            let exists = io::ErrorKind::AlreadyExists.into();
            return Err(SegmentError::io("create", &dir.join(name))(exists));
        }
        if names.contains(&temporary_name(number)) {
            // Left by a process that was stopped.
            sys.disk.remove(&path).map_err(about("remove a part of"))?;
        }
        let temporary = Temporary {
            sys: sys.clone(),
            paths: vec![path.clone()],
        };
        let file = sys.disk.create_new(&path).map_err(about("create"))?;
        let mut file = FileWriter::new(file);
        file.put(&encode_header(number)).map_err(about("write"))?;
        Ok(Self {
            dir: dir.to_owned(),
            number,
            file,
            sections: Vec::new(),
            table: RowTable::default(),
            totals: Totals::default(),
            index: Vec::new(),
            temporary,
        })
    }

    /// Begins with the time columns.
    pub fn times(&mut self) -> TimesWriter<'_> {
        TimesWriter {
            section: Gathered::new(self.file.section(), self.temporary.path()),
            sections: &mut self.sections,
        }
    }

    /// Goes on with the rows.
    pub fn rows(&mut self) -> RowsWriter<'_> {
        RowsWriter {
            section: Gathered::new(self.file.section(), self.temporary.path()),
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
        let about = SegmentError::io("write the index of", self.temporary.path());
        let refs = stored::write(input, &mut self.file).map_err(about)?;
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
        let temporary = self.temporary.path().to_owned();
        let about = |action| SegmentError::io(action, &temporary);
        self.write_table().map_err(about("write"))?;
        let footer = Footer {
            origin,
            rows: self.table.rows(),
            samples: self.totals.samples,
            range: self.totals.range,
            sections: self.sections,
            index: self.index,
        };
        self.file.put(&footer.encode()).map_err(about("write"))?;
        let (file, bytes) = self.file.finish().map_err(about("sync"))?;
        drop(file);
        let disk = &self.temporary.sys.disk;
        let path = super::path(&self.dir, self.number);
        self.temporary.paths.push(path.clone());
        disk.rename(&temporary, &path).map_err(about("name"))?;
        disk.sync_dir(&self.dir)
            .map_err(SegmentError::io("sync the directory of", &path))?;
        self.temporary.paths.clear();
        Ok(footer.info(self.number, bytes))
    }
}

impl Writer {
    fn write_table(&mut self) -> io::Result<()> {
        let (table, summaries) = self.table.bytes();
        for (kind, bytes) in [(Kind::Rows, table), (Kind::Summaries, summaries)] {
            let mut section = self.file.section();
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
    fn new(section: SectionWriter<'a>, path: &'a Path) -> Self {
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
            put.map_err(SegmentError::io("write", self.path))?;
            self.bytes.clear();
        }
        Ok(())
    }

    fn finish(mut self) -> Result<SectionRef, SegmentError> {
        self.hand_on(0)?;
        let finished = self.section.finish();
        finished.map_err(SegmentError::io("write", self.path))
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
