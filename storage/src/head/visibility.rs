//! Which commit groups readers see.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::model::Seq;

/// The last commit group that readers see, and what the readers of now see.
#[derive(Debug, Default)]
pub(super) struct Visibility {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Seq of the last group that was applied as a whole.
    visible: Seq,
    /// Seqs pinned and how often, in rising order: a new pin always has the last one, so this
    /// is as long as there are different states in use.
    pins: Vec<(Seq, usize)>,
}

/// A state of the head that stays readable: what is read under it is exactly the batches up to
/// its seq, however many are applied meanwhile. Dropping it lets the state go.
///
/// It belongs to the head that gave it and says nothing about another one.
#[derive(Debug)]
pub struct Pin {
    seq: Seq,
    visibility: Arc<Visibility>,
}

impl Pin {
    /// The last batch that is seen.
    pub fn seq(&self) -> Seq {
        self.seq
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut state = self.visibility.state.lock();
        if let Ok(at) = state.pins.binary_search_by_key(&self.seq, |pin| pin.0) {
            state.pins[at].1 -= 1;
            if state.pins[at].1 == 0 {
                state.pins.remove(at);
            }
        }
    }
}

impl Visibility {
    pub(super) fn pin(self: &Arc<Self>) -> Pin {
        let mut state = self.state.lock();
        let seq = state.visible;
        match state.pins.last_mut() {
            Some((last, count)) if *last == seq => *count += 1,
            _ => state.pins.push((seq, 1)),
        }
        Pin {
            seq,
            visibility: Arc::clone(self),
        }
    }

    pub(super) fn visible(&self) -> Seq {
        self.state.lock().visible
    }

    /// Makes everything up to `seq` visible.
    pub(super) fn advance(&self, seq: Seq) {
        let mut state = self.state.lock();
        debug_assert!(state.visible <= seq);
        state.visible = state.visible.max(seq);
    }

    /// The states that are pinned, in rising order. A pin taken later, before the next
    /// [`Visibility::advance`], has the visible state.
    pub(super) fn pinned(&self, into: &mut Vec<Seq>) {
        into.clear();
        into.extend(self.state.lock().pins.iter().map(|pin| pin.0));
    }

    pub(super) fn pins(&self) -> usize {
        self.state.lock().pins.iter().map(|pin| pin.1).sum()
    }
}
