//! Random streams of keys, holds and adoptions against a plain map: after each operation the pool and the map agree.
//!
//! `MODEL_SEED=n cargo test entities::model` runs one more stream with a seed of one's own.

mod exclusive;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mem_pool::generic::{FixedPool, Hold};
use mem_pool::{Keyed, Lock, Locked, PoolBox, PoolError, Shared, Unlocked, WeakKey};
use rstest::rstest;

use crate::support::{Ledger, Tracked, Walked, count, sorted, watchdog};

struct Entity {
    body: Tracked,
    hits: u32,
}

type Pool<A, L> = FixedPool<Entity, A, L>;
type Handle<A, L> = PoolBox<Entity, A, L>;

/// What only one of the accesses can do.
trait Entities: Walked {
    fn adopt<L: Lock>(
        pool: &Pool<Self, L>,
        handle: Handle<Self, L>,
    ) -> Result<WeakKey<Entity>, Handle<Self, L>>;
    /// Something that borrows the pool uniquely.
    fn use_exclusively<L: Lock>(world: &mut World<Self, L>, pool: &mut Pool<Self, L>);
}

impl Entities for Shared {
    fn adopt<L: Lock>(
        _: &Pool<Self, L>,
        handle: Handle<Self, L>,
    ) -> Result<WeakKey<Entity>, Handle<Self, L>> {
        Err(handle)
    }
    fn use_exclusively<L: Lock>(_: &mut World<Self, L>, _: &mut Pool<Self, L>) {}
}

impl Entities for Keyed {
    fn adopt<L: Lock>(
        pool: &Pool<Self, L>,
        handle: Handle<Self, L>,
    ) -> Result<WeakKey<Entity>, Handle<Self, L>> {
        Ok(pool.adopt(handle))
    }
    fn use_exclusively<L: Lock>(world: &mut World<Self, L>, pool: &mut Pool<Self, L>) {
        exclusive::apply(world, pool);
    }
}

struct Entry<A: Entities, L: Lock> {
    /// None: the object is the pool's own.
    handle: Option<Handle<A, L>>,
    hits: u32,
}

/// What the pool must be like.
struct World<A: Entities, L: Lock> {
    limit: usize,
    ledger: Ledger,
    rng: fastrand::Rng,
    alive: BTreeMap<usize, Entry<A, L>>,
    deferred: BTreeSet<usize>,
    /// Every key ever made, and the object it was made of.
    keys: Vec<(WeakKey<Entity>, usize)>,
    known: HashMap<WeakKey<Entity>, usize>,
    foreign: Vec<WeakKey<Entity>>,
    /// Whether a hold was forgotten.
    leaked: bool,
}

impl<A: Entities, L: Lock> World<A, L> {
    fn make(&mut self) -> Entity {
        Entity {
            body: self.ledger.make(),
            hits: 0,
        }
    }

    fn insert(&mut self, id: usize, handle: Option<Handle<A, L>>) {
        assert!(self.alive.insert(id, Entry { handle, hits: 0 }).is_none());
    }

    fn some_id(&mut self) -> Option<usize> {
        let ids = self.alive.len();
        (ids > 0).then(|| *self.alive.keys().nth(self.rng.usize(0..ids)).unwrap())
    }

    /// An object that has a handle.
    fn some_owned(&mut self) -> Option<(usize, Handle<A, L>)> {
        let id = self.some_id()?;
        let handle = self.alive.get_mut(&id)?.handle.take()?;
        Some((id, handle))
    }

    /// Any key ever made; sometimes a foreign one. With what it must find.
    fn some_key(&mut self) -> Option<(WeakKey<Entity>, Option<usize>)> {
        if self.rng.u8(0..8) == 0 {
            return Some((self.rng.choice(&self.foreign).copied()?, None));
        }
        let (key, id) = self.rng.choice(&self.keys).copied()?;
        Some((key, self.alive.contains_key(&id).then_some(id)))
    }

    fn record(&mut self, key: WeakKey<Entity>, id: usize) {
        assert_eq!(
            *self.known.entry(key).or_insert(id),
            id,
            "one key, two objects"
        );
        self.keys.push((key, id));
    }

    /// Takes the object out of the map; its handle is to be dropped.
    fn end(&mut self, held: bool) -> Option<Handle<A, L>> {
        let (id, handle) = self.some_owned()?;
        self.alive.remove(&id);
        if held {
            self.deferred.insert(id);
        }
        Some(handle)
    }

    fn has_room(&self) -> bool {
        self.alive.len() + self.deferred.len() < self.limit
    }

