//! Where the bytes of rows come from.

use crate::immutable::Fault;
use crate::section::{Bytes, guarded};
use crate::sys::File;

/// Section data of a file.
#[derive(Clone, Copy, Debug)]
pub(in crate::block) struct Source<'a> {
    file: &'a dyn File,
    data: &'a dyn Bytes,
}

impl<'a> Source<'a> {
    pub(in crate::block) fn new(file: &'a dyn File, data: &'a dyn Bytes) -> Self {
        Self { file, data }
    }

    /// Makes something of the file's bytes that does not borrow from them, by `load`, which may be
    /// called again: see [`guarded`].
    pub(in crate::block) fn load<T>(
        &self,
        mut load: impl FnMut(&'a dyn Bytes) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        guarded(self.file, || load(self.data))
    }
}
