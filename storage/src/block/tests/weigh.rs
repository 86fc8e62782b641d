//! Where the bytes of blocks are.
//!
//! `SILVERBACK_WEIGHED=<directory of blocks> cargo test --release -p silverback-storage --lib --
//! --ignored --nocapture blocks_are_weighed`

use std::collections::BTreeMap;
use std::path::Path;

use crate::block::footer::{Footer, Kind};
use crate::block::group::{ENTRY_BYTES, GroupAt, Header, LaneKind, RowKind};
use crate::block::page::{PAGE_BYTES, Unpacker};
use crate::block::{Block, FORMAT, number_of};
use crate::immutable::Opened;
use crate::index::stored::{IndexRefs, StoredIndex};
use crate::section::{Bytes, Section};
use crate::sys::Sys;

/// What one kind of bytes comes to.
#[derive(Default)]
struct Weight {
    count: u64,
    /// Before pages are compressed, and its share of them afterwards.
    bytes: u64,
    stored: f64,
}

impl Weight {
    fn add(&mut self, bytes: u64, stored: f64) {
        self.count += 1;
        self.bytes += bytes;
        self.stored += stored;
    }
}

/// Weights by what they are of.
#[derive(Default)]
struct Weights(BTreeMap<String, Weight>);

impl Weights {
    fn add(&mut self, name: impl Into<String>, bytes: u64, stored: f64) {
        self.0.entry(name.into()).or_default().add(bytes, stored);
    }

    fn print(&self, what: &str, most: usize, samples: u64) {
        println!(
            "{what}: count, bytes before and after compression, thousandths of a byte a sample"
        );
        let mut sorted: Vec<_> = self.0.iter().collect();
        sorted.sort_by(|a, b| b.1.stored.total_cmp(&a.1.stored));
        for (name, weight) in sorted.into_iter().take(most) {
            println!(
                "  {name:44} {:7} {:9} {:9.0} {:7.1}",
                weight.count,
                weight.bytes,
                weight.stored,
                weight.stored * 1e3 / samples as f64
            );
        }
    }
}

/// The encoding of a column of values of one chunk, as its first bytes tell.
fn encoding(piece: &[u8]) -> String {
    let form = |at: usize| {
        let tag = piece.get(at).copied().unwrap_or(0);
        let form = ["line", "plain", "delta", "rise", "turn"].get(usize::from(tag & 7));
        let list = if tag & 16 == 0 { "" } else { " list" };
        format!("{}{list}", form.unwrap_or(&"?"))
    };
    match piece.first().copied().unwrap_or(0xff) {
        0x00..0x20 | 0x60 => "constant".to_owned(),
        0x20 => format!("integers {}", form(1)),
        0x21..0x40 => format!("decimals {}", form(1)),
        0x40..0x60 => format!("near decimals {}", form(1)),
        0x61 => format!("ordered bits {}", form(1)),
        0x62 => "XOR".to_owned(),
        0x63 => "raw".to_owned(),
        0x64 => "exceptions".to_owned(),
        0x80..0xa0 => "ticks".to_owned(),
        tag => format!("tag {tag:#x}"),
    }
}

#[derive(Default)]
struct All {
    sections: Weights,
    encodings: Weights,
    metrics: Weights,
    samples: u64,
    bytes: u64,
}

fn weigh(sys: &Sys, path: &Path, all: &mut All) {
    let opened = Opened::open(sys, &FORMAT, path).unwrap();
    let footer = Footer::decode(&opened.footer).unwrap();
    let block = Block::open(sys, path).unwrap();
    all.samples += footer.samples;
    all.bytes += opened.bytes;
    all.sections.add("file", opened.bytes, opened.bytes as f64);
    let of_kind = |kind: Kind| {
        let mut listed = footer.sections.iter();
        listed.find(|one| one.kind == kind as u16).map(|one| one.at)
    };
    for kind in [Kind::Groups, Kind::Times, Kind::Metadata] {
        if let Some(at) = of_kind(kind) {
            all.sections.add(kind.name(), at.bytes, at.bytes as f64);
        }
    }
    let index = IndexRefs::decode(footer.index.as_slice().try_into().unwrap()).unwrap();
    let names = [
        "index: symbols",
        "index: names",
        "index: postings",
        "index: series",
    ];
    for (name, at) in names.into_iter().zip(index.section_refs()) {
        all.sections.add(name, at.bytes, at.bytes as f64);
    }
    let section = |kind| Section::new(std::sync::Arc::clone(&opened.file), of_kind(kind).unwrap());
    let (data, groups) = (section(Kind::Data), section(Kind::Groups));
    let entries = groups.get(0, groups.len() as usize).unwrap();
    let mut others = data.len();
    for entry in entries.chunks(ENTRY_BYTES) {
        let at = GroupAt::decode(entry).unwrap();
        others -= weigh_group(&data, &block, at, all);
    }
    all.sections
        .add("data: time columns", others, others as f64);
}

