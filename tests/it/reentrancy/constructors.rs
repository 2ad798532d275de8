//! What constructors, clones and comparisons may do with the pool they run for.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use mem_pool::generic::FixedPool;
use mem_pool::{Lock, Locked, PoolBox, Unique, Unlocked};

use crate::support::{Mode, in_every_mode, pool};

in_every_mode!(
    a_constructor_may_use_the_pool,
    constructors_nest,
    an_unfinished_object_is_nobodys,
);

fn a_constructor_may_use_the_pool<A: Mode, L: Lock>() {
    let pool = pool::<usize, A, L>();
    let mut others = Vec::new();
    let handle = pool.alloc_with(|| {
        let before = pool.len();
        others.extend((0..500).map(|n| pool.alloc(n)));
        others.truncate(250);
        pool.reserve(1000);
        pool.shrink_to_fit();
        A::walk(&pool, |_| ());
        drop(pool.vacant());
        assert!(pool.try_alloc_with(|| 1).is_ok());
        before + pool.len()
    });
    A::read(&pool, &handle, |n| assert_eq!(*n, 250));
    assert_eq!(pool.len(), 251);
}

fn constructors_nest<A: Mode, L: Lock>() {
    fn nest<A: Mode, L: Lock>(pool: &FixedPool<usize, A, L>, depth: usize) -> usize {
        if depth == 0 {
            return 0;
        }
        let handle = pool.alloc_with(|| nest(pool, depth - 1) + 1);
        A::read(pool, &handle, |n| *n)
    }
    let pool = A::builder::<usize, L>().limit(100).build();
    assert_eq!(nest(&pool, 100), 100);
    assert!(pool.is_empty());
}

fn an_unfinished_object_is_nobodys<A: Mode, L: Lock>() {
    let pool = A::builder::<u8, L>().limit(2).build();
    let neighbour = pool.alloc(1);
    let handle = pool.alloc_with(|| {
        assert_eq!((pool.len(), pool.stats().live), (1, 1));
        let mut seen = 0;
        if A::walk(&pool, |_| seen += 1) {
            assert_eq!(seen, 1);
        }
        assert!(pool.try_alloc(3).is_err(), "its slot is taken");
        2
    });
    assert_eq!(pool.len(), 2);
    drop((neighbour, handle));
}

type Shelf<L> = Rc<FixedPool<Busy<L>, Unique, L>>;
type Spares<L> = Rc<RefCell<Vec<PoolBox<Busy<L>, Unique, L>>>>;

/// An object whose every trait uses the pool it lives in.
struct Busy<L: Lock>(Shelf<L>, Spares<L>);

impl<L: Lock> Busy<L> {
    fn use_the_pool(&self) {
        let spare = Busy(self.0.clone(), self.1.clone());
        let spare = self.0.alloc(spare);
        self.1.borrow_mut().push(spare);
        drop(self.0.vacant());
        self.0.shrink_to_fit();
    }
}

impl<L: Lock> Clone for Busy<L> {
    fn clone(&self) -> Self {
        self.use_the_pool();
        Self(self.0.clone(), self.1.clone())
    }
}

impl<L: Lock> PartialEq for Busy<L> {
    fn eq(&self, _: &Self) -> bool {
        self.use_the_pool();
        true
    }
}

impl<L: Lock> fmt::Debug for Busy<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.use_the_pool();
        f.write_str("busy")
    }
}

fn traits_of_the_object_may_use_the_pool<L: Lock>() {
    let pool: Shelf<L> = Rc::new(FixedPool::builder().unique().build());
    let spares = Rc::new(RefCell::new(Vec::new()));
    let handle = pool.alloc(Busy(pool.clone(), spares.clone()));
    let clone = handle.clone();
    assert!(handle == clone);
    assert_eq!(format!("{clone:?}"), "busy");
    assert_eq!((pool.len(), spares.borrow().len()), (5, 3));
    let spares = spares.take();
    drop((spares, handle, clone));
    assert!(pool.is_empty());
}

#[test]
fn traits_may_use_the_pool() {
    let _watchdog = crate::support::watchdog();
    traits_of_the_object_may_use_the_pool::<Locked>();
    traits_of_the_object_may_use_the_pool::<Unlocked>();
}
