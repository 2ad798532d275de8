#![expect(unsafe_code, reason = "one peer gives pointers, not references")]
#![expect(deprecated, reason = "the hop slot map is still on offer")]
//! The containers that are walked, filled with objects and emptied at random.

use fastrand::Rng;
use infinity_pool::{PinnedPool, PooledMut};
use mem_pool::{FixedPool, Keyed, PoolBox, Shared, local};
use slab::Slab;
use slotmap::{DefaultKey, DenseSlotMap, HopSlotMap, SlotMap};
use thunderdome::{Arena, Index};

use crate::contenders::{BoxIn, Glibc, Object, Plain, Side};

pub(super) type Item = Plain<8>;

/// A container full of objects.
pub(super) trait Walk {
    fn read(&mut self) -> u64;
    /// Says whether there is such a walk.
    fn change(&mut self) -> bool;
    /// Makes so many objects, then ends as many, any of them: the holes are others.
    fn replace(&mut self, count: usize, random: &mut Rng);
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

/// A container, and the handles or keys of what is left in it.
pub(super) struct Held<C, H> {
    pub(super) container: C,
    handles: Vec<H>,
    make: fn(&mut C, Item) -> H,
    end: fn(&mut C, H),
}

impl<C, H> Held<C, H> {
    /// Makes an object for each answer, then ends those for which it is no.
    fn new(
        mut container: C,
        keep: &[bool],
        make: fn(&mut C, Item) -> H,
        end: fn(&mut C, H),
    ) -> Self {
        let numbers = 0..keep.len();
        let all: Vec<H> = numbers
            .map(|number| make(&mut container, item(number)))
            .collect();
        let mut handles = Vec::with_capacity(all.len());
        for (handle, &keep) in all.into_iter().zip(keep) {
            if keep {
                handles.push(handle);
            } else {
                end(&mut container, handle);
            }
        }
        Self {
            container,
            handles,
            make,
            end,
        }
    }

    fn replace(&mut self, count: usize, random: &mut Rng) {
        let new = (0..count).map(|number| (self.make)(&mut self.container, item(number)));
        self.handles.extend(new);
        for _ in 0..count {
            let any = random.usize(..self.handles.len());
            (self.end)(&mut self.container, self.handles.swap_remove(any));
        }
    }
}

/// A walk by closure.
macro_rules! by_closure {
    ($pool:ty, $handle:ty, $change:expr) => {
        impl Walk for Held<$pool, $handle> {
            fn read(&mut self) -> u64 {
                let mut sum = 0_u64;
                self.container
                    .for_each(|item| sum = sum.wrapping_add(item.word()));
                sum
            }

            fn change(&mut self) -> bool {
                $change(&mut self.container)
            }

            fn replace(&mut self, count: usize, random: &mut Rng) {
                self.replace(count, random);
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
                sum(self.0.container.hold().iter())
            }

            fn change(&mut self) -> bool {
                self.0.container.hold_mut().iter_mut().for_each(touch);
                true
            }

            fn replace(&mut self, count: usize, random: &mut Rng) {
                self.0.replace(count, random);
            }
        }
    };
}

by_hold!(FixedPool<Item, Keyed>, PoolBox<Item, Keyed>);
by_hold!(local::FixedPool<Item, Keyed>, local::PoolBox<Item, Keyed>);

/// A walk by the container's own iterators.
macro_rules! by_iterator {
    ($container:ty, $handle:ty, |$this:ident| $read:expr, $change:expr) => {
        impl Walk for Held<$container, $handle> {
            fn read(&mut self) -> u64 {
                let $this = self;
                sum($read)
            }

            fn change(&mut self) -> bool {
                let $this = self;
                $change.for_each(touch);
                true
            }

            fn replace(&mut self, count: usize, random: &mut Rng) {
                self.replace(count, random);
            }
        }
    };
}

by_iterator!(
    Slab<Item>,
    usize,
    |held| held.container.iter().map(|(_, item)| item),
    held.container.iter_mut().map(|(_, item)| item)
);
by_iterator!(
    SlotMap<DefaultKey, Item>,
    DefaultKey,
    |held| held.container.values(),
    held.container.values_mut()
);
by_iterator!(
    DenseSlotMap<DefaultKey, Item>,
    DefaultKey,
    |held| held.container.values(),
    held.container.values_mut()
);
by_iterator!(
    HopSlotMap<DefaultKey, Item>,
    DefaultKey,
    |held| held.container.values(),
    held.container.values_mut()
);
by_iterator!(
    Arena<Item>,
    Index,
    |held| held.container.iter().map(|(_, item)| item),
    held.container.iter_mut().map(|(_, item)| item)
);
by_iterator!(
    Options,
    usize,
    |held| held.container.items.iter().flatten(),
    held.container.items.iter_mut().flatten()
);
by_iterator!(
    (),
    BoxIn<Item, Glibc>,
    |held| held.handles.iter().map(BoxIn::get),
    held.handles.iter_mut().map(BoxIn::get_mut)
);

/// Objects one behind the other, without holes.
impl Walk for Vec<Item> {
    fn read(&mut self) -> u64 {
        sum(self.iter())
    }

