//! What a run costs: CPU and memory of a process, room on disk, and the machine it was on.

pub mod disk;
pub mod machine;
pub mod noise;
pub mod process;
pub mod sampler;
pub(crate) mod sync_probe;