/// Says how many bytes of the section the group has.
fn weigh_group(data: &Section, block: &Block, at: GroupAt, all: &mut All) -> u64 {
    let mut unpacker = Unpacker::default();
    let mut bytes = Vec::new();
    let stored = data.get(at.at, at.stored as usize).unwrap();
    unpacker
        .unpack(&stored, at.bytes as usize, &mut bytes)
        .unwrap();
    let header = Header::decode(&bytes).unwrap();
    let name = "data: headers of groups";
    all.sections.add(name, at.bytes.into(), at.stored.into());
    let mut place = at.at + u64::from(at.stored);
    let names = ["values", "marks", "histograms", "exemplars"];
    for ((lane, kind), name) in header.lanes.iter().zip(LaneKind::ALL).zip(names) {
        // For each byte of the lane what it takes as it is stored, page by page.
        let mut unpacked = Vec::new();
        let mut shares = Vec::new();
        for &stored in &lane.pages {
            let left = lane.bytes() - unpacked.len() as u64;
            let length = left.min(PAGE_BYTES as u64);
            let packed = data.get(place, stored as usize).unwrap();
            unpacker
                .unpack(&packed, length as usize, &mut bytes)
                .unwrap();
            unpacked.extend_from_slice(&bytes);
            shares.push(f64::from(stored) / length as f64);
            place += u64::from(stored);
            all.sections
                .add(format!("data: {name}"), length, stored.into());
        }
        if kind == LaneKind::Values {
            weigh_values(block, at.first_row, &header, &unpacked, &shares, all);
        }
    }
    place - at.at
}

fn weigh_values(
    block: &Block,
    first_row: u32,
    header: &Header,
    bytes: &[u8],
    shares: &[f64],
    all: &mut All,
) {
    let lane = &header.lanes[LaneKind::Values as usize];
    let is_column =
        |row: &u32| header.kinds[(row - first_row) as usize].floats() == RowKind::COLUMN;
    let rows = (first_row..first_row + header.kinds.len() as u32).filter(is_column);
    let rows: Vec<u32> = rows.collect();
    let mut names = Vec::new();
    for &row in &rows {
        names.push(metric(block, row));
    }
    let mut rest = bytes;
    for (&length, name) in lane.pieces.iter().zip(names.iter().cycle()) {
        let at = bytes.len() - rest.len();
        let (piece, after) = rest.split_at(length as usize);
        rest = after;
        // A row may have fewer slices than others.
        if piece.is_empty() {
            continue;
        }
        let share = shares.get(at / PAGE_BYTES).copied().unwrap_or(0.0);
        let stored = f64::from(length) * share;
        all.encodings.add(encoding(piece), length.into(), stored);
        all.metrics.add(name, length.into(), stored);
    }
}

fn metric(block: &Block, row: u32) -> String {
    let texts = |index: &StoredIndex| {
        let mut pairs = Vec::new();
        index.symbols_of(row, &mut pairs)?;
        let text = |(name, value)| Ok((index.text(name)?, index.text(value)?));
        pairs.into_iter().map(text).collect()
    };
    let pairs: Vec<(String, String)> = block.with_index(texts).unwrap();
    let name = pairs.into_iter().find(|(name, _)| name == "__name__");
    name.map_or(String::new(), |(_, value)| value)
}

#[test]
#[ignore = "looks at blocks that are somewhere"]
fn blocks_are_weighed() {
    let dir = std::env::var("SILVERBACK_WEIGHED").unwrap();
    let sys = Sys::real();
    let mut all = All::default();
    for entry in sys.disk.list(Path::new(&dir)).unwrap() {
        if number_of(&entry).is_some() {
            weigh(&sys, &Path::new(&dir).join(&entry), &mut all);
        }
    }
    println!(
        "{:.4} bytes a sample",
        all.bytes as f64 / all.samples as f64
    );
    all.sections.print("Sections", 20, all.samples);
    all.encodings.print("Encodings", 40, all.samples);
    all.metrics.print("Metrics", 60, all.samples);
}
