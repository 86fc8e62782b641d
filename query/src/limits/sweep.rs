//! What queries leave that were ended: freed behind their answers.
//!
//! A million rows are three million pieces of memory, and to free them takes a tenth of a second. A
//! query that goes on frees what it needs no more in pieces, and looks in between whether it
//! still is to; one that was ended leaves it to a thread, with what it holds of the budget.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::Limits;

/// How many elements are freed from one check to the next: tens of microseconds.
const PIECE: usize = 512;

/// Something that takes long to free.
pub(super) type Rubbish = Box<dyn Send>;

/// What a query leaves.
#[derive(Default)]
pub(super) struct Left(pub(super) Vec<Rubbish>);

impl std::fmt::Debug for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} things", self.0.len())
    }
}

/// Frees things one after the other, on a thread that is there while there are any.
#[derive(Default)]
pub(crate) struct Sweeper {
    heap: Mutex<Heap>,
    swept: Condvar,
}

#[derive(Default)]
struct Heap {
    left: VecDeque<Rubbish>,
    /// Whether there is a thread.
    is_swept: bool,
}

impl std::fmt::Debug for Sweeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sweeper").finish_non_exhaustive()
    }
}

impl Sweeper {
    fn heap(&self) -> MutexGuard<'_, Heap> {
        self.heap.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Frees something soon; here where there is no thread for it.
    pub(super) fn take(self: &Arc<Self>, rubbish: Rubbish) {
        let mut heap = self.heap();
        heap.left.push_back(rubbish);
        if heap.is_swept {
            return;
        }
        heap.is_swept = true;
        drop(heap);
        let sweeper = Arc::clone(self);
        let thread = thread::Builder::new().name("query-sweep".to_owned());
        if thread.spawn(move || sweeper.sweep()).is_err() {
            self.sweep();
        }
    }

    fn sweep(&self) {
        loop {
            let mut heap = self.heap();
            let Some(rubbish) = heap.left.pop_front() else {
                heap.is_swept = false;
                drop(heap);
                self.swept.notify_all();
                return;
            };
            drop(heap);
            drop(rubbish);
        }
    }

    /// Waits until there is nothing left.
    pub(crate) fn wait(&self) {
        let mut heap = self.heap();
        while heap.is_swept {
            heap = match self.swept.wait(heap) {
                Ok(heap) => heap,
                Err(poisoned) => poisoned.into_inner(),
            };
        }
    }
}

/// Many elements that are freed in pieces, or behind the answer where the query was ended.
#[derive(Debug)]
pub(crate) struct Swept<'l, C: Sweep> {
    elements: C,
    limits: &'l Limits<'l>,
}

/// What has elements that can be freed one by one, on any thread.
pub(crate) trait Sweep:
    Default + IntoIterator<IntoIter: ExactSizeIterator + Send + 'static>
{
}

impl<C: Default + IntoIterator<IntoIter: ExactSizeIterator + Send + 'static>> Sweep for C {}

impl<'l, C: Sweep> Swept<'l, C> {
    pub(crate) fn new(elements: C, limits: &'l Limits<'l>) -> Self {
        Self { elements, limits }
    }

    /// The elements, freed by whoever has them then.
    pub(crate) fn into_inner(mut self) -> C {
        std::mem::take(&mut self.elements)
    }
}

impl<C: Sweep> Deref for Swept<'_, C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.elements
    }
}

impl<C: Sweep> DerefMut for Swept<'_, C> {
    fn deref_mut(&mut self) -> &mut C {
        &mut self.elements
    }
}

impl<C: Sweep> Drop for Swept<'_, C> {
    fn drop(&mut self) {
        self.limits.free(std::mem::take(&mut self.elements));
    }
}

impl<'l, C: Sweep> IntoIterator for Swept<'l, C> {
    type Item = C::Item;
    type IntoIter = SweptIter<'l, C::IntoIter>;

    fn into_iter(self) -> Self::IntoIter {
        let limits = self.limits;
        SweptIter {
            elements: Some(self.into_inner().into_iter()),
            limits,
        }
    }
}

