use super::*;
use crate::head::Head;
use crate::maintenance::flush::write_segment;
use crate::model::Seq;
use crate::sys::sim::SimDisk;

const DIR: &str = "/data";

/// Leaves a segment that a process wrote and was killed before its name was durable: then it is
/// there, and may be gone after a crash.
fn write_and_unname(sys: &Sys, number: u64) {
    let dir = Folder::Segments.path(Path::new(DIR));
    let seqs = SeqRange {
        first: Seq(1),
        last: Seq(9),
    };
    write_segment(sys, &dir, number, &Head::new(), seqs, 1, &|| ()).unwrap();
    let path = segment::path(&dir, number);
    let other = dir.join("other");
    sys.disk.rename(&path, &other).unwrap();
    sys.disk.sync_dir(&dir).unwrap();
    sys.disk.rename(&other, &path).unwrap();
}

fn names(sys: &Sys) -> Vec<String> {
    list(sys, &Folder::Segments.path(Path::new(DIR))).unwrap()
}

#[test]
fn segments_that_are_taken_in_without_a_manifest_stay() {
    for seed in 0..20 {
        let disk = SimDisk::new(seed);
        let sys = disk.sys(0);
        write_and_unname(&sys, 3);
        let files = open(&sys, Path::new(DIR)).unwrap();
        assert_eq!(files.manifest.covered_seq, Seq(9));
        disk.crash();
        let again = open(&sys, Path::new(DIR)).unwrap();
        assert_eq!(again.manifest, files.manifest);
        assert_eq!((again.stored.len(), again.damaged), (1, 0));
        // From now on it is missed.
        disk.lose(&segment::path(&Folder::Segments.path(Path::new(DIR)), 3))
            .unwrap();
        assert_eq!(open(&sys, Path::new(DIR)).unwrap().damaged, 1);
    }
}

#[test]
fn segments_that_no_manifest_names_do_not_come_back() {
    for seed in 0..20 {
        let disk = SimDisk::new(seed);
        let sys = disk.sys(0);
        write_and_unname(&sys, 3);
        sys.disk
            .sync_dir(&Folder::Segments.path(Path::new(DIR)))
            .unwrap();
        let manifest = Manifest {
            next_segment: 3,
            ..Manifest::default()
        };
        manifest::store(&sys, Path::new(DIR), &manifest).unwrap();
        assert!(open(&sys, Path::new(DIR)).unwrap().stored.is_empty());
        disk.crash();
        assert!(names(&sys).is_empty());
    }
}

#[test]
fn a_full_disk_needs_no_room_for_a_manifest_to_open() {
    let disk = SimDisk::new(1);
    let sys = disk.sys(0);
    write_and_unname(&sys, 3);
    disk.set_full(true);
    for _ in 0..20 {
        let files = open(&sys, Path::new(DIR)).unwrap();
        assert_eq!(files.manifest.covered_seq, Seq(9));
    }
}

#[test]
fn segments_missing_between_others_are_told_without_a_manifest() {
    let disk = SimDisk::new(1);
    let sys = disk.sys(0);
    let dir = Folder::Segments.path(Path::new(DIR));
    sys.disk.create_dir_all(&dir).unwrap();
    for (number, (first, last)) in (0..).zip([(1, 4), (5, 9), (10, 12), (13, 20)]) {
        let seqs = SeqRange {
            first: Seq(first),
            last: Seq(last),
        };
        write_segment(&sys, &dir, number, &Head::new(), seqs, number + 1, &|| ()).unwrap();
    }
    for lost in [0, 2] {
        disk.lose(&segment::path(&dir, lost)).unwrap();
    }
    let files = open(&sys, Path::new(DIR)).unwrap();
    assert_eq!((files.stored.len(), files.damaged), (2, 2));
}
