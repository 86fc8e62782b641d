mod answers;
mod cardinality;
mod damage;
mod round_trip;

use std::borrow::Cow;
use std::io;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use roaring::RoaringBitmap;

use super::{IndexError, IndexInput, IndexRefs, InputRows, StoredIndex, write};
use crate::index::{Postings, PostingsIndex, SymbolTable};
use crate::model::{Matcher, ReadBounds, SeriesId, SymbolId};
use crate::section::{Bytes, FileWriter, SectionError, SectionRef};
use crate::sys::File;
use crate::sys::sim::SimDisk;

/// A row's labels, sorted by name; none for a row without a series.
type Row = Option<Vec<(String, String)>>;

/// Questions without bounds.
impl StoredIndex {
    pub fn evaluate(&self, matchers: &[Matcher]) -> Result<RoaringBitmap, IndexError> {
        self.evaluate_with(matchers, None, ReadBounds::NONE)
    }

    pub fn label_names(&self, rows: Option<&RoaringBitmap>) -> Result<Vec<String>, IndexError> {
        self.label_names_within(rows, ReadBounds::NONE)
    }

    pub fn label_values(
        &self,
        name: &str,
        rows: Option<&RoaringBitmap>,
    ) -> Result<Vec<String>, IndexError> {
        self.label_values_within(name, rows, ReadBounds::NONE)
    }
}

/// Series in memory.
#[derive(Default)]
struct Table {
    index: PostingsIndex,
    symbols: SymbolTable,
    rows: Vec<Vec<(SymbolId, SymbolId)>>,
}

impl Table {
    fn new(rows: &[Row]) -> Self {
        let mut table = Self::default();
        // A symbol that no row has.
        table.symbols.intern("not used").unwrap();
        for (id, row) in (0u32..).zip(rows) {
            let mut intern = |text: &String| table.symbols.intern(text).unwrap();
            let pairs = row.iter().flatten();
            let labels: Vec<_> = pairs.map(|(n, v)| (intern(n), intern(v))).collect();
            if row.is_some() {
                table.index.insert(SeriesId(id), labels.iter().copied());
            }
            table.rows.push(labels);
        }
        table
    }

    fn access(&self) -> (&PostingsIndex, &SymbolTable) {
        (&self.index, &self.symbols)
    }
}

impl IndexInput for Table {
    fn symbols_end(&self) -> u32 {
        self.symbols.len() as u32
    }

    fn for_each_symbol(
        &self,
        each: &mut dyn FnMut(SymbolId, &str) -> io::Result<()>,
    ) -> io::Result<()> {
        let labels = self.rows.iter().flatten();
        let mut used: Vec<SymbolId> = labels.flat_map(|&(n, v)| [n, v]).collect();
        used.sort_unstable();
        used.dedup();
        used.sort_unstable_by_key(|&symbol| self.symbols.text(symbol));
        used.into_iter()
            .try_for_each(|symbol| each(symbol, self.symbols.text(symbol)))
    }

    fn rows(&self) -> u32 {
        self.rows.len() as u32
    }

    fn all(&self) -> io::Result<Cow<'_, RoaringBitmap>> {
        Ok(Cow::Borrowed(self.index.all()))
    }

    fn labels(&self, row: u32, out: &mut Vec<(SymbolId, SymbolId)>) -> io::Result<()> {
        out.extend(&self.rows[row as usize]);
        Ok(())
    }

    fn names(&self) -> io::Result<Vec<SymbolId>> {
        Ok(self.index.names().collect())
    }

    fn values(&self, name: SymbolId) -> io::Result<Vec<SymbolId>> {
        Ok(self.index.values(name).collect())
    }

    fn present(&self, name: SymbolId) -> io::Result<Cow<'_, RoaringBitmap>> {
        Ok(Cow::Borrowed(self.index.present(name).unwrap()))
    }

    fn postings(&self, name: SymbolId, value: SymbolId) -> io::Result<InputRows<'_>> {
        Ok(match self.index.postings(name, value).unwrap() {
            Postings::One(row) => InputRows::One(*row),
            Postings::Many(rows) => InputRows::Many(Cow::Borrowed(rows)),
        })
    }
}

/// A slice as the bytes of a section.
#[derive(Debug)]
struct Raw(Vec<u8>);

impl Bytes for Raw {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn get(&self, offset: u64, bytes: usize) -> Result<Cow<'_, [u8]>, SectionError> {
        Bytes::get(self.0.as_slice(), offset, bytes)
    }
}

/// A file with an index, and where it is.
fn written(input: &impl IndexInput) -> (Arc<dyn File>, IndexRefs) {
    let sys = SimDisk::new(1).sys(0);
    let file = sys.disk.create_new(Path::new("/index")).unwrap();
    let mut writer = FileWriter::new(file);
    writer.put(b"before").unwrap();
    let refs = write(input, &mut writer).unwrap();
    let (file, _) = writer.finish().unwrap();
    (Arc::from(file), refs)
}

/// The bytes of the four sections: symbols, names, postings, series.
fn sections(file: &Arc<dyn File>, refs: &IndexRefs) -> [Vec<u8>; 4] {
    let bytes = |at: SectionRef| {
        let read = file.bytes(at.offset, at.bytes as usize);
        read.unwrap().into_owned()
    };
    refs.section_refs().map(bytes)
}

fn raw(sections: [Vec<u8>; 4], refs: &IndexRefs) -> Result<StoredIndex, IndexError> {
    StoredIndex::from_bytes(
        sections.map(|bytes| Box::new(Raw(bytes)) as Box<dyn Bytes>),
        refs,
    )
}

fn stored(rows: &[Row]) -> StoredIndex {
    let (file, refs) = written(&Table::new(rows));
    StoredIndex::open(&file, &refs).unwrap()
}

fn row(labels: &[(&str, &str)]) -> Row {
    let labels = labels.iter().map(|&(n, v)| (n.to_owned(), v.to_owned()));
    Some(labels.collect())
}

/// Rows of few names and values, so that they share them; one in ten holds no series.
fn any_rows() -> impl Strategy<Value = Vec<Row>> {
    let value = prop_oneof![
        4 => (0..6u32).prop_map(|n| format!("v{n}")),
        2 => (0..300u32).prop_map(|n| format!("value-{n}")),
        1 => "[a-c\u{e9}\u{1f600}]{0,5}",
    ];
    let labels = prop::collection::btree_map("[a-eé]", value, 0..5);
    let row = (0..10u32, labels).prop_map(|(empty, labels)| {
        let labels = labels.into_iter().filter(|(_, value)| !value.is_empty());
        (empty > 0).then(|| labels.collect())
    });
    // Some rows many times, so that there are runs.
    let runs = prop::collection::vec((row, 1..60usize), 0..30);
    runs.prop_map(|runs| {
        let rows = runs.into_iter();
        rows.flat_map(|(row, count)| vec![row; count]).collect()
    })
}

/// The labels of a row of an index.
fn labels_of(index: &StoredIndex, row: u32) -> Vec<(String, String)> {
    let mut symbols = Vec::new();
    index.symbols_of(row, &mut symbols).unwrap();
    let text = |symbol| index.text(symbol).unwrap();
    symbols
        .into_iter()
        .map(|(n, v)| (text(n), text(v)))
        .collect()
}
