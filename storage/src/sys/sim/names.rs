//! The names of simulated files: those that are durable and those that are not yet.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::path::{Path, PathBuf};

/// A file apart from its names.
pub(super) type Node = u64;

/// A change of names not yet durable; it persists as a whole or not at all.
#[derive(Clone, Debug)]
enum Change {
    Create {
        path: PathBuf,
        node: Node,
    },
    Remove {
        path: PathBuf,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
        node: Node,
    },
}

impl Change {
    /// The directory whose sync makes it durable.
    fn dir(&self) -> Option<&Path> {
        match self {
            Self::Create { path, .. } | Self::Remove { path } => path.parent(),
            Self::Rename { to, .. } => to.parent(),
        }
    }

    /// The names that it changes.
    fn paths(&self) -> impl Iterator<Item = &Path> {
        let (one, other) = match self {
            Self::Create { path, .. } | Self::Remove { path } => (path, None),
            Self::Rename { from, to, .. } => (to, Some(from)),
        };
        iter::once(one).chain(other).map(PathBuf::as_path)
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, Node>) {
        match self {
            Self::Create { path, node } => {
                names.insert(path.clone(), *node);
            }
            Self::Remove { path } => {
                names.remove(path);
            }
            Self::Rename { from, to, node } => {
                names.remove(from);
                // A file has one name, whatever of its earlier renames was lost.
                names.retain(|_, other| other != node);
                names.insert(to.clone(), *node);
            }
        }
    }
}

/// Names of all files of a disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    durable: BTreeMap<PathBuf, Node>,
    volatile: BTreeMap<PathBuf, Node>,
    pending: Vec<Change>,
}

impl Names {
    pub(super) fn get(&self, path: &Path) -> Option<Node> {
        self.volatile.get(path).copied()
    }

    pub(super) fn in_dir(&self, dir: &Path) -> Vec<String> {
        self.volatile
            .keys()
            .filter(|path| path.parent() == Some(dir))
            .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
            .collect()
    }

    /// All names, sorted.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Path, Node)> {
        self.volatile
            .iter()
            .map(|(path, &node)| (path.as_path(), node))
    }

    /// Takes a name and its file away at once, whatever is pending of them.
    pub(super) fn lose(&mut self, path: &Path, lost: Node) {
        for names in [&mut self.durable, &mut self.volatile] {
            names.retain(|own, node| own != path && *node != lost);
        }
        self.pending.retain(|change| match change {
            Change::Create { path: own, node } | Change::Rename { to: own, node, .. } => {
                own != path && *node != lost
            }
            Change::Remove { path: own } => own != path,
        });
    }

    pub(super) fn create(&mut self, path: &Path, node: Node) {
        let path = path.to_owned();
        self.change(Change::Create { path, node });
    }

    pub(super) fn remove(&mut self, path: &Path) {
        let path = path.to_owned();
        self.change(Change::Remove { path });
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path, node: Node) {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.change(Change::Rename { from, to, node });
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.volatile);
        self.pending.push(change);
    }

    /// Of the pending changes in `dir` those become durable, in their order, that `keep` says
    /// yes to; the others stay pending, and what comes after one of these and changes the same name:
    /// were it done before, the one that is done later would undo it.
    pub(super) fn sync(&mut self, dir: &Path, mut keep: impl FnMut() -> bool) {
        let durable = &mut self.durable;
        let mut behind: BTreeSet<PathBuf> = BTreeSet::new();
        self.pending.retain(|change| {
            let is_free = change.paths().all(|path| !behind.contains(path));
            let is_kept = change.dir() == Some(dir) && is_free && keep();
            if is_kept {
                change.apply(durable);
            } else {
                behind.extend(change.paths().map(Path::to_owned));
            }
            !is_kept
        });
    }

    /// A crash: of the pending changes some persist, and only what is durable is left.
    pub(super) fn crash(&mut self, mut keep: impl FnMut() -> bool) {
        for change in self.pending.drain(..) {
            if keep() {
                change.apply(&mut self.durable);
            }
        }
        self.volatile = self.durable.clone();
    }

    /// Files that have a name, or may have one after a crash.
    pub(super) fn nodes(&self) -> BTreeSet<Node> {
        let pending = self.pending.iter().filter_map(|change| match change {
            Change::Create { node, .. } | Change::Rename { node, .. } => Some(*node),
            Change::Remove { .. } => None,
        });
        let named = self.durable.values().chain(self.volatile.values());
        named.copied().chain(pending).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_durable_once_their_directory_is_synced() {
        let mut names = Names::default();
        names.create(Path::new("/a/x"), 1);
        names.create(Path::new("/b/y"), 2);
        names.sync(Path::new("/a"), || true);
        names.crash(|| false);
        assert_eq!(names.get(Path::new("/a/x")), Some(1));
        assert_eq!(names.get(Path::new("/b/y")), None);
    }

    #[test]
    fn changes_of_a_name_become_durable_in_their_order() {
        let (dir, path) = (Path::new("/d"), Path::new("/d/x"));
        for answers in 0..4 {
            let mut names = Names::default();
            names.create(path, 1);
            names.sync(dir, || true);
            names.remove(path);
            names.create(path, 2);
            // A sync that fails, and makes some of it durable, then one that does not.
            let mut bits = (0..2).map(|bit| answers >> bit & 1 == 1);
            names.sync(dir, || bits.next().unwrap());
            names.sync(dir, || true);
            names.crash(|| false);
            assert_eq!(names.get(path), Some(2), "{answers}");
        }
    }

    #[test]
    fn a_rename_is_whole_or_absent() {
        for keep in [false, true] {
            let mut names = Names::default();
            names.create(Path::new("/d/manifest"), 1);
            names.create(Path::new("/d/tmp"), 2);
            names.sync(Path::new("/d"), || true);
            names.rename(Path::new("/d/tmp"), Path::new("/d/manifest"), 2);
            names.crash(|| keep);
            let want = if keep { Some(2) } else { Some(1) };
            assert_eq!(names.get(Path::new("/d/manifest")), want);
            assert_eq!(names.get(Path::new("/d/tmp")).is_some(), !keep);
        }
    }

    #[test]
    fn a_file_whose_first_rename_was_lost_has_one_name() {
        let mut names = Names::default();
        names.create(Path::new("/d/a"), 1);
        names.sync(Path::new("/d"), || true);
        names.rename(Path::new("/d/a"), Path::new("/d/b"), 1);
        names.rename(Path::new("/d/b"), Path::new("/d/c"), 1);
        let mut answers = [false, true].into_iter();
        names.crash(|| answers.next().unwrap());
        assert_eq!(names.in_dir(Path::new("/d")), ["c"]);
    }
}