    fn alloc(&mut self, pool: &Pool<A, L>) {
        let object = self.make();
        let id = object.body.id;
        match pool.try_alloc(object) {
            Ok(handle) => {
                assert!(self.has_room());
                self.insert(id, Some(handle));
            }
            Err(rejected) => {
                assert!(!self.has_room());
                let deferred = self.deferred.len();
                assert!(matches!(
                    rejected.error(),
                    PoolError::LimitReached { deferred: n, .. } if *n == deferred
                ));
            }
        }
    }

    fn downgrade(&mut self) {
        if let Some((id, handle)) = self.some_owned() {
            let key = PoolBox::downgrade(&handle);
            self.alive.get_mut(&id).unwrap().handle = Some(handle);
            self.record(key, id);
        }
    }

    fn adopt(&mut self, pool: &Pool<A, L>) {
        if let Some((id, handle)) = self.some_owned() {
            match A::adopt(pool, handle) {
                Ok(key) => self.record(key, id),
                Err(handle) => self.alive.get_mut(&id).unwrap().handle = Some(handle),
            }
        }
    }

    fn move_out(&mut self, held: bool) {
        if let Some((id, handle)) = self.some_owned() {
            match PoolBox::try_into_inner(handle) {
                Ok(object) => {
                    object.body.check();
                    assert!(!held && object.body.id == id);
                    self.alive.remove(&id);
                }
                Err(handle) => {
                    assert!(held);
                    self.alive.get_mut(&id).unwrap().handle = Some(handle);
                }
            }
        }
    }

    fn shrink(&mut self, pool: &Pool<A, L>, held: bool) {
        let before = pool.stats();
        let bytes = pool.shrink_to_fit();
        let after = pool.stats();
        assert_eq!(before.reserved_bytes - bytes, after.reserved_bytes);
        assert!(!held || bytes == 0);
        assert!(held || !self.alive.is_empty() || after.reserved_bytes == 0);
    }

    /// Drops at random inside a walk, under a hold of its own now and then.
    fn walk(&mut self, pool: &Pool<A, L>, held: bool) {
        let mut seen = BTreeSet::new();
        let before: Vec<_> = self.alive.keys().copied().collect();
        let mut inner = None;
        pool.for_each(|object| {
            object.body.check();
            assert!(
                self.alive.contains_key(&object.body.id),
                "dead, yet visited"
            );
            assert!(seen.insert(object.body.id));
            match self.rng.u8(0..12) {
                0 => inner = Some(pool.hold()),
                1 => inner = None,
                2 | 3 => drop(self.end(held)),
                _ => {}
            }
            object.body.check();
            assert_eq!(self.ledger.drops_of(object.body.id), 0);
        });
        drop(inner);
        let missed = |id: &&usize| self.alive.contains_key(id) && !seen.contains(id);
        assert_eq!(before.iter().find(missed), None);
    }
}

/// Everything that borrows the pool shared, with holds opened and closed in any order.
fn use_shared<A: Entities, L: Lock>(world: &mut World<A, L>, pool: &Pool<A, L>) {
    let mut holds: Vec<Hold<'_, Entity, A, L>> = Vec::new();
    for _ in 0..world.rng.usize(1..80) {
        let held = world.leaked || !holds.is_empty();
        match world.rng.u8(0..40) {
            0..13 => world.alloc(pool),
            13..21 => drop(world.end(held)),
            21..26 => world.downgrade(),
            26..28 => world.adopt(pool),
            28..30 => world.move_out(held),
            30 => world.shrink(pool, held),
            31..33 => world.walk(pool, held),
            33..36 => holds.push(pool.hold()),
            _ if holds.is_empty() => {}
            _ => {
                holds.swap_remove(world.rng.usize(0..holds.len()));
            }
        }
        if holds.is_empty() && !world.leaked {
            world.deferred.clear();
        }
        check(world, pool, holds.last());
    }
    if world.rng.u8(0..8) == 0 {
        world.leaked |= !holds.is_empty();
        holds.into_iter().for_each(std::mem::forget);
    } else {
        drop(holds);
    }
    if !world.leaked {
        world.deferred.clear();
    }
    check(world, pool, None);
}