/// The elements one by one; those that are left are freed as [`Swept`] frees them.
#[derive(Debug)]
pub(crate) struct SweptIter<'l, I: ExactSizeIterator + Send + 'static> {
    elements: Option<I>,
    limits: &'l Limits<'l>,
}

impl<I: ExactSizeIterator + Send + 'static> Iterator for SweptIter<'_, I> {
    type Item = I::Item;

    #[inline]
    fn next(&mut self) -> Option<I::Item> {
        self.elements.as_mut()?.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.elements.as_ref().map_or(0, ExactSizeIterator::len);
        (left, Some(left))
    }
}

impl<I: ExactSizeIterator + Send + 'static> ExactSizeIterator for SweptIter<'_, I> {}

impl<I: ExactSizeIterator + Send + 'static> Drop for SweptIter<'_, I> {
    fn drop(&mut self) {
        if let Some(elements) = self.elements.take() {
            self.limits.free(elements);
        }
    }
}

impl Limits<'_> {
    /// Frees elements in pieces as long as the query goes on, and leaves the others.
    pub(crate) fn free<C>(&self, elements: C)
    where
        C: IntoIterator<IntoIter: ExactSizeIterator + Send + 'static>,
    {
        let mut elements = elements.into_iter();
        while elements.len() > PIECE {
            if self.has_ended() || self.check().is_err() {
                return self.leave(elements);
            }
            elements.by_ref().take(PIECE).for_each(drop);
        }
    }

    /// Leaves something to be freed behind the answer.
    pub(crate) fn leave(&self, rubbish: impl Send + 'static) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.0.push(Box::new(rubbish));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::{Receiver, channel};

    use super::super::{Budget, Loan};
    use super::*;

    /// Is freed once somebody says so, and says on which thread.
    struct Slow(Receiver<()>, std::sync::mpsc::Sender<thread::ThreadId>);

    impl Drop for Slow {
        fn drop(&mut self) {
            let _ = self.0.recv();
            let _ = self.1.send(thread::current().id());
        }
    }

    #[test]
    fn what_an_ended_query_leaves_counts_until_it_is_freed() {
        let budget = Arc::new(Budget::new(1000));
        let cancel = AtomicBool::new(true);
        let limits = Limits::new(&budget, 10, None, Some(&cancel));
        let mut loan = Loan::new(&limits);
        loan.add(0, 600).unwrap();
        assert!(limits.check().is_err());
        let (go, wait) = channel();
        let (freed, was_freed) = channel();
        limits.leave(Slow(wait, freed));
        drop(loan);
        drop(limits);
        assert_eq!(budget.bytes_held(), 600);
        assert_eq!(budget.take_largest_ended(), 0);
        go.send(()).unwrap();
        assert_ne!(was_freed.recv().unwrap(), thread::current().id());
        budget.sweeper().wait();
        assert_eq!(budget.bytes_held(), 0);
        assert_eq!(budget.take_largest_ended(), 600);
    }

    /// Counts itself when it is freed here.
    #[derive(Clone)]
    struct Counted(Arc<std::sync::atomic::AtomicUsize>, thread::ThreadId);

    impl Drop for Counted {
        fn drop(&mut self) {
            let here = thread::current().id() == self.1;
            self.0.fetch_add(usize::from(here), Ordering::Relaxed);
        }
    }

    #[test]
    fn elements_are_freed_here_until_the_query_is_ended() {
        for ended in [false, true] {
            let budget = Arc::new(Budget::new(1000));
            let cancel = AtomicBool::new(ended);
            let limits = Limits::new(&budget, 10, None, Some(&cancel));
            let count = Arc::default();
            let element = Counted(Arc::clone(&count), thread::current().id());
            let swept = Swept::new(vec![element.clone(); 3000], &limits);
            let mut taken = swept.into_iter();
            assert_eq!(taken.len(), 3000);
            taken.next();
            drop(taken);
            let here = count.load(Ordering::Relaxed);
            assert_eq!(here, if ended { 1 } else { 3000 });
            drop(limits);
            budget.sweeper().wait();
            assert_eq!(Arc::strong_count(&count), 2);
        }
    }
}
