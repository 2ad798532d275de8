//! What a destructor may do with the pool of its object.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use mem_pool::generic::FixedPool;
use mem_pool::{Lock, PoolBox};

use crate::support::{
    Mode, OnDrop, Walked, count, in_every_mode, in_walked_modes, on_a_large_stack,
};

in_every_mode!(
    it_may_allocate,
    it_may_drop_other_objects,
    a_long_list_drops_itself,
    it_may_ask_the_pool,
    it_does_not_count_itself,
    it_may_reserve_and_shrink,
    it_may_drop_the_last_owner_of_the_pool,
    it_may_make_as_many_objects_as_the_limit_leaves,
    it_may_run_while_another_destructor_does,
);

/// A pool of objects whose destructors do what they are told, shared with those.
fn hooks<A: Mode, L: Lock>() -> Rc<FixedPool<OnDrop, A, L>> {
    Rc::new(A::builder().build())
}

fn it_may_allocate<A: Mode, L: Lock>() {
    let pool = hooks::<A, L>();
    let made = Rc::new(RefCell::new(Vec::new()));
    for _ in 0..200 {
        let inside = (pool.clone(), made.clone());
        drop(pool.alloc(OnDrop::new(move || {
            inside
                .1
                .borrow_mut()
                .push(inside.0.alloc(OnDrop::nothing()));
        })));
    }
    assert_eq!((made.borrow().len(), pool.len()), (200, 200));
    made.borrow_mut().clear();
    assert!(pool.is_empty());
}

fn it_may_drop_other_objects<A: Mode, L: Lock>() {
    let pool = hooks::<A, L>();
    let dropped = Rc::new(Cell::new(0));
    let others: Vec<_> = (0..100)
        .map(|_| {
            let dropped = dropped.clone();
            pool.alloc(OnDrop::new(move || dropped.set(dropped.get() + 1)))
        })
        .collect();
    drop(pool.alloc(OnDrop::new(move || drop(others))));
    assert_eq!((dropped.get(), pool.len()), (100, 0));
}

struct Node<A: Mode, L: Lock>(
    #[expect(dead_code, reason = "dropped")] Option<PoolBox<Node<A, L>, A, L>>,
);

fn a_long_list_drops_itself<A: Mode, L: Lock>() {
    on_a_large_stack(|| {
        let pool = A::builder::<Node<A, L>, L>().build();
        let mut list = None;
        for _ in 0..count(10_000) {
            list = Some(pool.alloc(Node(list)));
        }
        assert_eq!(pool.len(), count(10_000));
        drop(list);
        assert_eq!((pool.len(), pool.stats().deferred), (0, 0));
    });
}

fn it_may_ask_the_pool<A: Mode, L: Lock>() {
    let pool = hooks::<A, L>();
    let ran = Rc::new(Cell::new(false));
    let neighbour = pool.alloc(OnDrop::nothing());
    let inside = (pool.clone(), ran.clone());
    let handle = pool.alloc(OnDrop::new(move || {
        let pool = inside.0;
        assert_eq!(pool.capacity(), pool.stats().capacity);
        assert!(format!("{pool:?}").contains("capacity"));
        assert!(!pool.contains(std::ptr::null()));
        A::walk(&pool, |_| ());
        inside.1.set(true);
    }));
    drop(handle);
    assert!(ran.get() && pool.owns(&neighbour));
}

fn it_does_not_count_itself<A: Mode, L: Lock>() {
    let pool = hooks::<A, L>();
    let _neighbours = [pool.alloc(OnDrop::nothing()), pool.alloc(OnDrop::nothing())];
    let counted = Rc::new(Cell::new((0, 0)));
    let inside = (pool.clone(), counted.clone());
    drop(pool.alloc(OnDrop::new(move || {
        inside.1.set((inside.0.len(), inside.0.stats().live));
    })));
    assert_eq!(counted.get(), (2, 2), "a drop that has begun");
}

fn it_may_reserve_and_shrink<A: Mode, L: Lock>() {
    let pool = hooks::<A, L>();
    for _ in 0..10 {
        let inside = pool.clone();
        drop(pool.alloc(OnDrop::new(move || {
            inside.reserve(1000);
            assert!(inside.shrink_to_fit() > 0);
            assert!(inside.capacity() > 0, "the dying object still has its slot");
            drop(inside.vacant());
        })));
    }
    assert!(pool.is_empty());
}

