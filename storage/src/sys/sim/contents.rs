//! The bytes of one simulated file: those that are durable and those that are not yet.

/// A disk writes a sector whole or not at all.
const SECTOR_BYTES: u64 = 512;

/// Bytes up to a length; those past the end of `bytes` are 0, so that room costs no memory.
#[derive(Clone, Debug, Default)]
struct Image {
    bytes: Vec<u8>,
    len: u64,
}

impl Image {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> usize {
        let count = self.len.saturating_sub(offset).min(buf.len() as u64) as usize;
        let buf = &mut buf[..count];
        buf.fill(0);
        if let Some(stored) = self.bytes.get(offset as usize..) {
            let stored = &stored[..stored.len().min(count)];
            buf[..stored.len()].copy_from_slice(stored);
        }
        count
    }

    /// Puts bytes in place without a change of length: they may lie past the end until a
    /// change of length reaches them.
    fn put(&mut self, data: &[u8], offset: u64) {
        let start = offset as usize;
        let end = start + data.len();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[start..end].copy_from_slice(data);
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Sector { offset, data } => self.put(data, *offset),
            Change::Grow(len) => self.len = self.len.max(*len),
            Change::SetLen(len) => {
                self.bytes.truncate(*len as usize);
                self.len = *len;
            }
        }
    }

    /// Drops the bytes past the end.
    fn clip(&mut self) {
        self.bytes.truncate(self.len as usize);
    }
}

/// A change not yet durable; it persists as a whole or not at all.
#[derive(Clone, Debug)]
enum Change {
    /// Bytes within one sector.
    Sector { offset: u64, data: Vec<u8> },
    /// The length is at least this.
    Grow(u64),
    /// The length is this, and what lay beyond is gone.
    SetLen(u64),
}

/// A file: what survives a crash for certain, what a reader sees, and the changes between.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    durable: Image,
    volatile: Image,
    pending: Vec<Change>,
}

impl Contents {
    pub(super) fn len(&self) -> u64 {
        self.volatile.len
    }

    pub(super) fn read_at(&self, buf: &mut [u8], offset: u64) -> usize {
        self.volatile.read_at(buf, offset)
    }

    /// Writes the sectors that `keep` says yes to (given where in the file they end).
    pub(super) fn write(&mut self, data: &[u8], offset: u64, mut keep: impl FnMut(u64) -> bool) {
        let mut at = offset;
        let mut rest = data;
        while !rest.is_empty() {
            let room = SECTOR_BYTES - at % SECTOR_BYTES;
            let (piece, after) = rest.split_at(rest.len().min(room as usize));
            let end = at + piece.len() as u64;
            if keep(end) {
                self.change(Change::Grow(end));
                self.change(Change::Sector {
                    offset: at,
                    data: piece.to_owned(),
                });
            }
            at = end;
            rest = after;
        }
    }

    pub(super) fn grow(&mut self, len: u64) {
        self.change(Change::Grow(len));
    }

    pub(super) fn set_len(&mut self, len: u64) {
        self.change(Change::SetLen(len));
    }

    fn change(&mut self, change: Change) {
        if let Change::Grow(len) = change
            && len <= self.volatile.len
        {
            return;
        }
        self.volatile.apply(&change);
        self.pending.push(change);
    }

    /// Everything becomes durable.
    pub(super) fn sync(&mut self) {
        self.persist(|| true);
    }

    /// A sync that fails, as on Linux: of the pending sectors those become durable that `keep`
    /// says yes to; the others are forgotten: a reader still sees them, but no later sync makes
    /// them durable. Lengths are kept by the journal and stay pending.
    pub(super) fn fail_sync(&mut self, mut keep: impl FnMut() -> bool) {
        let durable = &mut self.durable;
        self.pending.retain(|change| {
            let is_sector = matches!(change, Change::Sector { .. });
            if is_sector && keep() {
                durable.apply(change);
            }
            !is_sector
        });
    }

    fn persist(&mut self, mut keep: impl FnMut() -> bool) {
        for change in self.pending.drain(..) {
            if keep() {
                self.durable.apply(&change);
            }
        }
        self.durable.clip();
    }

    /// A crash: of the pending changes those persist that `keep` says yes to, and only what is
    /// durable is left.
    pub(super) fn crash(&mut self, keep: impl FnMut() -> bool) {
        self.persist(keep);
        self.volatile = self.durable.clone();
    }

    /// Flips a bit wherever the byte is kept: damage to the medium, seen by every reader.
    pub(super) fn flip_bit(&mut self, bit: u64) {
        let (at, mask) = (bit / 8, 1 << (bit % 8));
        for image in [&mut self.durable, &mut self.volatile] {
            let mut byte = [0];
            if image.read_at(&mut byte, at) == 1 {
                image.put(&[byte[0] ^ mask], at);
            }
        }
        for change in &mut self.pending {
            if let Change::Sector { offset, data } = change
                && let Some(index) = at.checked_sub(*offset)
                && let Some(byte) = data.get_mut(index as usize)
            {
                *byte ^= mask;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(contents: &Contents) -> Vec<u8> {
        let mut buf = vec![0xaa; contents.len() as usize];
        assert_eq!(contents.read_at(&mut buf, 0), buf.len());
        buf
    }

    #[test]
    fn a_sector_persists_without_the_one_before() {
        let mut contents = Contents::default();
        contents.set_len(1500);
        contents.sync();
        contents.write(&[7; 1200], 100, |_| true);
        let mut answers = [false, true, false].into_iter();
        contents.crash(|| answers.next().unwrap());
        let mut want = vec![0; 1500];
        want[512..1024].fill(7);
        assert_eq!(seen(&contents), want);
    }

    #[test]
    fn a_sector_past_the_end_shows_when_a_later_length_persists() {
        let mut contents = Contents::default();
        contents.write(b"abc", 0, |_| true);
        contents.write(b"def", 3, |_| true);
        // Grow(3) lost, "abc" kept, Grow(6) kept, "def" lost.
        let mut answers = [false, true, true, false].into_iter();
        contents.crash(|| answers.next().unwrap());
        assert_eq!(seen(&contents), b"abc\0\0\0");
    }

    #[test]
    fn what_a_failed_sync_forgot_stays_lost() {
        let mut contents = Contents::default();
        contents.write(b"old", 0, |_| true);
        contents.sync();
        contents.write(b"new", 0, |_| true);
        contents.set_len(2);
        contents.fail_sync(|| false);
        assert_eq!(seen(&contents), b"ne");
        contents.sync();
        contents.crash(|| true);
        assert_eq!(seen(&contents), b"ol");
    }

    #[test]
    fn a_cut_that_is_lost_brings_the_tail_back() {
        let mut contents = Contents::default();
        contents.write(b"abcdef", 0, |_| true);
        contents.sync();
        contents.set_len(2);
        contents.grow(4);
        assert_eq!(seen(&contents), b"ab\0\0");
        let mut kept = contents.clone();
        contents.crash(|| false);
        assert_eq!(seen(&contents), b"abcdef");
        kept.crash(|| true);
        assert_eq!(seen(&kept), b"ab\0\0");
    }

    #[test]
    fn a_flipped_bit_survives_the_sync_of_its_sector() {
        let mut contents = Contents::default();
        contents.write(&[0; 4], 510, |_| true);
        contents.flip_bit(511 * 8 + 3);
        contents.sync();
        contents.crash(|| true);
        assert_eq!(seen(&contents)[511], 8);
    }
}
