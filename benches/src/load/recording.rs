//! The recording of real exporters that fleets are made from.
//!
//! A directory with, for each exporter, `<exporter>.series.txt` (one series a line, in exposition
//! syntax) and `<exporter>.f64.zst` (zstd of little-endian f64, `[series][scrape]`, series in the
//! order of the text file), and `jitter_ms.i32` (little-endian i32 per scrape: how late it was
//! against the whole second).

use std::fs;
use std::path::Path;

use super::Labels;
use super::column::Column;
use crate::error::{About, Error, Result};

/// The exporters of a recording, and how many of 100 targets of a fleet are of that kind.
pub(super) const SHARES: [(&str, usize); 3] =
    [("node", 70), ("prometheus", 15), ("victoriametrics", 15)];

/// What one exporter exposed.
#[derive(Debug)]
pub struct Exporter {
    /// Its name, which is the job of its targets.
    pub(crate) name: String,
    /// How many of 100 targets are of this kind.
    pub(crate) share: usize,
    /// The labels of each series, the name under `__name__`, as the exporter wrote them.
    pub(crate) series: Vec<Labels>,
    /// The values of each series.
    pub(crate) columns: Vec<Column>,
}

/// All exporters, and when they were scraped.
#[derive(Debug)]
pub struct Recording {
    pub(crate) exporters: Vec<Exporter>,
    /// For each scrape how late it was, in milliseconds.
    pub(crate) jitter_ms: Vec<i32>,
}

impl Recording {
    /// Reads a recording. Of its scrapes it takes each `every`th: 1 for all of them, 15 to see of
    /// a recording of one scrape a second what a 15-second interval sees.
    ///
    /// # Errors
    /// A file that is not there, is not what it should be, or disagrees with another about how
    /// many scrapes there are; `every` of 0 or beyond half of the recording.
    pub fn read(dir: &Path, every: usize) -> Result<Self> {
        if !dir.is_dir() {
            return Err(Error::new(format!(
                "no recording of exporters in {}: name its directory with --recording or \
                 SILVERBACK_DATA_DIR_RECORDING, or make numbers up with --synthetic",
                dir.display()
            )));
        }
        let path = dir.join("jitter_ms.i32");
        let bytes = fs::read(&path).about(path.display())?;
        let jitter_ms: Vec<i32> = words(&bytes).map(i32::from_le_bytes).collect();
        let scrapes = jitter_ms.len();
        if every == 0 || scrapes / every < 2 {
            return Err(Error::new(format!(
                "every {every}th of {scrapes} recorded scrapes is no recording"
            )));
        }
        let exporters =
            SHARES.map(|(name, share)| Exporter::read(dir, name, share, scrapes, every));
        Ok(Self {
            exporters: exporters.into_iter().collect::<Result<_>>()?,
            jitter_ms: jitter_ms.into_iter().step_by(every).collect(),
        })
    }
}

impl Exporter {
    fn read(dir: &Path, name: &str, share: usize, scrapes: usize, every: usize) -> Result<Self> {
        let path = dir.join(format!("{name}.series.txt"));
        let text = fs::read_to_string(&path).about(path.display())?;
        let parsed = text.lines().enumerate().map(|(number, line)| {
            parse_series(line).ok_or_else(|| {
                let place = format!("{}:{}", path.display(), number + 1);
                Error::new(format!(
                    "{place}: not a series in exposition syntax: {line}"
                ))
            })
        });
        let series: Vec<Labels> = parsed.collect::<Result<_>>()?;

        let path = dir.join(format!("{name}.f64.zst"));
        let compressed = fs::read(&path).about(path.display())?;
        let bytes = zstd::decode_all(&compressed[..]).about(path.display())?;
        let expected = series.len() * scrapes * size_of::<f64>();
        if bytes.len() != expected {
            return Err(Error::new(format!(
                "{}: {} bytes where {} series of {scrapes} scrapes have {expected}",
                path.display(),
                bytes.len(),
                series.len()
            )));
        }
        let column = |bytes: &[u8]| {
            let values = words(bytes).map(f64::from_le_bytes).step_by(every);
            Column::new(&values.collect::<Vec<_>>())
        };
        Ok(Self {
            name: name.to_owned(),
            share,
            series,
            columns: bytes
                .chunks(scrapes * size_of::<f64>())
                .map(column)
                .collect(),
        })
    }
}

/// The value of `__name__`; empty where there is none.
pub(crate) fn metric_name(labels: &Labels) -> &str {
    let found = labels.iter().find(|(name, _)| name == "__name__");
    found.map_or("", |(_, value)| value)
}