fn it_may_drop_the_last_owner_of_the_pool<A: Mode, L: Lock>() {
    let pool = hooks::<A, L>();
    let ran = Rc::new(Cell::new(0));
    let inside = (pool.clone(), ran.clone());
    let handle = pool.alloc(OnDrop::new(move || {
        inside.1.set(Rc::strong_count(&inside.0));
        drop(inside.0);
    }));
    drop(pool);
    drop(handle);
    assert_eq!(ran.get(), 1, "it was the last owner");
}

fn it_may_make_as_many_objects_as_the_limit_leaves<A: Mode, L: Lock>() {
    let pool: Rc<FixedPool<OnDrop, A, L>> = Rc::new(A::builder().limit(5).build());
    let made = Rc::new(Cell::new(0));
    let inside = (pool.clone(), made.clone());
    drop(pool.alloc(OnDrop::new(move || {
        let all: Vec<_> =
            std::iter::from_fn(|| inside.0.try_alloc(OnDrop::nothing()).ok()).collect();
        inside.1.set(all.len());
    })));
    assert_eq!((made.get(), pool.capacity()), (4, 5));
}

fn it_may_run_while_another_destructor_does<A: Mode, L: Lock>() {
    let pool = hooks::<A, L>();
    let order = Rc::new(RefCell::new(Vec::new()));
    let mut inner = pool.alloc(OnDrop::nothing());
    for depth in 0..20 {
        let log = order.clone();
        let owned = inner;
        inner = pool.alloc(OnDrop::new(move || {
            log.borrow_mut().push(depth);
            drop(owned);
            log.borrow_mut().push(depth);
        }));
    }
    drop(inner);
    let down = (0..20).rev();
    let expected: Vec<_> = down.chain(0..20).collect();
    assert_eq!((order.take(), pool.len()), (expected, 0));
}

in_walked_modes!(
    it_may_walk_and_is_not_visited,
    neither_walks_nor_holds_in_nested_ones_show_their_objects,
    a_deferred_one_may_drop_the_last_owner_of_its_data,
    a_deferred_one_may_drop_objects_of_the_same_group,
);

fn it_may_walk_and_is_not_visited<A: Walked, L: Lock>() {
    let pool = Rc::new(A::builder::<(u32, OnDrop), L>().build());
    let _neighbours: Vec<_> = (0..100)
        .map(|n| pool.alloc((n, OnDrop::nothing())))
        .collect();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let inside = (pool.clone(), seen.clone());
    let walk = OnDrop::new(move || inside.0.for_each(|(n, _)| inside.1.borrow_mut().push(*n)));
    drop(pool.alloc((1000, walk)));
    let seen = seen.take();
    assert!(seen.len() == 100 && !seen.contains(&1000));
}

fn neither_walks_nor_holds_in_nested_ones_show_their_objects<A: Walked, L: Lock>() {
    let pool = hooks::<A, L>();
    let _neighbour = pool.alloc(OnDrop::nothing());
    let seen = Rc::new(RefCell::new(Vec::new()));
    let mut chain = None;
    for _ in 0..4 {
        let (inside, seen, inner) = (pool.clone(), seen.clone(), chain);
        chain = Some(pool.alloc(OnDrop::new(move || {
            let show = || {
                let held = inside.hold().iter().count();
                inside.for_each(|_| seen.borrow_mut().push(held));
            };
            if inner.is_none() {
                show(); // the others have begun, and nobody has looked since
            }
            drop(inner);
            show();
        })));
    }
    let _other = pool.alloc(OnDrop::nothing());
    drop(chain);
    assert_eq!(
        seen.take(),
        [2; 5 * 2],
        "what a hold showed, for each of the neighbours that a walk did"
    );
}

fn a_deferred_one_may_drop_the_last_owner_of_its_data<A: Walked, L: Lock>() {
    let pool = hooks::<A, L>();
    let data = Rc::new(5);
    let weak = Rc::downgrade(&data);
    let handle = Cell::new(Some(pool.alloc(OnDrop::new(move || drop(data)))));
    pool.for_each(|_| {
        drop(handle.take());
        assert!(weak.upgrade().is_some());
    });
    assert!(weak.upgrade().is_none());
}

fn a_deferred_one_may_drop_objects_of_the_same_group<A: Walked, L: Lock>() {
    let pool = hooks::<A, L>();
    let mut chain = pool.alloc(OnDrop::nothing());
    for _ in 0..150 {
        let owned = chain;
        chain = pool.alloc(OnDrop::new(move || drop(owned)));
    }
    let chain = Cell::new(Some(chain));
    pool.for_each(|_| drop(chain.take()));
    assert_eq!((pool.len(), pool.stats().deferred), (0, 0));
}
