//! Reading mapped files whose bytes may go missing meanwhile.

use crate::sys::File;

/// Reads from `file` by `read`, and makes sure that it read what is in the file.
///
/// Bytes that a [`Section`](super::Section) handed out may turn to zeros under its reader, when
/// another program cuts the file. If that may have happened, `read` is called once more: its
/// bytes are then read by calls and each page is checked, so that it meets the error that names
/// what was lost, or succeeds if it needs none of that. So `read` begins anew at each call, gives
/// back nothing that borrows from the file, and has no effects that last.
///
/// Costs one look at the file's length and time (`fstat`) for a mapped file, nothing for others.
///
/// # Errors
/// Those of `read`.
pub fn guarded<T, E>(file: &dyn File, mut read: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    let was_mapped = !file.has_faults();
    let result = read();
    if was_mapped && file.look_for_faults() {
        return read();
    }
    result
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::path::Path;
    use std::sync::Arc;

    use super::super::{Bytes, FileWriter, PAGE_BYTES, Section, SectionError, SectionRef, guarded};
    use crate::sys::{Disk, File, RealDisk};

    fn write(path: &Path, bytes: &[u8]) -> SectionRef {
        let mut file = FileWriter::new(RealDisk::new().create_new(path).unwrap());
        let mut section = file.section();
        section.put(bytes).unwrap();
        let at = section.finish().unwrap();
        file.finish().unwrap();
        at
    }

    fn sum(section: &Section) -> Result<u64, SectionError> {
        let bytes = section.get(0, section.len() as usize)?;
        Ok(bytes.iter().map(|&byte| u64::from(byte)).sum())
    }

    #[test]
    fn bytes_that_turn_to_zeros_under_the_reader_are_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        // One page of memory: a cut within it gives no signal.
        let at = write(&path, &[3; 1000]);
        let disk = RealDisk::mapped();
        let file: Arc<dyn File> = Arc::from(disk.open_immutable(&path).unwrap());
        let section = Section::new(Arc::clone(&file), at);
        assert_eq!(guarded(&*file, || sum(&section)).unwrap(), 3000);

        let calls = Cell::new(0);
        let cut_and_sum = || {
            calls.set(calls.get() + 1);
            let bytes = section.get(0, 1000)?;
            // Between the check and the use.
            disk.open(&path).unwrap().set_len(500).unwrap();
            Ok(bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>())
        };
        let error: SectionError = guarded(&*file, cut_and_sum).unwrap_err();
        assert!(matches!(error, SectionError::Io { offset: 0, .. }));
        assert_eq!(calls.get(), 2);
        // Who comes later meets it at once.
        let error = guarded(&*file, cut_and_sum).unwrap_err();
        assert!(matches!(error, SectionError::Io { offset: 0, .. }));
        assert_eq!(calls.get(), 3);
    }

    #[test]
    fn a_page_of_a_map_is_checked_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let at = write(&path, &[3; 2 * PAGE_BYTES]);
        let disk = RealDisk::mapped();
        let harm = |byte| {
            let file = disk.open(&path).unwrap();
            file.write_all_at(&[byte], at.offset + 5).unwrap();
        };
        let section = || Section::new(Arc::from(disk.open_immutable(&path).unwrap()), at);
        let checked = section();
        checked.get(0, 10).unwrap();
        harm(4);
        // Not looked at again: that is what `guarded` is for.
        assert_eq!(*checked.get(0, 10).unwrap(), [3, 3, 3, 3, 3, 4, 3, 3, 3, 3]);
        let error = section().get(0, 10).unwrap_err();
        assert!(
            matches!(error, SectionError::Checksum { offset: 0 }),
            "{error}"
        );
        section().get(PAGE_BYTES as u64, 10).unwrap();
    }

    #[test]
    fn what_was_not_lost_goes_on_being_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let at = write(&path, &[3; PAGE_BYTES + 1000]);
        let disk = RealDisk::mapped();
        let file: Arc<dyn File> = Arc::from(disk.open_immutable(&path).unwrap());
        let section = Section::new(Arc::clone(&file), at);
        assert_eq!(sum(&section).unwrap(), 3 * (PAGE_BYTES as u64 + 1000));
        disk.open(&path)
            .unwrap()
            .set_len(PAGE_BYTES as u64 + 10)
            .unwrap();
        let first = || Ok::<_, SectionError>(section.get(0, 9)?.to_vec());
        assert_eq!(guarded(&*file, first).unwrap(), [3; 9]);
        let error = guarded(&*file, || sum(&section)).unwrap_err();
        assert!(matches!(error, SectionError::Io { .. }), "{error}");
    }
}