/// The bytes in words; what is left over at the end is not looked at.
fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks().0.iter().copied()
}

/// The labels of `name{label="value",...}`, or nothing where it is not that.
fn parse_series(line: &str) -> Option<Labels> {
    let (name, mut rest) = match line.split_once('{') {
        Some((name, rest)) => (name, rest.strip_suffix('}')?),
        None => (line, ""),
    };
    if name.is_empty() || name.contains(char::is_whitespace) {
        return None;
    }
    let mut labels = vec![("__name__".to_owned(), name.to_owned())];
    while !rest.is_empty() {
        let (label, quoted) = rest.split_once("=\"")?;
        let (value, after) = unquote(quoted)?;
        labels.push((label.to_owned(), value));
        rest = match after.strip_prefix(',') {
            Some(more) => more,
            None if after.is_empty() => after,
            None => return None,
        };
    }
    Some(labels)
}

/// A label value up to its closing quote, and what follows the quote.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                escaped @ ('\\' | '"') => value.push(escaped),
                _ => return None,
            },
            _ => value.push(c),
        }
    }
    None
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::rng::Rng;

    /// Writes a small recording: for each exporter two counters (one of decimals), a gauge and a
    /// constant, no two exporters with the same numbers.
    pub(crate) fn write(dir: &Path, scrapes: usize) {
        let jitter: Vec<i32> = (0..scrapes as i32).map(|i| i % 7).collect();
        let bytes: Vec<u8> = jitter.iter().flat_map(|j| j.to_le_bytes()).collect();
        fs::write(dir.join("jitter_ms.i32"), bytes).unwrap();
        for (number, (name, _)) in SHARES.iter().enumerate() {
            let names = "requests_total{code=\"200\"}\nbusy_seconds_total\n\
                         temperature{sensor=\"a\\\"b\"}\nlimit\n";
            fs::write(dir.join(format!("{name}.series.txt")), names).unwrap();
            let mut rng = Rng::new(1, number as u64);
            let (mut requests, mut busy) = (1_000, 0);
            let mut columns = vec![Vec::new(); 4];
            for _ in 0..scrapes {
                requests += rng.below(20);
                busy += rng.below(13);
                columns[0].push(requests as f64);
                columns[1].push(busy as f64 / 100.0);
                columns[2].push(rng.below(30) as f64 + 0.5);
                columns[3].push(42.0);
            }
            let values = columns.concat();
            let bytes: Vec<u8> = values.iter().flat_map(|v: &f64| v.to_le_bytes()).collect();
            let compressed = zstd::encode_all(&bytes[..], 1).unwrap();
            fs::write(dir.join(format!("{name}.f64.zst")), compressed).unwrap();
        }
    }

    #[test]
    fn series_are_parsed() {
        let labels = |line: &str| {
            let labels = parse_series(line)?;
            let pairs = labels.iter().map(|(name, value)| format!("{name}={value}"));
            Some(pairs.collect::<Vec<_>>().join("|"))
        };
        assert_eq!(labels("up").as_deref(), Some("__name__=up"));
        assert_eq!(
            labels(r#"a{b="c",d="\"}\\\n,"}"#).as_deref(),
            Some("__name__=a|b=c|d=\"}\\\n,")
        );
        for wrong in [
            "",
            "{a=\"b\"}",
            "a{b=\"c\"",
            "a{b=c}",
            "a{b=\"c\"d=\"e\"}",
            "a b",
            r#"a{b="\x"}"#,
        ] {
            assert_eq!(labels(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_recording_is_read_or_refused() -> Result<()> {
        let dir = tempfile::tempdir().about("temporary directory")?;
        let error = |every| Recording::read(dir.path(), every).unwrap_err().to_string();
        assert!(error(1).contains("jitter_ms.i32"), "{}", error(1));
        write(dir.path(), 60);
        let recording = Recording::read(dir.path(), 15)?;
        assert_eq!(recording.jitter_ms, [0, 1, 2, 3]);
        assert_eq!(recording.exporters[2].series[2][1].1, "a\"b");
        assert!(error(0).contains("every 0th"));
        assert!(error(31).contains("every 31th"));
        fs::write(dir.path().join("node.series.txt"), "up\n").unwrap();
        assert!(
            error(1).contains("node.f64.zst: 1920 bytes where 1 series"),
            "{}",
            error(1)
        );
        let nowhere = Recording::read(&dir.path().join("x"), 1).unwrap_err();
        assert!(nowhere.to_string().contains("--recording"));
        Ok(())
    }
}
