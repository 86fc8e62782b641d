//! A disk that writes down what is asked of it, and can hold back a sync.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use silverback_storage::sys::{Disk, File, LockGuard, Sys};

/// Something that happened, in the order it happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Bytes were handed to the disk.
    Wrote(Vec<u8>),
    /// A sync began; the number tells syncs apart.
    SyncBegan(u64),
    /// That sync ended, and everything written before it began is durable.
    SyncEnded(u64),
    /// The test saw an answer.
    Answered(String),
}

/// The events of all files of a disk, and the gate before its syncs.
#[derive(Debug, Default)]
pub struct Recorder {
    events: Mutex<Vec<Event>>,
    syncs: AtomicU64,
    held: Mutex<bool>,
    released: Condvar,
}

impl Recorder {
    /// A recorder with no events, its gate open.
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// The real machine, its disk behind this recorder.
    pub fn sys(self: &Arc<Self>) -> Sys {
        let real = Sys::real();
        Sys {
            disk: Arc::new(RecordingDisk {
                real: real.disk,
                recorder: Arc::clone(self),
            }),
            ..real
        }
    }

    /// Adds an event.
    pub fn note(&self, event: Event) {
        locked(&self.events).push(event);
    }

    /// All events so far.
    pub fn events(&self) -> Vec<Event> {
        locked(&self.events).clone()
    }

    /// How many syncs began so far.
    pub fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::SeqCst)
    }

    /// Lets syncs begin, and wait.
    pub fn hold_syncs(&self) {
        *locked(&self.held) = true;
    }

    /// Lets the syncs that wait go on.
    pub fn release_syncs(&self) {
        *locked(&self.held) = false;
        self.released.notify_all();
    }

    fn pass_gate(&self) {
        let mut held = locked(&self.held);
        while *held {
            held = self
                .released
                .wait(held)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A test that panicked elsewhere must not hide its message behind a poisoned lock.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
struct RecordingDisk {
    real: Arc<dyn Disk>,
    recorder: Arc<Recorder>,
}

impl RecordingDisk {
    fn wrap(&self, real: Box<dyn File>) -> Box<dyn File> {
        Box::new(RecordingFile {
            real,
            recorder: Arc::clone(&self.recorder),
        })
    }
}

impl Disk for RecordingDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.real.create_dir_all(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.real.list(dir)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        Ok(self.wrap(self.real.open(path)?))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.real.open_read(path)
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn File>> {
        Ok(self.wrap(self.real.create_new(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.real.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.real.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.real.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockGuard>> {
        self.real.lock(path)
    }
}

#[derive(Debug)]
struct RecordingFile {
    real: Box<dyn File>,
    recorder: Arc<Recorder>,
}

impl File for RecordingFile {
    fn len(&self) -> io::Result<u64> {
        self.real.len()
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.real.read_at(buf, offset)
    }

    fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.real.write_all_at(data, offset)?;
        self.recorder.note(Event::Wrote(data.to_vec()));
        Ok(())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.real.allocate(len)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.real.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        let number = self.recorder.syncs.fetch_add(1, Ordering::SeqCst);
        self.recorder.note(Event::SyncBegan(number));
        self.recorder.pass_gate();
        self.real.sync_data()?;
        self.recorder.note(Event::SyncEnded(number));
        Ok(())
    }
}
