//! A simulated disk and clock, for tests of what a crash or a failing disk leaves behind.
//!
//! Compiled for tests of this crate and with the feature `simulation`.
//!
//! The disk keeps in memory what POSIX promises to survive a crash (bytes of the last
//! successful [`File::sync_data`](super::File::sync_data), names of the last successful
//! [`Disk::sync_dir`](super::Disk::sync_dir)) apart from what it does not. At a
//! [`SimDisk::crash`] each 512-byte sector written since, each change of a length and each
//! change of a name persists or not, at random and independently: torn and reordered writes are
//! the ordinary case. What was durable is never harmed by a crash: a sector is written whole or
//! not at all.
//!
//! Everything random follows from the seed, and each operation that changes the disk has a
//! number, so that a failing run is a seed and an operation number.

mod clock;
mod contents;
mod disk;
mod names;
mod rng;

pub use clock::SimClock;
pub use disk::{Fault, Op, OpKind, SimDisk};
pub use rng::Rng;
