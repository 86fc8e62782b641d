//! Memory of requests, used again by later ones.

use std::mem;

use parking_lot::Mutex;
use silverback_storage::WriteBatch;

/// How many sets of buffers are kept: more requests than this at once allocate.
const KEPT_MAX: usize = 16;
/// Buffers of requests larger than this are given back to the system, in bytes.
const KEPT_BYTES_MAX: usize = 4 << 20;
/// The same for the batch, in samples.
const KEPT_SAMPLES_MAX: usize = 64 << 10;

/// The buffers of one request.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Memory to decompress into; it has what the longest body so far took.
    pub(super) decoded: Vec<u8>,
    /// What the body says.
    pub(super) batch: WriteBatch,
    /// What the rows of the batch take in memory, about, in bytes.
    pub(super) row_bytes: usize,
}

/// Buffers that no request is using.
#[derive(Debug, Default)]
pub(crate) struct ScratchPool(Mutex<Vec<Scratch>>);

impl ScratchPool {
    /// Lends buffers to `work`; the batch is empty.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Scratch) -> T) -> T {
        let mut scratch = self.0.lock().pop().unwrap_or_default();
        let result = work(&mut scratch);
        // Rows may be longer than their body: in 2.0 one string in it is a label of many series.
        let is_large = scratch.decoded.len() > KEPT_BYTES_MAX
            || scratch.row_bytes > KEPT_BYTES_MAX
            || scratch.batch.sample_count() > KEPT_SAMPLES_MAX;
        if is_large {
            scratch = Scratch::default();
        }
        scratch.batch.clear();
        scratch.row_bytes = 0;
        let mut pool = self.0.lock();
        if pool.len() < KEPT_MAX {
            pool.push(mem::take(&mut scratch));
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_come_back_empty_and_large_ones_do_not() {
        let pool = ScratchPool::default();
        pool.with(|scratch| {
            scratch.decoded.resize(100, 1);
            let up = scratch.batch.series(&[("__name__", "up")]).unwrap();
            scratch.batch.float(up, 1, 1.0);
        });
        pool.with(|scratch| {
            assert_eq!(scratch.decoded.len(), 100);
            assert!(scratch.batch.is_empty());
            scratch.decoded.resize(KEPT_BYTES_MAX + 1, 1);
        });
        pool.with(|scratch| {
            assert_eq!(scratch.decoded.capacity(), 0);
            scratch.decoded.resize(100, 1);
            scratch.row_bytes = KEPT_BYTES_MAX + 1;
        });
        pool.with(|scratch| assert_eq!((scratch.decoded.capacity(), scratch.row_bytes), (0, 0)));
    }
}
