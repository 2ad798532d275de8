#![expect(unsafe_code, reason = "one peer gives pointers, not references")]
#![expect(deprecated, reason = "the hop slot map is still on offer")]
//! The containers that are walked, filled with objects and emptied at random.

use fastrand::Rng;
use infinity_pool::{PinnedPool, PooledMut};
use mem_pool::{FixedPool, Keyed, PoolBox, Shared, local};
use slab::Slab;
use slotmap::{DefaultKey, DenseSlotMap, HopSlotMap, SlotMap};
use thunderdome::Arena;

use crate::contenders::{BoxIn, Glibc, Object, Plain, Side};

pub(super) type Item = Plain<8>;

/// A container full of objects.
pub(super) trait Walk {
    fn read(&mut self) -> u64;
    /// Says whether there is such a walk.
    fn change(&mut self) -> bool;
}

fn item(number: usize) -> Item {
    Item::new(number as u64)
}

fn sum<'a>(items: impl Iterator<Item = &'a Item>) -> u64 {
    items.map(Item::word).fold(0, u64::wrapping_add)
}

pub(super) fn touch(item: &mut Item) {
    *item.word_mut() += 1;
}

/// As many objects as there are answers; stay those for which it is yes.
fn kept<H>(keep: &[bool], make: impl FnMut(usize) -> H) -> Vec<H> {
    let all: Vec<H> = (0..keep.len()).map(make).collect();
    let left = all.into_iter().zip(keep);
    left.filter_map(|(handle, &keep)| keep.then_some(handle))
        .collect()
}

/// A pool and the handles of what is left in it.
pub(super) struct Held<P, H> {
    pub(super) pool: P,
    _handles: Vec<H>,
}

impl<P, H> Held<P, H> {
    fn new(pool: P, keep: &[bool], make: impl Fn(&P, Item) -> H) -> Self {
        let handles = kept(keep, |number| make(&pool, item(number)));
        Self {
            pool,
            _handles: handles,
        }
    }
}

/// A walk by closure.
macro_rules! by_closure {
    ($pool:ty, $handle:ty, $change:expr) => {
        impl Walk for Held<$pool, $handle> {
            fn read(&mut self) -> u64 {
                let mut sum = 0_u64;
                self.pool
                    .for_each(|item| sum = sum.wrapping_add(item.word()));
                sum
            }

            fn change(&mut self) -> bool {
                $change(&mut self.pool)
            }
        }
    };
}

by_closure!(FixedPool<Item>, PoolBox<Item>, |_| false);
by_closure!(FixedPool<Item, Keyed>, PoolBox<Item, Keyed>, |pool: &mut FixedPool<Item, Keyed>| {
    pool.for_each_mut(touch);
    true
});
by_closure!(
    local::FixedPool<Item, Keyed>,
    local::PoolBox<Item, Keyed>,
    |pool: &mut local::FixedPool<Item, Keyed>| {
        pool.for_each_mut(touch);
        true
    }
);

/// A walk by the iterator of a hold.
struct ByHold<W>(W);

macro_rules! by_hold {
    ($pool:ty, $handle:ty) => {
        impl Walk for ByHold<Held<$pool, $handle>> {
            fn read(&mut self) -> u64 {
                sum(self.0.pool.hold().iter())
            }

            fn change(&mut self) -> bool {
                self.0.pool.hold_mut().iter_mut().for_each(touch);
                true
            }
        }
    };
}

by_hold!(FixedPool<Item, Keyed>, PoolBox<Item, Keyed>);
by_hold!(local::FixedPool<Item, Keyed>, local::PoolBox<Item, Keyed>);

/// A walk by the iterators of a container without handles to keep.
macro_rules! by_iterator {
    ($container:ty, |$this:ident| $read:expr, $change:expr) => {
        impl Walk for $container {
            fn read(&mut self) -> u64 {
                let $this = self;
                sum($read)
            }

            fn change(&mut self) -> bool {
                let $this = self;
                $change.for_each(touch);
                true
            }
        }
    };
}

by_iterator!(
    Slab<Item>,
    |slab| slab.iter().map(|(_, item)| item),
    slab.iter_mut().map(|(_, item)| item)
);
by_iterator!(SlotMap<DefaultKey, Item>, |map| map.values(), map.values_mut());
by_iterator!(DenseSlotMap<DefaultKey, Item>, |map| map.values(), map.values_mut());
by_iterator!(HopSlotMap<DefaultKey, Item>, |map| map.values(), map.values_mut());
by_iterator!(
    Arena<Item>,
    |arena| arena.iter().map(|(_, item)| item),
    arena.iter_mut().map(|(_, item)| item)
);
by_iterator!(Vec<Item>, |vec| vec.iter(), vec.iter_mut());
by_iterator!(
    Vec<Option<Item>>,
    |vec| vec.iter().flatten(),
    vec.iter_mut().flatten()
);
by_iterator!(
    Vec<BoxIn<Item, Glibc>>,
    |vec| vec.iter().map(BoxIn::get),
    vec.iter_mut().map(BoxIn::get_mut)
);

/// The only container that can be iterated uniquely alone.
impl Walk for sharded_slab::Slab<Item> {
    fn read(&mut self) -> u64 {
        sum(self.unique_iter())
    }

