//! The simulated disk: faults, crashes and the traits of `sys` over them.

mod damage;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::super::{Disk, File, LockGuard, Sys};
use super::contents::Contents;
use super::names::{Names, Node};
use super::{Rng, SimClock};

/// A disk in memory that can crash, fail and fill up. Clones share the disk.
#[derive(Clone, Debug)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

/// What goes wrong at an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The machine stops: the operation takes effect in part or not at all, it and everything
    /// after it fails until [`SimDisk::crash`] starts the machine again, or [`SimDisk::kill`]
    /// says that it was the process alone that stopped.
    Crash,
    /// The operation fails with EIO, once. Of a write some sectors are done. A failed sync of a
    /// file leaves some pending sectors durable and forgets the others for good: as on Linux, a
    /// later sync succeeds without them.
    Eio,
    /// From this operation on the disk is full, until [`SimDisk::set_full`] says otherwise.
    Enospc,
}

/// An operation that changes the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpKind {
    /// [`Disk::create_new`]
    CreateNew,
    /// [`File::write_all_at`]
    Write,
    /// [`File::set_len`]
    SetLen,
    /// [`File::allocate`]
    Allocate,
    /// [`File::sync_data`]
    SyncData,
    /// [`Disk::rename`]
    Rename,
    /// [`Disk::remove`]
    Remove,
    /// [`Disk::sync_dir`]
    SyncDir,
}

/// An entry of the operation log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Op {
    /// What was done, or tried.
    pub kind: OpKind,
    /// To which file or directory; for a rename the new name, for a file the name it was
    /// opened under.
    pub path: PathBuf,
}

#[derive(Clone, Debug)]
struct State {
    rng: Rng,
    /// Rises with each crash and kill; handles of an earlier one are dead.
    generation: u64,
    /// The machine has stopped and not been started again.
    down: bool,
    full: bool,
    allocation_supported: bool,
    available: Option<u64>,
    ops: u64,
    faults: BTreeMap<u64, Fault>,
    log: Option<Vec<Op>>,
    dirs: BTreeSet<PathBuf>,
    names: Names,
    files: BTreeMap<Node, SimNode>,
    next_node: Node,
    locks: BTreeSet<PathBuf>,
}

#[derive(Clone, Debug, Default)]
struct SimNode {
    contents: Contents,
    handles: u32,
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    node: Node,
    path: PathBuf,
    generation: u64,
    writable: bool,
}

#[derive(Debug)]
struct SimLock {
    disk: SimDisk,
    path: PathBuf,
    generation: u64,
}

fn crashed() -> io::Error {
    io::Error::other("the simulated process is gone")
}

fn eio() -> io::Error {
    rustix::io::Errno::IO.into()
}

fn enospc() -> io::Error {
    rustix::io::Errno::NOSPC.into()
}

