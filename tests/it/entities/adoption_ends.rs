//! How adopted objects end: whatever panics, all of them do, exactly once.

use mem_pool::generic::FixedPool;
use mem_pool::{Keyed, Lock, PoolBox, WeakKey};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::{Bomb, counts, fill, in_both_locks};
use crate::support::{Ledger, Mode, OnDrop, panic_message, pool};

in_both_locks!(
    clear_destroys_all_even_if_one_panics,
    the_pools_drop_destroys_all_even_if_one_panics,
    retain_goes_on_after_a_destructor_has_panicked,
    a_panic_in_retains_question_loses_nothing,
    a_destructor_panics_after_its_object_was_removed,
    memory_goes_back_when_one_panics,
    a_cleared_objects_destructor_uses_handles_of_its_pool,
    the_pools_drop_ends_adopted_and_forgotten_alike,
    adopted_objects_that_own_each_other_end_with_the_pool,
    a_destructor_may_drop_the_last_handle_into_a_dying_pool,
);

type Bombs<L> = FixedPool<Bomb, Keyed, L>;

/// So many adopted bombs, some of them armed.
fn adopted<L: Lock>(
    pool: &Bombs<L>,
    ledger: &Ledger,
    count: usize,
    armed: usize,
) -> Vec<WeakKey<Bomb>> {
    (0..count)
        .map(|n| pool.adopt(pool.alloc(Bomb::new(ledger, n == armed))))
        .collect()
}

fn clear_destroys_all_even_if_one_panics<L: Lock>() {
    for (armed, growth) in [(0, 64), (63, 64), (64, 1000), (299, 7), (128, 1)] {
        let ledger = Ledger::default();
        let mut pool: Bombs<L> = Mode::builder().growth(growth).limit(300).build();
        let keys = adopted(&pool, &ledger, 300, armed);
        assert_eq!(panic_message(|| pool.clear()), format!("bomb {armed}"));
        ledger.assert_settled();
        assert_eq!(counts(&pool), (0, 0));
        assert!(keys.iter().all(|key| pool.remove(*key).is_none()));
        pool.clear();
        adopted(&pool, &ledger, 300, usize::MAX); // all slots are there again
        pool.clear();
        ledger.assert_settled();
    }
}

fn the_pools_drop_destroys_all_even_if_one_panics<L: Lock>() {
    for armed in [0, 63, 64, 150, 299] {
        let ledger = Ledger::default();
        let pool: Bombs<L> = Mode::builder().growth(100).build();
        let owned: Vec<_> = (0..10)
            .map(|_| pool.alloc(Bomb::new(&ledger, false)))
            .collect();
        adopted(&pool, &ledger, 300, armed);
        let message = panic_message(|| drop(pool));
        assert_eq!(message, format!("bomb {}", armed + 10));
        assert_eq!(ledger.dropped(), 300);
        drop(owned);
        ledger.assert_settled();
    }
}

fn retain_goes_on_after_a_destructor_has_panicked<L: Lock>() {
    let ledger = Ledger::default();
    let mut pool: Bombs<L> = Mode::builder().growth(1000).build();
    let keys = adopted(&pool, &ledger, 300, 10);
    let mut asked = 0;
    let message = panic_message(|| {
        pool.retain(|bomb| {
            asked += 1;
            bomb.body.id % 2 == 1
        })
    });
    assert_eq!(message, "bomb 10");
    // Who was refused is gone; who was not asked, or kept, is there.
    let refused = (0..asked).filter(|id| id % 2 == 0).count();
    assert_eq!(
        (ledger.dropped(), counts(&pool)),
        (refused, (300 - refused, 0))
    );
    assert!(ledger.drops_of(10) == 1 && pool.remove(keys[10]).is_none());
    pool.retain(|bomb| bomb.body.id % 2 == 1);
    assert_eq!(counts(&pool), (150, 0));
    pool.clear();
    ledger.assert_settled();
}

fn a_panic_in_retains_question_loses_nothing<L: Lock>() {
    let ledger = Ledger::default();
    let mut pool: Bombs<L> = pool();
    adopted(&pool, &ledger, 300, usize::MAX);
    let mut asked = 0;
    let message = panic_message(|| {
        pool.retain(|_| {
            asked += 1;
            assert!(asked <= 100, "enough");
            asked % 2 == 0
        })
    });
    assert_eq!(message, "enough");
    assert_eq!((ledger.dropped(), counts(&pool)), (50, (250, 0)));
    pool.retain(|_| true);
    assert_eq!(pool.len(), 250);
    pool.clear();
    ledger.assert_settled();
}