    fn change(&mut self) -> bool {
        false
    }
}

impl Walk for Held<PinnedPool<Item>, PooledMut<Item>> {
    fn read(&mut self) -> u64 {
        self.pool.with_iter(|items| {
            // SAFETY: valid: the handles keep the objects. Aliasing: nobody uses the handles.
            sum(items.map(|item| unsafe { item.as_ref() }))
        })
    }

    fn change(&mut self) -> bool {
        self.pool.with_iter(|items| {
            // SAFETY: valid: the handles keep the objects. Aliasing: nobody uses the handles.
            items.for_each(|mut item| touch(unsafe { item.as_mut() }));
        });
        true
    }
}

/// A container that is emptied by key.
fn emptied<C, K>(
    mut container: C,
    keep: &[bool],
    insert: impl Fn(&mut C, Item) -> K,
    remove: impl Fn(&mut C, K),
) -> Box<C> {
    let keys: Vec<K> = (0..keep.len())
        .map(|number| insert(&mut container, item(number)))
        .collect();
    let gone = keys.into_iter().zip(keep).filter(|(_, keep)| !**keep);
    gone.for_each(|(key, _)| remove(&mut container, key));
    Box::new(container)
}

/// The boxes' owner was told who goes, and has no holes; but the boxes lie anywhere.
fn boxes(keep: &[bool]) -> Box<dyn Walk> {
    let mut boxes = kept(keep, |number| BoxIn::new(item(number)));
    Rng::with_seed(2).shuffle(&mut boxes);
    Box::new(boxes)
}

fn vec(keep: &[bool]) -> Box<dyn Walk> {
    if keep.iter().all(|&keep| keep) {
        return Box::new((0..keep.len()).map(item).collect::<Vec<_>>());
    }
    let items = keep.iter().enumerate();
    Box::new(
        items
            .map(|(number, &keep)| keep.then(|| item(number)))
            .collect::<Vec<_>>(),
    )
}

/// Name, side, and what fills a container with an object for each answer, and keeps those for which it is yes.
pub(super) type Keeper = (&'static str, Side, fn(&[bool]) -> Box<dyn Walk>);

pub(super) fn keyed(keep: &[bool]) -> Held<FixedPool<Item, Keyed>, PoolBox<Item, Keyed>> {
    Held::new(FixedPool::keyed(), keep, |pool, item| pool.alloc(item))
}

fn local_keyed(keep: &[bool]) -> Held<local::FixedPool<Item, Keyed>, local::PoolBox<Item, Keyed>> {
    Held::new(local::FixedPool::keyed(), keep, |pool, item| {
        pool.alloc(item)
    })
}

fn shared(keep: &[bool]) -> Held<FixedPool<Item, Shared>, PoolBox<Item, Shared>> {
    Held::new(FixedPool::new(), keep, |pool, item| pool.alloc(item))
}

pub(super) const OURS: [Keeper; 5] = [
    ("mem-pool Keyed, for_each", Side::Ours, |keep| {
        Box::new(keyed(keep))
    }),
    ("mem-pool Keyed, hold", Side::Ours, |keep| {
        Box::new(ByHold(keyed(keep)))
    }),
    ("mem-pool Shared, for_each", Side::Ours, |keep| {
        Box::new(shared(keep))
    }),
    ("mem-pool local, for_each", Side::Ours, |keep| {
        Box::new(local_keyed(keep))
    }),
    ("mem-pool local, hold", Side::Ours, |keep| {
        Box::new(ByHold(local_keyed(keep)))
    }),
];

pub(super) const PEERS: [Keeper; 9] = [
    ("Vec (of Option if sparse)", Side::Heap, vec),
    ("Vec of Box, shuffled", Side::Heap, boxes),
    ("slab", Side::Pool, |keep| {
        emptied(Slab::new(), keep, Slab::insert, |slab, key| {
            _ = slab.remove(key)
        })
    }),
    ("slotmap", Side::Pool, |keep| {
        emptied(SlotMap::new(), keep, SlotMap::insert, |map, key| {
            _ = map.remove(key)
        })
    }),
    ("slotmap Dense", Side::Pool, |keep| {
        emptied(
            DenseSlotMap::new(),
            keep,
            DenseSlotMap::insert,
            |map, key| _ = map.remove(key),
        )
    }),
    ("slotmap Hop", Side::Pool, |keep| {
        emptied(HopSlotMap::new(), keep, HopSlotMap::insert, |map, key| {
            _ = map.remove(key)
        })
    }),
    ("thunderdome", Side::Pool, |keep| {
        emptied(Arena::new(), keep, Arena::insert, |arena, key| {
            _ = arena.remove(key)
        })
    }),
    ("sharded-slab", Side::Pool, |keep| {
        let insert =
            |slab: &mut sharded_slab::Slab<_>, item| slab.insert(item).expect("there are keys");
        emptied(sharded_slab::Slab::new(), keep, insert, |slab, key| {
            _ = slab.remove(key)
        })
    }),
    ("infinity_pool", Side::Pool, |keep| {
        Box::new(Held::new(PinnedPool::new(), keep, PinnedPool::insert))
    }),
];
