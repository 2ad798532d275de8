//! Objects that account for themselves.

use std::cell::RefCell;
use std::rc::Rc;

/// What has become of an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// Its handle or its pool has it.
    Live,
    /// Its handle is gone, its destructor has not run.
    Dropped,
    /// Its destructor has run, or it was moved out.
    Gone,
}

/// The state of each object by its number: what the model says, and what really happened.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Rc<RefCell<Vec<(State, u32)>>>);

impl Ledger {
    pub(crate) fn make(&self) -> Object {
        let mut all = self.0.borrow_mut();
        all.push((State::Live, 0));
        let id = all.len() - 1;
        Object {
            id,
            canary: !id as u64,
            text: format!("object {id}").into(),
            ledger: self.clone(),
        }
    }

    pub(crate) fn state(&self, id: usize) -> State {
        self.0.borrow()[id].0
    }

    pub(crate) fn set(&self, id: usize, state: State) {
        self.0.borrow_mut()[id].0 = state;
    }

    pub(crate) fn count_all(&self) -> usize {
        self.0.borrow().len()
    }

    pub(crate) fn count(&self, state: State) -> usize {
        self.0
            .borrow()
            .iter()
            .filter(|object| object.0 == state)
            .count()
    }

    /// Objects whose destructor has not run, and which were not moved out.
    pub(crate) fn count_undestroyed(&self) -> usize {
        let all = self.0.borrow();
        let undestroyed = all
            .iter()
            .filter(|(state, drops)| *state != State::Gone && *drops == 0);
        undestroyed.count()
    }

    /// The last hold or walk has gone.
    pub(crate) fn settle(&self) {
        for object in self.0.borrow_mut().iter_mut() {
            if object.0 == State::Dropped {
                object.0 = State::Gone;
            }
        }
    }

    /// Each destructor has run once where the model says so, and nowhere else.
    pub(crate) fn check(&self) {
        for (id, (state, drops)) in self.0.borrow().iter().enumerate() {
            assert_eq!(
                *drops,
                u32::from(*state == State::Gone),
                "object {id} is {state:?}"
            );
        }
    }
}

pub(crate) struct Object {
    pub(crate) id: usize,
    canary: u64,
    text: Box<str>,
    ledger: Ledger,
}

impl Object {
    pub(crate) fn check(&self) {
        assert_eq!(
            self.canary, !self.id as u64,
            "object {} is not intact",
            self.id
        );
        assert_eq!(&*self.text, format!("object {}", self.id));
    }

    /// Changes nothing, by writing.
    pub(crate) fn touch(&mut self) {
        self.canary = !self.id as u64;
        self.check();
    }
}

impl Clone for Object {
    fn clone(&self) -> Self {
        self.check();
        self.ledger.make()
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        self.check();
        self.canary = 0;
        self.ledger.0.borrow_mut()[self.id].1 += 1;
    }
}