impl SimDisk {
    /// An empty disk. What faults and crashes leave behind follows from `seed`.
    pub fn new(seed: u64) -> Self {
        let state = State {
            rng: Rng::new(seed),
            generation: 0,
            down: false,
            full: false,
            allocation_supported: true,
            available: None,
            ops: 0,
            faults: BTreeMap::new(),
            log: None,
            dirs: BTreeSet::from([PathBuf::from("/")]),
            names: Names::default(),
            files: BTreeMap::new(),
            next_node: 0,
            locks: BTreeSet::new(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// This disk with a clock that stands at `now_ms`; use [`SimDisk::sys_with`] to move it.
    pub fn sys(&self, now_ms: i64) -> Sys {
        self.sys_with(Arc::new(SimClock::new(now_ms)))
    }

    /// This disk with that clock.
    pub fn sys_with(&self, clock: Arc<SimClock>) -> Sys {
        Sys {
            disk: Arc::new(self.clone()),
            clock,
        }
    }

    /// Power is cut and the machine starts again: what is not durable persists or not, at
    /// random; open files fail from now on, locks are free. The disk stays full if it was.
    pub fn crash(&self) {
        self.kill();
        let state = &mut *self.state.lock();
        let percent = state.persist_percent();
        let rng = &mut state.rng;
        state.names.crash(|| rng.chance(percent));
        for file in state.files.values_mut() {
            let percent = [0, 10, 50, 90, 100][rng.below(5) as usize];
            file.contents.crash(|| rng.chance(percent));
        }
        state.collect();
    }

    /// The process is killed and starts again: open files fail from now on, locks are free, and
    /// what is not durable is still seen, for the machine ran on.
    pub fn kill(&self) {
        let state = &mut *self.state.lock();
        state.generation += 1;
        state.down = false;
        state.locks.clear();
        for file in state.files.values_mut() {
            file.handles = 0;
        }
        state.collect();
    }

    /// Lets the operation with that number (see [`SimDisk::ops`]) meet a fault.
    pub fn fail_at(&self, op: u64, fault: Fault) {
        self.state.lock().faults.insert(op, fault);
    }

    /// Takes back the faults not yet met.
    pub fn clear_faults(&self) {
        self.state.lock().faults.clear();
    }

    /// How many bytes the disk says that it has room for; it does not say at first, and takes any
    /// number.
    pub fn set_available(&self, bytes: Option<u64>) {
        self.state.lock().available = bytes;
    }

    /// Makes the disk full, or gives it room again. A full disk takes writes within the length
    /// of a file, renames and removals.
    pub fn set_full(&self, full: bool) {
        self.state.lock().full = full;
    }

    /// Whether [`File::allocate`] reserves room (it does at first). Where it does not, any write
    /// to a full disk fails.
    pub fn set_allocation_supported(&self, supported: bool) {
        self.state.lock().allocation_supported = supported;
    }

    /// How many operations there were; so the number of the next one. Counted are those of
    /// [`OpKind`].
    pub fn ops(&self) -> u64 {
        self.state.lock().ops
    }

    /// Whether the machine has stopped at a [`Fault::Crash`].
    pub fn is_down(&self) -> bool {
        self.state.lock().down
    }

    /// Begins to log operations, with an empty log.
    pub fn start_log(&self) {
        self.state.lock().log = Some(Vec::new());
    }

    /// The operations since [`SimDisk::start_log`] or the last call; the log goes on.
    pub fn take_log(&self) -> Vec<Op> {
        let mut state = self.state.lock();
        state.log.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn open_node(&self, path: &Path, writable: bool) -> io::Result<Box<dyn File>> {
        let state = &mut *self.state.lock();
        state.check_up()?;
        let node = state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.handle(state, node, path, writable))
    }

    fn handle(&self, state: &mut State, node: Node, path: &Path, writable: bool) -> Box<dyn File> {
        if let Some(file) = state.files.get_mut(&node) {
            file.handles += 1;
        }
        Box::new(SimFile {
            disk: self.clone(),
            node,
            path: path.to_owned(),
            generation: state.generation,
            writable,
        })
    }
}

impl State {
    fn check_up(&self) -> io::Result<()> {
        if self.down { Err(crashed()) } else { Ok(()) }
    }

    /// How much of what is pending persists this time: nothing, all and between.
    fn persist_percent(&mut self) -> u64 {
        [0, 10, 50, 90, 100][self.rng.below(5) as usize]
    }

    /// Counts an operation; `Some` where it is to fail.
    fn begin(&mut self, kind: OpKind, path: &Path) -> io::Result<Option<Fault>> {
        self.check_up()?;
        if let Some(log) = &mut self.log {
            log.push(Op {
                kind,
                path: path.to_owned(),
            });
        }
        let fault = self.faults.remove(&self.ops);
        self.ops += 1;
        match fault {
            Some(Fault::Enospc) => {
                self.full = true;
                Ok(None)
            }
            Some(Fault::Crash) => {
                self.down = true;
                Ok(fault)
            }
            other => Ok(other),
        }
    }

    fn contents(&mut self, node: Node) -> io::Result<&mut Contents> {
        let file = self.files.get_mut(&node).ok_or(io::ErrorKind::NotFound)?;
        Ok(&mut file.contents)
    }

    /// Forgets files without a name and without a handle.
    fn collect(&mut self) {
        let named = self.names.nodes();
        self.files
            .retain(|node, file| file.handles > 0 || named.contains(node));
    }

    fn check_dir(&self, path: &Path) -> io::Result<()> {
        match path.parent() {
            Some(dir) if self.dirs.contains(dir) => Ok(()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn new_file(&mut self, path: &Path) -> Node {
        let node = self.next_node;
        self.next_node += 1;
        self.files.insert(node, SimNode::default());
        self.names.create(path, node);
        node
    }

    /// Whether an operation takes effect that meets `fault`, and with what error it fails.
    fn all_or_nothing(&mut self, fault: Option<Fault>) -> (bool, io::Result<()>) {
        match fault {
            None | Some(Fault::Enospc) => (true, Ok(())),
            Some(Fault::Crash) => (self.rng.chance(50), Err(crashed())),
            Some(Fault::Eio) => (false, Err(eio())),
        }
    }
}

impl Disk for SimDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.check_up()?;
        state.dirs.extend(path.ancestors().map(Path::to_owned));
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.state.lock();
        state.check_up()?;
        if !state.dirs.contains(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(state.names.in_dir(dir))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.open_node(path, true)
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.open_node(path, false)
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let state = &mut *self.state.lock();
        let fault = state.begin(OpKind::CreateNew, path)?;
        state.check_dir(path)?;
        if state.names.get(path).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        // A full disk sometimes has room for a name.
        if state.full && state.rng.chance(50) {
            return Err(enospc());
        }
        let (effect, result) = state.all_or_nothing(fault);
        if effect {
            let node = state.new_file(path);
            result?;
            return Ok(self.handle(state, node, path, true));
        }
        result?;
        Err(eio())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let state = &mut *self.state.lock();
        let fault = state.begin(OpKind::Rename, to)?;
        state.check_dir(to)?;
        let node = state.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        let (effect, result) = state.all_or_nothing(fault);
        if effect {
            state.names.rename(from, to, node);
        }
        result
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let state = &mut *self.state.lock();
        let fault = state.begin(OpKind::Remove, path)?;
        if state.names.get(path).is_none() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let (effect, result) = state.all_or_nothing(fault);
        if effect {
            state.names.remove(path);
        }
        result
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let state = &mut *self.state.lock();
        let fault = state.begin(OpKind::SyncDir, dir)?;
        if !state.dirs.contains(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if fault == Some(Fault::Eio) {
            let percent = state.persist_percent();
            let rng = &mut state.rng;
            state.names.sync(dir, || rng.chance(percent));
            return Err(eio());
        }
        let (effect, result) = state.all_or_nothing(fault);
        if effect {
            state.names.sync(dir, || true);
            state.collect();
        }
        result
    }

    fn available(&self, _dir: &Path) -> io::Result<Option<u64>> {
        Ok(self.state.lock().available)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockGuard>> {
        let state = &mut *self.state.lock();
        state.check_up()?;
        state.check_dir(path)?;
        if state.names.get(path).is_none() {
            state.new_file(path);
        }
        if !state.locks.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(SimLock {
            disk: self.clone(),
            path: path.to_owned(),
            generation: state.generation,
        }))
    }
}

impl SimFile {
    /// Does `act` on the state, where the machine this handle was opened on still runs.
    fn with<T>(&self, act: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let state = &mut *self.disk.state.lock();
        if state.generation != self.generation {
            return Err(crashed());
        }
        state.check_up()?;
        act(state)
    }

    fn check_writable(&self) -> io::Result<()> {
        if self.writable {
            Ok(())
        } else {
            Err(rustix::io::Errno::BADF.into())
        }
    }
}

impl File for SimFile {
    fn len(&self) -> io::Result<u64> {
        self.with(|state| Ok(state.contents(self.node)?.len()))
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.with(|state| Ok(state.contents(self.node)?.read_at(buf, offset)))
    }

    fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.check_writable()?;
        self.with(|state| {
            let fault = state.begin(OpKind::Write, &self.path)?;
            if fault.is_some() {
                let percent = state.persist_percent();
                let mut rng = Rng::new(state.rng.next_u64());
                state
                    .contents(self.node)?
                    .write(data, offset, |_| rng.chance(percent));
                return state.all_or_nothing(fault).1;
            }
            let room = match (state.full, state.allocation_supported) {
                (false, _) => u64::MAX,
                (true, true) => state.contents(self.node)?.len(),
                // There may be room for a part.
                (true, false) => offset + state.rng.below(data.len() as u64),
            };
            let contents = state.contents(self.node)?;
            contents.write(data, offset, |end| end <= room);
            if offset + data.len() as u64 > room {
                return Err(enospc());
            }
            Ok(())
        })
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.check_writable()?;
        self.with(|state| {
            let fault = state.begin(OpKind::Allocate, &self.path)?;
            let grows = state.contents(self.node)?.len() < len;
            if grows && state.full && state.allocation_supported {
                return Err(enospc());
            }
            let (effect, result) = state.all_or_nothing(fault);
            if effect {
                state.contents(self.node)?.grow(len);
            }
            result
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check_writable()?;
        self.with(|state| {
            let fault = state.begin(OpKind::SetLen, &self.path)?;
            let (effect, result) = state.all_or_nothing(fault);
            if effect {
                state.contents(self.node)?.set_len(len);
            }
            result
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(|state| {
            let fault = state.begin(OpKind::SyncData, &self.path)?;
            if fault == Some(Fault::Eio) {
                let percent = state.persist_percent();
                let mut rng = Rng::new(state.rng.next_u64());
                state.contents(self.node)?.fail_sync(|| rng.chance(percent));
                return Err(eio());
            }
            let (effect, result) = state.all_or_nothing(fault);
            if effect {
                state.contents(self.node)?.sync();
            }
            result
        })
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let state = &mut *self.disk.state.lock();
        if state.generation == self.generation
            && let Some(file) = state.files.get_mut(&self.node)
        {
            file.handles -= 1;
        }
    }
}

impl LockGuard for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let state = &mut *self.disk.state.lock();
        if state.generation == self.generation {
            state.locks.remove(&self.path);
        }
    }
}

#[cfg(test)]
mod tests;
