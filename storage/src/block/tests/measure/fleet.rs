//! A fleet of targets that expose what was recorded of real exporters, none of them the same
//! values: what a column grows by is put in another order for each.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use roaring::RoaringBitmap;

use crate::index::stored::{IndexInput, InputRows};
use crate::model::{Labels, SymbolId};
use crate::sys::Sys;

const EXPORTERS: [&str; 3] = ["node", "prometheus", "victoriametrics"];
/// How many scrapes stay together. In how many bits ever, two targets' copies of a run begin at
/// different bits of a byte mostly, so that zstd does not find them.
const RUN: usize = 13;
/// Decimals that exporters print.
const DIGITS_MAX: i32 = 9;

struct Row {
    labels: Labels,
    target: u32,
    values: Vec<f64>,
}

/// Rows in the order of their labels.
pub(super) struct Fleet {
    rows: Vec<Row>,
    times: Vec<Vec<i64>>,
    texts: Vec<String>,
    symbols: Vec<Vec<(SymbolId, SymbolId)>>,
    postings: BTreeMap<SymbolId, BTreeMap<SymbolId, RoaringBitmap>>,
}

struct Recorded {
    name: String,
    values: Vec<f64>,
}

fn whole(sys: &Sys, path: &Path) -> Vec<u8> {
    let file = sys.disk.open_read(path).unwrap();
    let bytes = file.len().unwrap() as usize;
    file.bytes(0, bytes).unwrap().into_owned()
}

fn recorded(dir: &Path, exporter: &str, every: usize) -> Vec<Recorded> {
    let sys = Sys::real();
    let text = whole(&sys, &dir.join(format!("{exporter}.series.txt")));
    let text = String::from_utf8(text).unwrap();
    let names: Vec<&str> = text.lines().collect();
    let packed = whole(&sys, &dir.join(format!("{exporter}.f64.zst")));
    let bytes = zstd::bulk::decompress(&packed, 64 << 20).unwrap();
    let (words, _) = bytes.as_chunks::<8>();
    let columns = words.chunks(words.len() / names.len());
    let column = |(name, words): (&&str, &[[u8; 8]])| Recorded {
        name: (*name).to_owned(),
        values: words
            .iter()
            .step_by(every)
            .map(|word| f64::from_le_bytes(*word))
            .collect(),
    };
    names.iter().zip(columns).map(column).collect()
}

/// Labels from exposition syntax.
fn parse(series: &str, job: &str, instance: &str) -> Labels {
    let (name, rest) = series.split_once('{').unwrap_or((series, ""));
    let mut pairs = vec![
        ("__name__".to_owned(), name.to_owned()),
        ("instance".to_owned(), instance.to_owned()),
        ("job".to_owned(), job.to_owned()),
    ];
    let mut rest = rest;
    while let Some((label, after)) = rest.split_once("=\"") {
        let label = label.trim_start_matches(',').to_owned();
        let mut value = String::new();
        let mut chars = after.char_indices();
        let mut end = after.len();
        while let Some((at, char)) = chars.next() {
            match char {
                '"' => {
                    end = at + 1;
                    break;
                }
                '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
                other => value.push(other),
            }
        }
        rest = &after[end..];
        pairs.push((label, value));
    }
    pairs.sort();
    pairs.dedup_by(|a, b| a.0 == b.0);
    Labels::from_pairs(pairs.iter().map(|(a, b)| (a.as_str(), b.as_str()))).unwrap()
}

/// The smallest power of ten that makes integers of all values.
fn power(values: &[f64]) -> Option<f64> {
    (0..=DIGITS_MAX)
        .map(|digits| 10f64.powi(digits))
        .find(|power| {
            values.iter().all(|value| {
                let scaled = (value * power).round();
                scaled.abs() < 1e15 && (scaled / power).to_bits() == value.to_bits()
            })
        })
}

/// As many values as are wanted, of what was recorded in another order.
fn shuffled(recorded: &[f64], count: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut below = |end: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % end as u64) as usize
    };
    let Some(power) = power(recorded) else {
        let runs: Vec<&[f64]> = recorded.chunks(RUN).collect();
        let any = std::iter::repeat_with(|| runs[below(runs.len())]).flatten();
        return any.copied().take(count).collect();
    };
    let integers: Vec<i64> = recorded
        .iter()
        .map(|value| (value * power).round() as i64)
        .collect();
    let steps: Vec<i64> = integers.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let runs: Vec<&[i64]> = steps.chunks(RUN).collect();
    let any = std::iter::repeat_with(|| runs[below(runs.len())]).flatten();
    let changes = steps.iter().any(|&step| step != 0);
    let mut sum = integers[0] + if changes { (seed % 50) as i64 } else { 0 };
    any.take(count)
        .map(|step| {
            sum += step;
            sum as f64 / power
        })
        .collect()
}