fn a_destructor_panics_after_its_object_was_removed<L: Lock>() {
    let ledger = Ledger::default();
    let mut pool: Bombs<L> = Mode::builder().limit(1).build();
    let keys = adopted(&pool, &ledger, 1, 0);
    let bomb = pool.remove(keys[0]).unwrap();
    assert_eq!(counts(&pool), (0, 0));
    panic_message(|| drop(bomb));
    drop(pool.alloc(Bomb::new(&ledger, false)));
    ledger.assert_settled();
}

fn memory_goes_back_when_one_panics<L: Lock>() {
    for way in 0..2 {
        let ledger = Ledger::default();
        let mut pool: Bombs<L> = Mode::builder().growth(50).keep_empty(0).build();
        adopted(&pool, &ledger, 500, 123);
        panic_message(|| match way {
            0 => pool.clear(),
            _ => pool.retain(|bomb| bomb.body.id != 123),
        });
        pool.clear();
        assert_eq!((counts(&pool), pool.stats().reserved_bytes), ((0, 0), 0));
        ledger.assert_settled();
    }
}

fn a_cleared_objects_destructor_uses_handles_of_its_pool<L: Lock>() {
    let mut pool = pool::<OnDrop, Keyed, L>();
    let runs = Rc::new(Cell::new(0));
    for _ in 0..100 {
        let handles: Vec<_> = (0..3).map(|_| pool.alloc(OnDrop::nothing())).collect();
        let runs = runs.clone();
        pool.adopt(pool.alloc(OnDrop::new(move || {
            let keys: Vec<_> = handles.iter().map(PoolBox::downgrade).collect();
            assert!(keys.is_sorted());
            for handle in handles {
                drop(PoolBox::try_into_inner(handle));
            }
            runs.set(runs.get() + 1);
        })));
    }
    pool.clear();
    assert_eq!((runs.get(), counts(&pool)), (100, (0, 0)));
}

fn the_pools_drop_ends_adopted_and_forgotten_alike<L: Lock>() {
    for (armed_adopted, armed_dropped) in [(false, false), (true, false), (false, true)] {
        let ledger = Ledger::default();
        let pool: Bombs<L> = pool();
        adopted(
            &pool,
            &ledger,
            100,
            if armed_adopted { 50 } else { usize::MAX },
        );
        let mut bombs: Vec<_> = (0..100)
            .map(|n| pool.alloc(Bomb::new(&ledger, armed_dropped && n == 50)))
            .collect();
        let owned = bombs.split_off(80);
        std::mem::forget(pool.hold());
        drop(bombs);
        if armed_adopted || armed_dropped {
            panic_message(|| drop(pool));
        } else {
            drop(pool);
        }
        assert_eq!(ledger.dropped(), 180);
        drop(owned);
        ledger.assert_settled();
    }
}

struct Node<L: Lock> {
    _next: RefCell<Option<PoolBox<Node<L>, Keyed, L>>>,
    _body: crate::support::Tracked,
}

fn adopted_objects_that_own_each_other_end_with_the_pool<L: Lock>() {
    for clear in [false, true] {
        let ledger = Ledger::default();
        let mut pool = pool::<Node<L>, Keyed, L>();
        let node = |next| Node {
            _next: RefCell::new(next),
            _body: ledger.make(),
        };
        // Chains whose heads are adopted, and the handle of one of them in another chain's tail.
        for _ in 0..50 {
            let tail = pool.alloc(node(None));
            let key = PoolBox::downgrade(&tail);
            let middle = pool.alloc(node(Some(tail)));
            pool.adopt(pool.alloc(node(Some(middle))));
            let stray = pool.alloc(node(None));
            pool.hold()[key]._next.replace(Some(stray));
        }
        assert_eq!(pool.len(), 200);
        if clear {
            pool.clear();
            assert_eq!(counts(&pool), (0, 0));
        }
        drop(pool);
        ledger.assert_settled();
    }
}

fn a_destructor_may_drop_the_last_handle_into_a_dying_pool<L: Lock>() {
    let ledger = Ledger::default();
    let objects = pool::<_, Keyed, L>();
    let owner = pool::<OnDrop, Keyed, L>();
    let handles = fill(&objects, &ledger, 200);
    // The other pool goes while this one's adopted object is being destroyed.
    owner.adopt(owner.alloc(OnDrop::nothing()));
    let rest = Rc::new(Cell::new(Some(handles)));
    let later = rest.clone();
    drop(objects);
    owner.adopt(owner.alloc(OnDrop::new(move || drop(later.take()))));
    assert_eq!(ledger.dropped(), 0);
    drop(owner);
    ledger.assert_settled();
}
