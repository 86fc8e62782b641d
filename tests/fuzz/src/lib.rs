//! Runs the fuzz targets of the crates, and bounds what they take of memory.
//!
//! What must hold of an input stands beside the decoder it is about, in a file `fuzz.rs`; what is
//! added here is that no input makes a decoder take more memory than some bytes for each of its
//! own.

mod memory;

use std::sync::OnceLock;

pub use libfuzzer_sys;

/// What a target's function is.
type Run = fn(&[u8]) -> bool;

/// A target as this package runs it.
#[derive(Debug)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// How many bytes of memory an input may take at a time, whatever its length.
    pub base_bytes: usize,
    /// How many more for each byte of it.
    pub bytes_per_byte: usize,
    run: OnceLock<Run>,
}

impl Target {
    /// The target of that name.
    pub const fn new(name: &'static str, base_bytes: usize, bytes_per_byte: usize) -> Self {
        Self {
            name,
            base_bytes,
            bytes_per_byte,
            run: OnceLock::new(),
        }
    }

    /// Runs it.
    ///
    /// # Panics
    /// What must hold does not, or there is no target of that name.
    pub fn run(&self, data: &[u8]) {
        let run = self.run.get_or_init(|| find(self.name));
        let allowed = self.base_bytes + data.len() * self.bytes_per_byte;
        let (_taken, peak) = memory::peak_of(|| run(data));
        assert!(
            peak <= allowed,
            "{} bytes of input took {peak} bytes of memory, more than {allowed}",
            data.len(),
        );
    }
}

fn find(name: &str) -> Run {
    let storage = silverback_storage::fuzz::TARGETS.iter();
    let storage = storage.map(|target| (target.name, target.run));
    let query = silverback_query::fuzz::TARGETS.iter();
    let query = query.map(|target| (target.name, target.run));
    let server = silverback::fuzz::TARGETS.iter();
    let server = server.map(|target| (target.name, target.run));
    let found = storage
        .chain(query)
        .chain(server)
        .find(|target| target.0 == name);
    found.expect("a target of that name").1
}

/// The body of a file of `fuzz_targets`: the name of a target, and how many bytes of memory an
/// input may take, whatever its length and for each byte of it.
#[macro_export]
macro_rules! target {
    ($name:literal, $base:expr, $per_byte:expr) => {
        static TARGET: $crate::Target = $crate::Target::new($name, $base, $per_byte);
        $crate::libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET.run(data));
    };
}
