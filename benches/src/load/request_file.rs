//! Requests in a file, ready to send: eight bytes that name the format, then per request two
//! little-endian u32 (its samples, its length in bytes) and its bytes.

use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use crate::error::{About, Error, Result};

const MAGIC: &[u8; 8] = b"sb-reqs1";

/// Longest request, in bytes: Prometheus takes 32 MiB.
const REQUEST_BYTES_MAX: u32 = 32 << 20;

/// Room for about ten requests, so that neither side makes a system call per request.
const BUFFER_BYTES: usize = 512 << 10;

/// What a file holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) requests: u64,
    pub(crate) samples: u64,
    /// Bytes of the requests' bodies, compressed.
    pub(crate) bytes: u64,
}

/// Writes requests to a new file.
#[derive(Debug)]
pub(crate) struct RequestWriter {
    file: BufWriter<File>,
    path: PathBuf,
    totals: Totals,
}

impl RequestWriter {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file = File::create_new(path).about(path.display())?;
        let mut file = BufWriter::with_capacity(BUFFER_BYTES, file);
        file.write_all(MAGIC).about(path.display())?;
        Ok(Self {
            file,
            path: path.to_owned(),
            totals: Totals::default(),
        })
    }

    /// Adds a request.
    ///
    /// # Errors
    /// One that is longer than 32 MiB; those of the file.
    pub(crate) fn append(&mut self, samples: usize, body: &[u8]) -> Result<()> {
        let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let Some(count) = u32::try_from(samples)
            .ok()
            .filter(|_| len <= REQUEST_BYTES_MAX)
        else {
            let (bytes, max) = (body.len(), REQUEST_BYTES_MAX);
            return Err(Error::new(format!(
                "a request of {samples} samples has {bytes} bytes, above {max}"
            )));
        };
        let head = [count.to_le_bytes(), len.to_le_bytes()].concat();
        self.file.write_all(&head).about(self.path.display())?;
        self.file.write_all(body).about(self.path.display())?;
        self.totals.requests += 1;
        self.totals.samples += samples as u64;
        self.totals.bytes += u64::from(len);
        Ok(())
    }

    pub(crate) fn flush(&mut self) -> Result<()> {
        self.file.flush().about(self.path.display())
    }

    /// What was written so far.
    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }
}

/// Reads them again.
#[derive(Debug)]
pub(crate) struct RequestReader {
    file: BufReader<File>,
    path: PathBuf,
}

impl RequestReader {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).about(path.display())?;
        let mut reader = Self {
            file: BufReader::with_capacity(BUFFER_BYTES, file),
            path: path.to_owned(),
        };
        let mut magic = [0; MAGIC.len()];
        reader.file.read_exact(&mut magic).about(path.display())?;
        if magic == *MAGIC {
            Ok(reader)
        } else {
            Err(reader.wrong("not a file of requests"))
        }
    }

    /// Puts the next request in place of what is in `body` and returns how many samples it has;
    /// nothing at the end.
    ///
    /// # Errors
    /// A file that ends within a request; those of the file.
    pub(crate) fn next(&mut self, body: &mut Vec<u8>) -> Result<Option<usize>> {
        let mut head = [[0; 4]; 2];
        // An end here is the end; after the first byte it is a cut.
        match self.file.read(&mut head[0][..1]) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => return self.next(body),
            Err(error) => return Err(error).about(self.path.display()),
        }
        self.fill(&mut head[0][1..])?;
        self.fill(&mut head[1])?;
        let [samples, len] = head.map(u32::from_le_bytes);
        if len > REQUEST_BYTES_MAX {
            return Err(self.wrong(&format!("a request of {len} bytes")));
        }
        body.resize(len as usize, 0);
        self.fill(body)?;
        Ok(Some(samples as usize))
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.file.read_exact(bytes).about(self.path.display())
    }

    fn wrong(&self, what: &str) -> Error {
        Error::new(format!("{}: {what}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_was_cut_is_not_taken_for_a_short_one() -> Result<()> {
        let dir = tempfile::tempdir().about("temporary directory")?;
        let path = dir.path().join("requests");
        let mut writer = RequestWriter::create(&path)?;
        writer.append(3, b"first")?;
        writer.append(1, b"")?;
        writer.flush()?;
        let whole = fs::read(&path).about("read")?;
        let mut ends = Vec::new();
        for len in 0..=whole.len() {
            fs::write(&path, &whole[..len]).about("write")?;
            let mut body = Vec::new();
            let Ok(mut reader) = RequestReader::open(&path) else {
                assert!(len < MAGIC.len());
                continue;
            };
            let end = loop {
                match reader.next(&mut body) {
                    Ok(Some(_)) => {}
                    Ok(None) => break true,
                    Err(_) => break false,
                }
            };
            if end {
                ends.push(len);
            }
        }
        assert_eq!(ends, [8, 21, 29]);
        fs::write(&path, b"something else").about("write")?;
        assert!(RequestReader::open(&path).is_err());
        let error = writer.append(1, &vec![0; (32 << 20) + 1]).unwrap_err();
        assert!(error.to_string().contains("33554433 bytes"), "{error}");
        Ok(())
    }
}
