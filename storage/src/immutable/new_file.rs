//! Writing a file under a temporary name, and publishing it under its own.

use std::io;
use std::path::{Path, PathBuf};

use super::{FileError, Format};
use crate::section::{FileWriter, SectionWriter};
use crate::sys::Sys;

/// A file that is written. It has a temporary name until [`NewFile::publish`]; where that is not
/// reached it is removed.
#[derive(Debug)]
pub struct NewFile {
    /// Where it is written.
    pub file: FileWriter,
    format: &'static Format,
    dir: PathBuf,
    number: u64,
    // Removed after the file is closed.
    temporary: Temporary,
}

/// A file that is removed unless it is kept.
#[derive(Debug)]
struct Temporary {
    sys: Sys,
    paths: Vec<PathBuf>,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        for path in &self.paths {
            // It may not be there, and nothing more can be done: a leftover is no file of ours,
            // and the next start removes it.
            let _ = self.sys.disk.remove(path);
        }
    }
}

impl Temporary {
    fn path(&self) -> &Path {
        self.paths.first().map_or(Path::new(""), PathBuf::as_path)
    }
}

impl NewFile {
    /// Begins the file `number` in the directory `dir`, which is made if need be, and writes its
    /// header.
    ///
    /// # Errors
    /// [`FileError::Io`], also where there is a file with that number.
    pub fn create(
        sys: &Sys,
        format: &'static Format,
        dir: &Path,
        number: u64,
    ) -> Result<Self, FileError> {
        let (name, part) = (format.file_name(number), format.temporary_name(number));
        let path = dir.join(&part);
        let about = |action| FileError::io(format, action, &path);
        let disk = &sys.disk;
        disk.create_dir_all(dir)
            .map_err(about("make the directory of"))?;
        let names = disk.list(dir).map_err(about("look for"))?;
        if names.contains(&name) {
            let exists = io::ErrorKind::AlreadyExists.into();
            return Err(FileError::io(format, "create", &dir.join(name))(exists));
        }
        if names.contains(&part) {
            // Left by a process that was stopped.
            disk.remove(&path).map_err(about("remove a part of"))?;
        }
        let temporary = Temporary {
            sys: sys.clone(),
            paths: vec![path.clone()],
        };
        let file = disk.create_new(&path).map_err(about("create"))?;
        let mut file = FileWriter::new(file);
        let header = format.encode_header(number);
        file.put(&header).map_err(about("write"))?;
        Ok(Self {
            file,
            format,
            dir: dir.to_owned(),
            number,
            temporary,
        })
    }

    /// The number in its name.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Where it is while it is written.
    pub fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Begins a section, and says where the file is.
    pub fn section(&mut self) -> (SectionWriter<'_>, &Path) {
        let path = self.temporary.path();
        (self.file.section(), path)
    }

    /// Makes the error of a write.
    pub fn io(&self, action: &'static str) -> impl FnOnce(io::Error) -> FileError + use<> {
        let (format, path) = (self.format, self.path().to_owned());
        move |source| FileError::io(format, action, &path)(source)
    }

    /// Writes a footer with its trailer, makes the file durable, then gives it its name and makes
    /// that durable. Says how long it is.
    ///
    /// # Errors
    /// [`FileError::Io`]. Whether the name lasts where syncing the directory failed is not known;
    /// the file is whole if it does.
    pub fn publish(mut self, sealed_footer: &[u8]) -> Result<u64, FileError> {
        let temporary = self.path().to_owned();
        let about = |action| FileError::io(self.format, action, &temporary);
        self.file.put(sealed_footer).map_err(about("write"))?;
        let (file, bytes) = self.file.finish().map_err(about("sync"))?;
        drop(file);
        let disk = &self.temporary.sys.disk;
        let path = self.format.path(&self.dir, self.number);
        self.temporary.paths.push(path.clone());
        disk.rename(&temporary, &path).map_err(about("name"))?;
        disk.sync_dir(&self.dir).map_err(FileError::io(
            self.format,
            "sync the directory of",
            &path,
        ))?;
        self.temporary.paths.clear();
        Ok(bytes)
    }
}
