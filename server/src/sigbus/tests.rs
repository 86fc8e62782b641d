//! Each scene plays in a process of its own, this test binary once more: some of them end it.

use std::fs::File;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Barrier};
use std::thread::{self, ScopedJoinHandle};

use silverback_storage::inside::{Bytes, FileWriter, Section, SectionError, SectionRef, guarded};
use silverback_storage::sys::{self, Sys};

use super::*;

/// Tells the process which scene it is for.
const SCENE: &str = "SILVERBACK_SIGBUS_SCENE";

/// Plays a scene in a process of its own.
fn play(scene: &str) -> (ExitStatus, String) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sigbus::tests::scene", "--nocapture"])
        .env(SCENE, scene)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status, String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn scene() {
    let Ok(scene) = std::env::var(SCENE) else {
        return;
    };
    match scene.as_str() {
        "cut under readers" => cut_under_readers(),
        "cut without a handler" => cut_under_readers_here(),
        "foreign map" => {
            install().unwrap();
            touch_foreign_map();
        }
        "sent" => {
            install().unwrap();
            let kill = format!("kill -BUS {}", std::process::id());
            Command::new("sh").args(["-c", &kill]).status().unwrap();
        }
        _ => panic!("no such scene: {scene}"),
    }
    println!("scene over");
}

#[test]
fn a_file_cut_under_its_readers_is_an_error_of_the_lost_bytes() {
    let (status, text) = play("cut under readers");
    assert!(status.success() && text.contains("scene over"), "{text}");
}

#[test]
fn any_other_sigbus_ends_the_process() {
    // The first is the scene of the other test: it is the handler that it survives by.
    for scene in ["cut without a handler", "foreign map", "sent"] {
        let (status, text) = play(scene);
        assert_eq!(status.signal(), Some(libc::SIGBUS), "{scene}: {text}");
    }
}

const PAGE: u64 = silverback_storage::inside::PAGE_BYTES as u64;
const PAGES: u64 = 40;
/// Where the file is cut: within a page of the section, and within one of memory.
const CUT: u64 = 17 * PAGE + 5000;
const READERS: usize = 4;
/// How many files are cut, one after the other.
const ROUNDS: u8 = 20;

/// A file of ours that is one section, every page of it another byte.
#[derive(Debug)]
struct Mapped {
    file: Arc<dyn sys::File>,
    section: Section,
}

impl Mapped {
    fn create(path: &Path) -> Self {
        let disk = Sys::real_mapped().disk;
        let mut file = FileWriter::new(disk.create_new(path).unwrap());
        let mut section = file.section();
        for page in 0..PAGES {
            section.put(&[page as u8 + 1; PAGE as usize]).unwrap();
        }
        let at: SectionRef = section.finish().unwrap();
        file.finish().unwrap();
        let file: Arc<dyn sys::File> = Arc::from(disk.open_immutable(path).unwrap());
        let section = Section::new(Arc::clone(&file), at);
        Self { file, section }
    }

    /// Reads a page.
    fn read(&self, page: u64) -> Result<(), SectionError> {
        let bytes = guarded(&*self.file, || {
            let bytes = self.section.get(page * PAGE, PAGE as usize)?;
            Ok::<_, SectionError>(bytes.to_vec())
        })?;
        // What was handed out is what was written: nothing else, whatever happened meanwhile.
        assert_eq!(bytes, [page as u8 + 1; PAGE as usize], "page {page}");
        Ok(())
    }
}

fn cut_under_readers() {
    install().unwrap();
    cut_under_readers_here();
}

fn cut_under_readers_here() {
    let dir = tempfile::tempdir().unwrap();
    let whole = Mapped::create(&dir.path().join("whole"));
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let beside = scope.spawn(|| read_until(&whole, &stop));
        {
            let _stop = SetOnDrop(&stop);
            for round in 0..ROUNDS {
                cut_one(&dir.path().join(round.to_string()));
            }
        }
        let reads = beside.join().unwrap();
        assert!(reads > 0);
    });
    assert!(!whole.file.look_for_faults());
}

/// Tells the reader beside to stop, also when a round fails: it would be waited for.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Reads all pages again and again; none may fail. How often it did.
fn read_until(whole: &Mapped, stop: &AtomicBool) -> u64 {
    let mut reads = 0;
    while !stop.load(Ordering::Relaxed) {
        for page in 0..PAGES {
            whole.read(page).unwrap();
        }
        reads += 1;
    }
    reads
}

fn cut_one(path: &Path) {
    let mapped = Mapped::create(path);
    let (borrowed, cut) = (Barrier::new(READERS + 1), Barrier::new(READERS + 1));
    thread::scope(|scope| {
        let readers: Vec<ScopedJoinHandle<()>> = (0..READERS)
            .map(|_| {
                scope.spawn(|| {
                    read_over_a_cut(&mapped, &borrowed, &cut);
                    read_what_is_left(&mapped);
                })
            })
            .collect();
        borrowed.wait();
        let file = File::options().write(true).open(path).unwrap();
        file.set_len(CUT).unwrap();
        assert!(!mapped.file.has_faults(), "nobody has touched or looked");
        cut.wait();
        for reader in readers {
            reader.join().unwrap();
        }
    });
    assert!(mapped.file.has_faults());
}

/// Holds all bytes, found to be right, while the file is cut, and then touches them.
fn read_over_a_cut(mapped: &Mapped, borrowed: &Barrier, cut: &Barrier) {
    let mut tries = 0;
    let read = guarded(&*mapped.file, || {
        tries += 1;
        let bytes = mapped.section.get(0, (PAGES * PAGE) as usize);
        // Also where it fails, or the others would wait for ever.
        if tries == 1 {
            borrowed.wait();
            cut.wait();
        }
        let bytes = bytes?;
        let copy = bytes.to_vec();
        assert!(mapped.file.has_faults(), "the signal came and was counted");
        assert!(copy[..CUT as usize].iter().all(|&byte| byte != 0));
        assert!(copy[CUT as usize..].iter().all(|&byte| byte == 0));
        Ok::<_, SectionError>(())
    });
    assert!(matches!(read, Err(SectionError::Io { .. })), "{read:?}");
    assert_eq!(tries, 2);
}

/// Reads all pages a few times: those that the cut took are errors, the others are not.
fn read_what_is_left(mapped: &Mapped) {
    for page in (0..3).flat_map(|_| 0..PAGES) {
        match mapped.read(page) {
            Ok(()) => assert!(page < CUT / PAGE, "page {page} is lost"),
            Err(SectionError::Io { offset, source, .. }) => {
                assert_eq!(source.kind(), io::ErrorKind::UnexpectedEof);
                assert_eq!(offset, page * PAGE);
                assert!(page >= CUT / PAGE, "page {page} is there");
            }
            Err(error) => panic!("page {page}: {error}"),
        }
    }
}

/// Maps a file without a word to storage, cuts it and reads it.
fn touch_foreign_map() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&[1; 100]).unwrap();
    // SAFETY: a new map, of which nobody else knows.
    let map = unsafe {
        rustix::mm::mmap(
            ptr::null_mut(),
            100,
            ProtFlags::READ,
            MapFlags::SHARED,
            &file,
            0,
        )
    };
    let first = map.unwrap().cast::<u8>();
    file.set_len(0).unwrap();
    // SAFETY: a byte of the map above, which is never given back.
    let byte = unsafe { first.read_volatile() };
    println!("read {byte}");
}
