//! The machine that figures are from: enough to compare them, nothing that tells whose it is.

use std::fs;
use std::path::Path;
use std::thread;

use serde::Serialize;

use super::disk;
use crate::error::Result;

/// A description of a machine.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The model's name; empty where the kernel does not tell.
    pub cpu: String,
    /// How many cores this process may use.
    pub cores: usize,
    /// Main memory in MiB; 0 where the kernel does not tell.
    pub memory_mib: u64,
    /// Release of the kernel.
    pub kernel: String,
    /// Type of the file system under the data.
    pub file_system: String,
}

impl Machine {
    /// This machine, with the file system that `dir` is on.
    ///
    /// # Errors
    /// The directory is not there.
    pub fn here(dir: &Path) -> Result<Self> {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let memory_kib: u64 = field(&read("/proc/meminfo"), "MemTotal")
            .trim_end_matches(" kB")
            .parse()
            .unwrap_or(0);
        Ok(Self {
            cpu: field(&read("/proc/cpuinfo"), "model name"),
            cores: thread::available_parallelism().map_or(1, usize::from),
            memory_mib: memory_kib >> 10,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            file_system: disk::file_system(dir)?,
        })
    }
}

/// The first value of a name in lines of `name : value`; empty where it is not there.
fn field(text: &str, name: &str) -> String {
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    let value = pairs
        .filter(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim());
    value.map(str::to_owned).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_described() -> Result<()> {
        let machine = Machine::here(Path::new("."))?;
        assert!(machine.cores > 0 && machine.memory_mib > 0);
        assert!(!machine.kernel.is_empty() && !machine.file_system.is_empty());
        assert_eq!(field("a\t: b c\na : d\n", "a"), "b c");
        Ok(())
    }
}