fn check<A: Entities, L: Lock>(
    world: &mut World<A, L>,
    pool: &Pool<A, L>,
    hold: Option<&Hold<'_, Entity, A, L>>,
) {
    let stats = pool.stats();
    let (alive, deferred) = (world.alive.len(), world.deferred.len());
    assert_eq!(
        (pool.len(), stats.live, stats.deferred),
        (alive, alive, deferred)
    );
    assert_eq!(
        world.ledger.made() - world.ledger.dropped(),
        alive + deferred
    );
    assert!(
        world
            .deferred
            .iter()
            .all(|id| world.ledger.drops_of(*id) == 0)
    );
    assert!(stats.capacity <= world.limit && stats.capacity >= alive + deferred);
    let Some(hold) = hold else { return };
    for _ in 0..4 {
        if let Some((key, expected)) = world.some_key() {
            assert_eq!(hold.get(key).map(|object| object.body.id), expected);
        }
    }
    if world.rng.u8(0..8) == 0 {
        check_contents(world, hold);
    }
}

/// A hold shows what is in the map, with the objects' own keys.
fn check_contents<A: Entities, L: Lock>(world: &mut World<A, L>, hold: &Hold<'_, Entity, A, L>) {
    let mut ids = Vec::new();
    for (key, object) in hold.iter_keys() {
        object.body.check();
        let entry = &world.alive[&object.body.id];
        assert_eq!(object.hits, entry.hits);
        if let Some(handle) = &entry.handle {
            assert!(
                PoolBox::downgrade(handle) == key && std::ptr::eq(&raw const hold[handle], object)
            );
        }
        assert_eq!(
            *world.known.entry(key).or_insert(object.body.id),
            object.body.id
        );
        ids.push(object.body.id);
    }
    assert!(hold.iter().map(|object| &object.body.id).eq(&ids));
    assert!(sorted(ids).iter().eq(world.alive.keys()));
}

fn run<A: Entities, L: Lock>(setup: Setup, seed: u64) {
    let mut pool = setup.build::<A, L>();
    let ledger = Ledger::default();
    let (others, abroad) = (Ledger::default(), A::builder::<_, L>().build());
    let strangers: Vec<_> = (0..100)
        .map(|_| {
            abroad.alloc(Entity {
                body: others.make(),
                hits: 0,
            })
        })
        .collect();
    let mut world = World {
        limit: setup.1,
        ledger: ledger.clone(),
        rng: fastrand::Rng::with_seed(seed),
        alive: BTreeMap::new(),
        deferred: BTreeSet::new(),
        keys: Vec::new(),
        known: HashMap::new(),
        foreign: strangers.iter().map(PoolBox::downgrade).collect(),
        leaked: false,
    };
    for _ in 0..count(30).max(4) {
        use_shared(&mut world, &pool);
        A::use_exclusively(&mut world, &mut pool);
        check(&mut world, &pool, None);
    }
    let owned = world
        .alive
        .values()
        .filter(|entry| entry.handle.is_some())
        .count();
    drop(pool);
    assert_eq!(ledger.made() - ledger.dropped(), owned);
    drop(world);
    ledger.assert_settled();
}

/// Growth, limit, and how many empty chunks are kept.
#[derive(Debug, Clone, Copy)]
struct Setup(Option<usize>, usize, Option<usize>);

impl Setup {
    fn build<A: Entities, L: Lock>(self) -> Pool<A, L> {
        let Self(growth, limit, keep_empty) = self;
        let mut builder = A::builder().limit(limit);
        if let Some(slots) = growth {
            builder = builder.growth(slots);
        }
        if let Some(chunks) = keep_empty {
            builder = builder.keep_empty(chunks);
        }
        builder.build()
    }
}

#[rstest]
#[case::geometric(None, usize::MAX, None)]
#[case::limited(None, 70, None)]
#[case::one_by_one(Some(1), 200, None)]
#[case::small_steps(Some(7), usize::MAX, None)]
#[case::keeps_nothing(Some(3), usize::MAX, Some(0))]
#[case::keeps_one(None, 150, Some(1))]
fn keys_and_holds_agree_with_the_map(
    #[case] growth: Option<usize>,
    #[case] limit: usize,
    #[case] keep_empty: Option<usize>,
    #[values(
        run::<Shared, Locked>,
        run::<Shared, Unlocked>,
        run::<Keyed, Locked>,
        run::<Keyed, Unlocked>
    )]
    against: fn(Setup, u64),
) {
    let _watchdog = watchdog();
    let own = std::env::var("MODEL_SEED").ok();
    let own = own.and_then(|seed| seed.parse().ok());
    let setup = Setup(growth, limit, keep_empty);
    for seed in (1..=3).chain(own) {
        println!("seed {seed} on {setup:?}"); // shown if the stream fails
        against(setup, seed);
    }
}
