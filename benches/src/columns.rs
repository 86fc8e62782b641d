//! The recorded values as they are, column by column, for what encodes columns.
//!
//! A load plays them in another order and sums counters up anew (`load`); a codec must see the
//! very bits that an exporter's text was parsed to.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{About, Error, Result};

/// The exporters of the recording.
const EXPORTERS: [&str; 3] = ["node", "prometheus", "victoriametrics"];

/// The columns of an exporter, in order of series.
pub type Target = Vec<Vec<f64>>;

/// Where the recording is: `SILVERBACK_DATA_DIR_RECORDING`, or beside the repository.
pub fn recording_dir() -> PathBuf {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    std::env::var_os("SILVERBACK_DATA_DIR_RECORDING")
        .map_or_else(|| PathBuf::from(beside), PathBuf::from)
}

/// Reads the columns of each exporter, every `every`th scrape of them.
///
/// # Errors
/// A file that is not there or is not what it should be; `every` of 0.
pub fn recorded(dir: &Path, every: usize) -> Result<Vec<Target>> {
    if every == 0 {
        return Err(Error::new("every 0th scrape is none"));
    }
    let targets = EXPORTERS.map(|name| target(dir, name, every));
    targets.into_iter().collect()
}

fn target(dir: &Path, name: &str, every: usize) -> Result<Target> {
    let path = dir.join(format!("{name}.series.txt"));
    let text = fs::read_to_string(&path).about(path.display())?;
    let names: Vec<&str> = text.lines().collect();
    let path = dir.join(format!("{name}.f64.zst"));
    let compressed = fs::read(&path).about(path.display())?;
    let bytes = zstd::decode_all(&compressed[..]).about(path.display())?;
    let (words, _) = bytes.as_chunks::<8>();
    let scrapes = words.len() / names.len().max(1);
    if scrapes == 0 || scrapes * names.len() * 8 != bytes.len() {
        return Err(Error::new(format!(
            "{}: {} bytes are no values of {} series",
            path.display(),
            bytes.len(),
            names.len()
        )));
    }
    let column = |words: &[[u8; 8]]| -> Vec<f64> {
        let every = words.iter().step_by(every);
        every.map(|word| f64::from_le_bytes(*word)).collect()
    };
    let mut columns: Vec<_> = names
        .iter()
        .zip(words.chunks(scrapes).map(column))
        .collect();
    columns.sort_by_key(|(name, _)| **name);
    Ok(columns.into_iter().map(|(_, column)| column).collect())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use silverback_storage::bench::{decode_values, decode_values_range, encode_values};

    use super::*;

    #[test]
    fn recorded_columns_come_back_to_the_bit() -> Result<()> {
        let dir = recording_dir();
        if !dir.is_dir() {
            // Not with a macro: what those print is shown of tests that fail alone.
            let mut stderr = std::io::stderr();
            let text = format!(
                "SKIPPED: recorded columns are not tested: no recording in {}; \
                 SILVERBACK_DATA_DIR_RECORDING names one\n",
                dir.display()
            );
            return stderr.write_all(text.as_bytes()).about("stderr");
        }
        let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        for every in [1, 15] {
            for (number, column) in recorded(&dir, every)?.iter().flatten().enumerate() {
                let mut bytes = Vec::new();
                let stats = encode_values(column, &mut bytes);
                assert_eq!(stats.count as usize, column.len());
                let mut out = vec![0.0; column.len()];
                decode_values(&bytes, &mut out).about(format!("column {number}"))?;
                assert_eq!(bits(&out), bits(column), "column {number}");
                let start = column.len() / 2 - 7;
                let part = &mut out[..50.min(column.len() - start)];
                decode_values_range(&bytes, column.len(), start, part)
                    .about(format!("column {number}"))?;
                assert_eq!(bits(part), bits(&column[start..start + part.len()]));
            }
        }
        Ok(())
    }

    #[test]
    fn what_is_no_recording_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let error = |every| recorded(dir.path(), every).unwrap_err().to_string();
        assert!(error(1).contains("node.series.txt"), "{}", error(1));
        assert!(error(0).contains("every 0th"));
        fs::write(dir.path().join("node.series.txt"), "up\ndown\n").unwrap();
        let nine = zstd::encode_all(&[0; 9][..], 1).unwrap();
        fs::write(dir.path().join("node.f64.zst"), nine).unwrap();
        assert!(error(1).contains("9 bytes"), "{}", error(1));
    }
}
