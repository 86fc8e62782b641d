//! Requests in a file, ready to send: eight bytes that name the format, then per request three
//! little-endian u32 (its samples, its length in bytes, how many patches it has), its bytes, and
//! for each patch its place (u32), its index (u8) and its timestamp (i64): see `movable`.

use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use super::movable::Patch;
use crate::error::{About, Error, Result};

const MAGIC: &[u8; 8] = b"sb-reqs2";

/// Longest request, in bytes: Prometheus takes 32 MiB.
const REQUEST_BYTES_MAX: u32 = 32 << 20;

/// Length of a patch in the file.
const PATCH_BYTES: usize = 13;

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
    pub(crate) fn append(&mut self, samples: usize, body: &[u8], patches: &[Patch]) -> Result<()> {
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
        let patch_count = patches.len() as u32;
        let head = [count, len, patch_count].map(u32::to_le_bytes).concat();
        self.file.write_all(&head).about(self.path.display())?;
        self.file.write_all(body).about(self.path.display())?;
        for patch in patches {
            let mut bytes = patch.at.to_le_bytes().to_vec();
            bytes.push(patch.index);
            bytes.extend_from_slice(&patch.timestamp_ms.to_le_bytes());
            self.file.write_all(&bytes).about(self.path.display())?;
        }
        self.totals.requests += 1;
        self.totals.samples += samples as u64;
        self.totals.bytes += u64::from(len);
        Ok(())
    }

    /// Puts all on the disk, so that the system does not come to it in the middle of a run.
    pub(crate) fn flush(&mut self) -> Result<()> {
        let flushed = self.file.flush();
        let synced = flushed.and_then(|()| self.file.get_ref().sync_all());
        synced.about(self.path.display())
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
    patches: Vec<u8>,
}

impl RequestReader {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).about(path.display())?;
        let mut reader = Self {
            file: BufReader::with_capacity(BUFFER_BYTES, file),
            path: path.to_owned(),
            patches: Vec::new(),
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
        self.next_moved(body, 0)
    }

    /// The same, its samples `shift_ms` later than they were written.
    ///
    /// # Errors
    /// As [`RequestReader::next`]; a request that was not written to be moved.
    pub(crate) fn next_moved(
        &mut self,
        body: &mut Vec<u8>,
        shift_ms: i64,
    ) -> Result<Option<usize>> {
        let mut head = [[0; 4]; 3];
        // An end here is the end; after the first byte it is a cut.
        match self.file.read(&mut head[0][..1]) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                return self.next_moved(body, shift_ms);
            }
            Err(error) => return Err(error).about(self.path.display()),
        }
        self.fill(&mut head[0][1..])?;
        self.fill(&mut head[1])?;
        self.fill(&mut head[2])?;
        let [samples, len, patches] = head.map(u32::from_le_bytes);
        if len > REQUEST_BYTES_MAX || patches > REQUEST_BYTES_MAX {
            return Err(self.wrong(&format!("a request of {len} bytes, {patches} patches")));
        }
        body.resize(len as usize, 0);
        self.fill(body)?;
        self.patch(body, patches as usize, shift_ms)?;
        Ok(Some(samples as usize))
    }

    fn patch(&mut self, body: &mut [u8], count: usize, shift_ms: i64) -> Result<()> {
        let mut bytes = std::mem::take(&mut self.patches);
        bytes.resize(count * PATCH_BYTES, 0);
        self.fill(&mut bytes)?;
        if shift_ms != 0 && count == 0 && !body.is_empty() {
            return Err(self.wrong("requests that cannot be moved"));
        }
        for patch in bytes.as_chunks::<PATCH_BYTES>().0 {
            let [a, b, c, d, index, stamp @ ..] = *patch;
            let patch = Patch {
                at: u32::from_le_bytes([a, b, c, d]),
                index,
                timestamp_ms: i64::from_le_bytes(stamp),
            };
            if shift_ms != 0 {
                patch.apply(body, shift_ms)?;
            }
        }
        self.patches = bytes;
        Ok(())
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
        writer.append(3, b"first", &[])?;
        let patch = Patch {
            at: 2,
            index: 0,
            timestamp_ms: 1_700_000_000_000,
        };
        writer.append(1, b"later", &[patch])?;
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
        assert_eq!(ends, [8, 25, 55]);
        fs::write(&path, &whole).about("write")?;
        let mut body = Vec::new();
        let moved = RequestReader::open(&path)?.next_moved(&mut body, 1);
        assert!(moved.unwrap_err().to_string().contains("cannot be moved"));
        let mut reader = RequestReader::open(&path)?;
        reader.next(&mut body)?;
        reader.next_moved(&mut body, 1)?;
        assert_eq!(body, b"la\x81er");
        fs::write(&path, b"something else").about("write")?;
        assert!(RequestReader::open(&path).is_err());
        let error = writer.append(1, &vec![0; (32 << 20) + 1], &[]).unwrap_err();
        assert!(error.to_string().contains("33554433 bytes"), "{error}");
        Ok(())
    }
}
