//! A view that gives floats alone and tells when there was more.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::source::{
    Allowance, Column, Cursor, HistogramSample, Selection, SeriesSet, Symbol, View,
};
use crate::{Error, ErrorKind, Labels};

/// A view whose series cannot be read where they have histograms: columns of floats alone would
/// not be the answer.
pub(crate) struct FloatsOnly<'v> {
    view: &'v dyn View,
    met: AtomicBool,
}

impl<'v> FloatsOnly<'v> {
    pub(crate) fn new(view: &'v dyn View) -> Self {
        Self {
            view,
            met: AtomicBool::new(false),
        }
    }

    /// Whether a series with histograms was asked for.
    pub(crate) fn met_histograms(&self) -> bool {
        self.met.load(Ordering::Relaxed)
    }
}

impl View for FloatsOnly<'_> {
    fn select(&self, selection: &Selection<'_>) -> Result<Box<dyn SeriesSet + '_>, Error> {
        Ok(Box::new(Floats {
            set: self.view.select(selection)?,
            met: &self.met,
        }))
    }
}

struct Floats<'s> {
    set: Box<dyn SeriesSet + 's>,
    met: &'s AtomicBool,
}

impl SeriesSet for Floats<'_> {
    fn len(&self) -> usize {
        self.set.len()
    }

    fn label_symbols(&self, series: usize, out: &mut Vec<(Symbol, Symbol)>) {
        self.set.label_symbols(series, out);
    }

    fn symbol(&self, text: &str) -> Option<Symbol> {
        self.set.symbol(text)
    }

    fn labels(&self, series: usize) -> Labels {
        self.set.labels(series)
    }

    fn columns(
        &self,
        series: usize,
        cursor: &mut Cursor,
        allowance: &dyn Allowance,
        each: &mut dyn FnMut(Column<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.set.has_histograms(series)? {
            self.met.store(true, Ordering::Relaxed);
            let message = "native histograms where floats are expected";
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        self.set.columns(series, cursor, allowance, each)
    }

    fn has_histograms(&self, series: usize) -> Result<bool, Error> {
        self.set.has_histograms(series)
    }

    fn histograms(
        &self,
        series: usize,
        each: &mut dyn FnMut(HistogramSample) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.set.histograms(series, each)
    }
}