impl Fleet {
    /// So many targets, of each so many scrapes, of every `every`th one that was recorded.
    pub(super) fn new(targets: u32, scrapes: usize, every: usize) -> Self {
        let dir = std::env::var_os("SILVERBACK_DATA_DIR_RECORDING").map_or_else(
            || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")),
            PathBuf::from,
        );
        let kinds = EXPORTERS.map(|exporter| recorded(&dir, exporter, every));
        let mut rows = Vec::new();
        for target in 0..targets {
            let kind = target as usize % 3;
            let instance = format!("10.0.{}.{}:9100", target / 256, target % 256);
            for (number, series) in kinds[kind].iter().enumerate() {
                let seed = (u64::from(target) << 32) + number as u64 + 1;
                rows.push(Row {
                    labels: parse(&series.name, EXPORTERS[kind], &instance),
                    target,
                    values: shuffled(&series.values, scrapes, seed),
                });
            }
        }
        rows.sort_by(|a, b| a.labels.cmp(&b.labels));
        let jitter = whole(&Sys::real(), &dir.join("jitter_ms.i32"));
        let (jitter, _) = jitter.as_chunks::<4>();
        let time = |target: usize, scrape: usize| {
            let jitter = i32::from_le_bytes(jitter[(scrape + target * 37) % jitter.len()]);
            1_700_000_000_000
                + 15_000 * scrape as i64
                + 431 * target as i64 % 15_000
                + i64::from(jitter)
        };
        let times = (0..targets as usize)
            .map(|target| (0..scrapes).map(|scrape| time(target, scrape)).collect())
            .collect();
        Self::indexed(rows, times)
    }

    fn indexed(rows: Vec<Row>, times: Vec<Vec<i64>>) -> Self {
        let texts = rows
            .iter()
            .flat_map(|row| row.labels.iter().flat_map(|(a, b)| [a, b]));
        let texts: std::collections::BTreeSet<&str> = texts.collect();
        let texts: Vec<String> = texts.into_iter().map(str::to_owned).collect();
        let symbol = |text: &str| {
            let place = texts.binary_search_by(|other| other.as_str().cmp(text));
            SymbolId(place.unwrap() as u32)
        };
        let mut postings: BTreeMap<_, BTreeMap<_, RoaringBitmap>> = BTreeMap::new();
        let mut symbols = Vec::new();
        for (number, row) in (0u32..).zip(&rows) {
            let pairs = row
                .labels
                .iter()
                .map(|(name, value)| (symbol(name), symbol(value)));
            let pairs: Vec<_> = pairs.collect();
            for &(name, value) in &pairs {
                postings
                    .entry(name)
                    .or_default()
                    .entry(value)
                    .or_default()
                    .insert(number);
            }
            symbols.push(pairs);
        }
        Self {
            rows,
            times,
            texts,
            symbols,
            postings,
        }
    }

    pub(super) fn rows(&self) -> u32 {
        self.rows.len() as u32
    }

    pub(super) fn target(&self, row: u32) -> u32 {
        self.rows[row as usize].target
    }

    /// Timestamps and values.
    pub(super) fn row(&self, row: u32) -> (&[i64], &[f64]) {
        let row = &self.rows[row as usize];
        (&self.times[row.target as usize], &row.values)
    }

    pub(super) fn is_constant(&self, row: u32) -> bool {
        let values = &self.rows[row as usize].values;
        values
            .iter()
            .all(|value| value.to_bits() == values[0].to_bits())
    }
}

impl IndexInput for Fleet {
    fn symbols_end(&self) -> u32 {
        self.texts.len() as u32
    }

    fn for_each_symbol(
        &self,
        each: &mut dyn FnMut(SymbolId, &str) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut symbols = (0..).map(SymbolId).zip(&self.texts);
        symbols.try_for_each(|(symbol, text)| each(symbol, text))
    }

    fn rows(&self) -> u32 {
        self.rows.len() as u32
    }

    fn all(&self) -> io::Result<Cow<'_, RoaringBitmap>> {
        Ok(Cow::Owned((0..self.rows.len() as u32).collect()))
    }

    fn labels(&self, row: u32, out: &mut Vec<(SymbolId, SymbolId)>) -> io::Result<()> {
        out.extend(&self.symbols[row as usize]);
        Ok(())
    }

    fn names(&self) -> io::Result<Vec<SymbolId>> {
        Ok(self.postings.keys().copied().collect())
    }

    fn values(&self, name: SymbolId) -> io::Result<Vec<SymbolId>> {
        Ok(self.postings[&name].keys().copied().collect())
    }

    fn present(&self, name: SymbolId) -> io::Result<Cow<'_, RoaringBitmap>> {
        let rows = self.postings[&name].values().flatten();
        Ok(Cow::Owned(rows.collect()))
    }

    fn postings(&self, name: SymbolId, value: SymbolId) -> io::Result<InputRows<'_>> {
        let rows = &self.postings[&name][&value];
        Ok(match rows.len() {
            1 => InputRows::One(rows.min().unwrap()),
            _ => InputRows::Many(Cow::Borrowed(rows)),
        })
    }
}
