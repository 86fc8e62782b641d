//! The strings of several sources in one order.

use super::error::MergeError;
use super::source::Input;
use crate::model::SymbolId;

/// How many strings are read from a source at once.
const BATCH: u32 = 1024;

/// The symbols of all sources as numbers from 0, in bytewise order of their strings, each string
/// once. Four bytes a symbol and source; the strings stay in the files.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    /// For each source the numbers of its symbols. They rise.
    numbers: Vec<Vec<u32>>,
    count: u32,
}

impl Symbols {
    /// Joins the lists of strings, which each source has sorted.
    pub(super) fn join(
        inputs: &[Input<'_>],
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, MergeError> {
        let mut lists = Vec::with_capacity(inputs.len());
        for &input in inputs {
            lists.push(Strings::open(input)?);
        }
        let mut symbols = Self {
            numbers: lists
                .iter()
                .map(|list| Vec::with_capacity(list.count as usize))
                .collect(),
            count: 0,
        };
        let mut least = Vec::with_capacity(lists.len());
        loop {
            if symbols.count.is_multiple_of(BATCH) && is_cancelled() {
                return Err(MergeError::Cancelled);
            }
            find_least(&lists, &mut least);
            if least.is_empty() {
                return Ok(symbols);
            }
            for &place in &least {
                symbols.numbers[place].push(symbols.count);
                lists[place].advance()?;
            }
            let next = symbols.count.checked_add(1);
            symbols.count = next.ok_or(MergeError::TooLarge {
                what: "2^32 different label names and values",
            })?;
        }
    }

    /// How many there are: numbers are below this.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// The numbers of a source's symbols.
    pub(super) fn numbers(&self, place: usize) -> &[u32] {
        self.numbers.get(place).map_or(&[], Vec::as_slice)
    }

    /// Calls `each` with the strings of `wanted`, which rise.
    pub(super) fn texts<E: From<MergeError>>(
        &self,
        inputs: &[Input<'_>],
        mut wanted: impl Iterator<Item = u32>,
        mut each: impl FnMut(u32, &str) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut reached = vec![0; inputs.len()];
        let mut batch = TextBatch::default();
        loop {
            batch.clear(inputs.len());
            for number in wanted.by_ref().take(BATCH as usize) {
                self.find(number, &mut reached, &mut batch);
            }
            if batch.numbers.is_empty() {
                return Ok(());
            }
            for (place, &input) in inputs.iter().enumerate() {
                batch.load(place, input)?;
            }
            for (&number, text) in batch.numbers.iter().zip(&batch.texts) {
                each(number, text)?;
            }
        }
    }

    /// Puts a number into the batch of the first source that has it.
    fn find(&self, number: u32, reached: &mut [usize], batch: &mut TextBatch) {
        for (place, (numbers, reached)) in self.numbers.iter().zip(reached).enumerate() {
            let ahead = numbers.get(*reached..).unwrap_or(&[]);
            *reached += ahead.partition_point(|&own| own < number);
            if numbers.get(*reached) == Some(&number) {
                // A source has no more symbols than a u32 counts.
                batch.wanted[place].push((SymbolId(*reached as u32), batch.numbers.len()));
                batch.numbers.push(number);
                return;
            }
        }
        debug_assert!(false, "every number is that of a symbol of a source");
    }
}

/// Strings on their way from the sources.
#[derive(Debug, Default)]
struct TextBatch {
    numbers: Vec<u32>,
    texts: Vec<String>,
    /// For each source its symbols, with their places in the batch.
    wanted: Vec<Vec<(SymbolId, usize)>>,
}

impl TextBatch {
    fn clear(&mut self, sources: usize) {
        self.numbers.clear();
        self.wanted.resize_with(sources, Vec::new);
        self.wanted.iter_mut().for_each(Vec::clear);
    }

    fn load(&mut self, place: usize, input: Input<'_>) -> Result<(), MergeError> {
        self.texts.resize_with(self.numbers.len(), String::new);
        let Self { texts, wanted, .. } = self;
        let wanted = &wanted[place];
        if wanted.is_empty() {
            return Ok(());
        }
        let symbols: Vec<SymbolId> = wanted.iter().map(|&(symbol, _)| symbol).collect();
        input.with_index(|index| {
            let mut places = wanted.iter();
            index.texts(&symbols, |_, text| {
                if let Some(&(_, place)) = places.next() {
                    text.clone_into(&mut texts[place]);
                }
            })
        })
    }
}

/// Puts the places of the lists whose string is the smallest of all into `least`.
fn find_least(lists: &[Strings<'_>], least: &mut Vec<usize>) {
    least.clear();
    let mut smallest = "";
    for (place, list) in lists.iter().enumerate() {
        let Some(text) = list.current() else {
            continue;
        };
        match text.cmp(smallest) {
            _ if least.is_empty() => {}
            std::cmp::Ordering::Less => least.clear(),
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Greater => continue,
        }
        smallest = text;
        least.push(place);
    }
}

/// The strings of a source, one after the other.
#[derive(Debug)]
struct Strings<'a> {
    input: Input<'a>,
    /// How many the source has.
    count: u32,
    /// The first that was not read yet.
    next: u32,
    /// Those that were read, and where each ends.
    bytes: String,
    ends: Vec<usize>,
    /// The current one among them.
    at: usize,
}

impl<'a> Strings<'a> {
    fn open(input: Input<'a>) -> Result<Self, MergeError> {
        let mut strings = Self {
            input,
            count: input.with_index(|index| Ok(index.symbols()))?,
            next: 0,
            bytes: String::new(),
            ends: Vec::new(),
            at: 0,
        };
        strings.load()?;
        Ok(strings)
    }

    fn current(&self) -> Option<&str> {
        let start = match self.at {
            0 => 0,
            at => *self.ends.get(at - 1)?,
        };
        self.bytes.get(start..*self.ends.get(self.at)?)
    }

    fn advance(&mut self) -> Result<(), MergeError> {
        if self.at + 1 < self.ends.len() {
            let before = self.at;
            self.at += 1;
            let start = before.checked_sub(1).map_or(0, |place| self.ends[place]);
            let last = self.bytes.get(start..self.ends[before]);
            return self.check(last, self.current());
        }
        let last = self.current().map(str::to_owned);
        self.load()?;
        self.check(last.as_deref(), self.current())
    }

    /// Checks that a string comes after the one before it.
    fn check(&self, last: Option<&str>, next: Option<&str>) -> Result<(), MergeError> {
        match next.is_none() || last < next {
            true => Ok(()),
            false => Err(self.input.disorder("its symbols are not sorted")),
        }
    }

    fn load(&mut self) -> Result<(), MergeError> {
        let end = self.next.saturating_add(BATCH).min(self.count);
        let symbols: Vec<SymbolId> = (self.next..end).map(SymbolId).collect();
        let Self { bytes, ends, .. } = self;
        self.input.with_index(|index| {
            bytes.clear();
            ends.clear();
            index.texts(&symbols, |_, text| {
                bytes.push_str(text);
                ends.push(bytes.len());
            })
        })?;
        self.next = end;
        self.at = 0;
        Ok(())
    }
}