    fn change(&mut self) -> bool {
        self.iter_mut().for_each(touch);
        true
    }

    fn replace(&mut self, count: usize, random: &mut Rng) {
        self.extend((0..count).map(item));
        for _ in 0..count {
            self.swap_remove(random.usize(..self.len()));
        }
    }
}

/// What one would write oneself.
#[derive(Default)]
struct Options {
    items: Vec<Option<Item>>,
    free: Vec<usize>,
}

impl Options {
    fn insert(&mut self, item: Item) -> usize {
        if let Some(place) = self.free.pop() {
            self.items[place] = Some(item);
            return place;
        }
        self.items.push(Some(item));
        self.items.len() - 1
    }

    fn remove(&mut self, place: usize) {
        self.items[place] = None;
        self.free.push(place);
    }
}

/// The only container that can be iterated uniquely alone.
impl Walk for Held<sharded_slab::Slab<Item>, usize> {
    fn read(&mut self) -> u64 {
        sum(self.container.unique_iter())
    }

    fn change(&mut self) -> bool {
        false
    }

    fn replace(&mut self, count: usize, random: &mut Rng) {
        self.replace(count, random);
    }
}

impl Walk for Held<PinnedPool<Item>, PooledMut<Item>> {
    fn read(&mut self) -> u64 {
        self.container.with_iter(|items| {
            // SAFETY: valid: the handles keep the objects. Aliasing: nobody uses the handles.
            sum(items.map(|item| unsafe { item.as_ref() }))
        })
    }

    fn change(&mut self) -> bool {
        self.container.with_iter(|items| {
            // SAFETY: valid: the handles keep the objects. Aliasing: nobody uses the handles.
            items.for_each(|mut item| touch(unsafe { item.as_mut() }));
        });
        true
    }

    fn replace(&mut self, count: usize, random: &mut Rng) {
        self.replace(count, random);
    }
}

/// The boxes' owner was told who goes, and has no holes; but the boxes lie anywhere.
fn boxes(keep: &[bool]) -> Box<dyn Walk> {
    let mut held = Held::new((), keep, |(), item| BoxIn::new(item), |(), gone| drop(gone));
    Rng::with_seed(2).shuffle(&mut held.handles);
    Box::new(held)
}

fn vec(keep: &[bool]) -> Box<dyn Walk> {
    if keep.iter().all(|&keep| keep) {
        return Box::new((0..keep.len()).map(item).collect::<Vec<_>>());
    }
    let options = Options::default();
    Box::new(Held::new(options, keep, Options::insert, Options::remove))
}

/// Name, side, and what fills a container with an object for each answer, and keeps those for which it is yes.
pub(super) type Keeper = (&'static str, Side, fn(&[bool]) -> Box<dyn Walk>);

/// One of ours, whose handles end what they own.
macro_rules! pool {
    ($pool:expr, $keep:ident) => {
        Held::new(
            $pool,
            $keep,
            |pool, item| pool.alloc(item),
            |_, handle| drop(handle),
        )
    };
}

pub(super) fn keyed(keep: &[bool]) -> Held<FixedPool<Item, Keyed>, PoolBox<Item, Keyed>> {
    pool!(FixedPool::keyed(), keep)
}

fn local_keyed(keep: &[bool]) -> Held<local::FixedPool<Item, Keyed>, local::PoolBox<Item, Keyed>> {
    pool!(local::FixedPool::keyed(), keep)
}

fn shared(keep: &[bool]) -> Held<FixedPool<Item, Shared>, PoolBox<Item, Shared>> {
    pool!(FixedPool::new(), keep)
}

/// One of those with `insert` and `remove`.
macro_rules! map {
    ($map:ident) => {
        |keep| {
            let remove = |map: &mut $map<_, _>, key| _ = map.remove(key);
            Box::new(Held::new($map::new(), keep, $map::insert, remove))
        }
    };
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
        let remove = |slab: &mut Slab<_>, key| _ = slab.remove(key);
        Box::new(Held::new(Slab::new(), keep, Slab::insert, remove))
    }),
    ("slotmap", Side::Pool, map!(SlotMap)),
    ("slotmap Dense", Side::Pool, map!(DenseSlotMap)),
    ("slotmap Hop", Side::Pool, map!(HopSlotMap)),
    ("thunderdome", Side::Pool, |keep| {
        let remove = |arena: &mut Arena<_>, index| _ = arena.remove(index);
        Box::new(Held::new(Arena::new(), keep, Arena::insert, remove))
    }),
    ("sharded-slab", Side::Pool, |keep| {
        let insert =
            |slab: &mut sharded_slab::Slab<_>, item| slab.insert(item).expect("there are keys");
        let remove = |slab: &mut sharded_slab::Slab<_>, key| _ = slab.remove(key);
        Box::new(Held::new(sharded_slab::Slab::new(), keep, insert, remove))
    }),
    ("infinity_pool", Side::Pool, |keep| {
        Box::new(Held::new(
            PinnedPool::new(),
            keep,
            |pool, item| pool.insert(item),
            |_, handle| drop(handle),
        ))
    }),
];
