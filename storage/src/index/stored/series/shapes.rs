//! Reading the shapes of label sets.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::OnceLock;

use foldhash::fast::RandomState;

use crate::index::stored::IndexError;
use crate::index::stored::groups::{Groups, Window};
use crate::index::stored::part::Part;

/// How many shapes are kept while rows are read, where not all are.
const KEPT: usize = 4096;

/// The names of a shape, as symbols.
type Names = Box<[u32]>;

/// The shapes of an index. Where they are few, as they mostly are, all are kept from when the
/// first is asked for: at most as many as are read at once.
#[derive(Debug)]
pub(super) struct Shapes {
    groups: Groups,
    /// Symbols are below this.
    symbols: u32,
    all: OnceLock<Option<Box<[Names]>>>,
}

impl Shapes {
    pub(super) fn new(groups: Groups, symbols: u32) -> Self {
        Self {
            groups,
            symbols,
            all: OnceLock::new(),
        }
    }

    fn all(&self, part: &Part) -> Result<Option<&[Names]>, IndexError> {
        let all = match self.all.get() {
            Some(all) => all,
            None => {
                let all = self.read_all(part)?;
                self.all.get_or_init(|| all)
            }
        };
        Ok(all.as_deref())
    }

    fn read_all(&self, part: &Part) -> Result<Option<Box<[Names]>>, IndexError> {
        let count = self.groups.count();
        let Some(last) = count.checked_sub(1) else {
            return Ok(None);
        };
        let window = self.groups.window(part, 0, last)?;
        if window.end() < count {
            return Ok(None);
        }
        let all = (0..count).map(|number| self.names_of(&window, number));
        all.collect::<Result<_, _>>().map(Some)
    }

    fn names_of(&self, window: &Window<'_>, number: u64) -> Result<Names, IndexError> {
        let mut shape = window.group(number)?;
        let mut names = Vec::new();
        let mut last = 0u32;
        while !shape.is_empty() {
            let name = last.checked_add(shape.u32()?);
            let name = name.filter(|&name| name < self.symbols);
            last = name.ok_or_else(|| shape.malformed("a name is not among the symbols"))?;
            names.push(last);
        }
        Ok(names.into())
    }
}

/// Shapes by number, for as long as rows are read.
#[derive(Debug)]
pub(super) struct ShapeReader<'a> {
    shapes: &'a Shapes,
    part: &'a Part,
    kept: HashMap<u32, Names, RandomState>,
}

impl<'a> ShapeReader<'a> {
    pub(super) fn new(shapes: &'a Shapes, part: &'a Part) -> Self {
        Self {
            shapes,
            part,
            kept: HashMap::default(),
        }
    }

    /// The names of a shape, as symbols.
    pub(super) fn names(&mut self, number: u32) -> Result<&[u32], IndexError> {
        let Self { shapes, part, kept } = self;
        if let Some(all) = shapes.all(part)? {
            let names = all.get(number as usize).map(|names| &**names);
            return names
                .ok_or_else(|| part.malformed(number.into(), "there is no shape of this number"));
        }
        if kept.len() >= KEPT {
            kept.clear();
        }
        Ok(match kept.entry(number) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let window = shapes.groups.read(part, number.into())?;
                entry.insert(shapes.names_of(&window, number.into())?)
            }
        })
    }
}
