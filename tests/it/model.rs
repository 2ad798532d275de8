//! Random operation streams against a plain map: after each operation the pool and the map agree.
//!
//! `MODEL_SEED=n cargo test model` runs one more stream with a seed of one's own.

use std::collections::BTreeMap;
use std::fmt;

use mem_pool::generic::FixedPool;
use mem_pool::{Lock, Locked, PoolBox, Unlocked};
use rstest::rstest;

use crate::support::{Ledger, Mode, Tracked, count, watchdog};

#[derive(Debug, Clone, Copy)]
enum Op {
    Alloc,
    AllocWith,
    Reserve,
    FillVacant,
    DropVacant,
    Drop,
    DropMany,
    MoveOut,
    Raw,
    ReserveRoom,
    Shrink,
    DropInWalk,
}

const OPS: [(Op, u32); 12] = [
    (Op::Alloc, 30),
    (Op::AllocWith, 5),
    (Op::Reserve, 4),
    (Op::FillVacant, 3),
    (Op::DropVacant, 1),
    (Op::Drop, 28),
    (Op::DropMany, 1),
    (Op::MoveOut, 4),
    (Op::Raw, 4),
    (Op::ReserveRoom, 1),
    (Op::Shrink, 1),
    (Op::DropInWalk, 3),
];

fn choose(rng: &mut fastrand::Rng) -> Op {
    let mut pick = rng.u32(0..OPS.iter().map(|(_, weight)| weight).sum());
    for (op, weight) in OPS {
        if pick < weight {
            return op;
        }
        pick -= weight;
    }
    unreachable!("the pick is below the sum of the weights")
}

/// How the pool was built.
#[derive(Debug, Clone, Copy)]
struct Setup {
    growth: Option<usize>,
    limit: usize,
    keep_empty: Option<usize>,
}

/// The pool under test beside the map: what is in it by id, and what capacity it must have.
struct Model<A: Mode, L: Lock> {
    pool: FixedPool<Tracked, A, L>,
    setup: Setup,
    ledger: Ledger,
    handles: BTreeMap<usize, PoolBox<Tracked, A, L>>,
    reserved: usize,
    /// Known if the growth is fixed and no memory goes back by itself.
    capacity: usize,
    rng: fastrand::Rng,
}

impl<A: Mode, L: Lock> Model<A, L> {
    fn new(setup: Setup, seed: u64) -> Self {
        let mut builder = A::builder().limit(setup.limit);
        if let Some(slots) = setup.growth {
            builder = builder.growth(slots);
        }
        if let Some(chunks) = setup.keep_empty {
            builder = builder.keep_empty(chunks);
        }
        Self {
            pool: builder.build(),
            setup,
            ledger: Ledger::default(),
            handles: BTreeMap::new(),
            reserved: 0,
            capacity: 0,
            rng: fastrand::Rng::with_seed(seed),
        }
    }

    fn used(&self) -> usize {
        self.handles.len() + self.reserved
    }

    /// What the map says of a slot about to be taken: whether there is one, and the capacity with it.
    fn expect_slot(&mut self) -> bool {
        if self.used() == self.capacity {
            let step = self.setup.growth.unwrap_or(usize::MAX);
            self.capacity = self.setup.limit.min(self.capacity.saturating_add(step));
        }
        self.used() < self.setup.limit
    }

    fn insert(&mut self, made: Option<PoolBox<Tracked, A, L>>, expected: bool) {
        assert_eq!(
            made.is_some(),
            expected,
            "{} of {}",
            self.used(),
            self.setup.limit
        );
        if let Some(handle) = made {
            let id = A::read(&self.pool, &handle, |object| object.id);
            assert!(self.handles.insert(id, handle).is_none());
        }
    }

    fn some_id(&mut self) -> Option<usize> {
        let ids = self.handles.len();
        (ids > 0).then(|| *self.handles.keys().nth(self.rng.usize(0..ids)).unwrap())
    }

    fn remove_some(&mut self) -> Option<PoolBox<Tracked, A, L>> {
        let id = self.some_id()?;
        self.handles.remove(&id)
    }

    /// A reservation, with something else done before it ends.
    fn with_reservation(&mut self, write: bool) {
        let expected = self.expect_slot();
        let object = write.then(|| self.ledger.make());
        let Ok(vacant) = self.pool.try_vacant() else {
            assert!(!expected);
            return;
        };
        assert!(expected);
        assert_eq!(self.pool.len(), self.handles.len());
        if let Some(object) = object {
            let handle = vacant.write(object);
            self.insert(Some(handle), true);
        }
    }

    /// Another object is made while a slot is reserved.
    fn alloc_beside_reservation(&mut self) {
        if !self.expect_slot() {
            return;
        }
        let pool = std::mem::replace(&mut self.pool, A::builder().build());
        let vacant = pool.vacant();
        self.reserved = 1;
        let expected = self.expect_slot();
        let made = pool.try_alloc(self.ledger.make()).ok();
        assert_eq!(
            (made.is_some(), pool.capacity() <= self.setup.limit),
            (expected, true)
        );
        drop(vacant);
        self.reserved = 0;
        self.pool = pool;
        if made.is_some() {
            self.insert(made, true);
        }
    }
}

impl<A: Mode, L: Lock> Model<A, L> {
    fn apply(&mut self, op: Op) {
        match op {
            Op::Alloc => {
                let expected = self.expect_slot();
                let made = self.pool.try_alloc(self.ledger.make()).ok();
                self.insert(made, expected);
            }
            Op::AllocWith => {
                let expected = self.expect_slot();
                let ledger = self.ledger.clone();
                let made = self.pool.try_alloc_with(|| ledger.make()).ok();
                self.insert(made, expected);
            }
            Op::Reserve => self.alloc_beside_reservation(),
            Op::FillVacant => self.with_reservation(true),
            Op::DropVacant => self.with_reservation(false),
            Op::Drop => drop(self.remove_some()),
            Op::DropMany => {
                let at = self.rng.usize(0..=self.ledger.made());
                drop(self.handles.split_off(&at));
            }
            Op::MoveOut => self.move_out(),
            Op::Raw => self.through_raw(),
            Op::ReserveRoom => self.reserve_room(),
            Op::Shrink => self.shrink(),
            Op::DropInWalk => self.drop_in_walk(),
        }
    }

    fn move_out(&mut self) {
        if let Some(handle) = self.remove_some() {
            let object = A::move_out(&mut self.pool, handle);
            object.check();
            assert_eq!(self.ledger.drops_of(object.id), 0);
        }
    }

    #[expect(unsafe_code, reason = "a handle is made of its raw pointer again")]
    fn through_raw(&mut self) {
        if let Some(handle) = self.remove_some() {
            let address = PoolBox::as_ptr(&handle);
            let raw = PoolBox::into_raw(handle);
            assert!(std::ptr::eq(address, raw.as_ptr()) && self.pool.contains(address));
            // SAFETY: `raw` came from `into_raw` of a handle of this type, and is used once.
            let handle = unsafe { PoolBox::<_, A, L>::from_raw(raw) };
            self.insert(Some(handle), true);
        }
    }

    fn reserve_room(&mut self) {
        let additional = self.rng.usize(0..100);
        let free = self.capacity - self.used();
        let possible = self.used() + additional <= self.setup.limit;
        assert_eq!(self.pool.try_reserve(additional).is_ok(), possible);
        if let (true, Some(step)) = (possible && additional > free, self.setup.growth) {
            let steps = (additional - free).div_ceil(step);
            self.capacity = self.setup.limit.min(self.capacity + steps * step);
        }
    }

    fn shrink(&mut self) {
        let before = self.pool.stats();
        let bytes = self.pool.shrink_to_fit();
        let after = self.pool.stats();
        assert_eq!(before.reserved_bytes - after.reserved_bytes, bytes);
        assert!(after.capacity >= self.used());
        assert!(!self.handles.is_empty() || after.reserved_bytes == 0);
        self.capacity = after.capacity;
    }

    /// Drops objects at random inside a walk. None is visited after it was dropped.
    fn drop_in_walk(&mut self) {
        let before = self.handles.len();
        let (handles, rng, ledger) = (&mut self.handles, &mut self.rng, &self.ledger);
        let mut gone = 0;
        let mut visits = 0;
        let walked = A::walk(&self.pool, |object| {
            assert!(handles.contains_key(&object.id), "dropped, yet visited");
            visits += 1;
            if rng.u8(0..8) == 0 {
                let id = if rng.bool() {
                    object.id
                } else {
                    *handles.keys().next().unwrap()
                };
                gone += usize::from(handles.remove(&id).is_some());
            }
            object.check();
            assert_eq!(ledger.drops_of(object.id), 0);
        });
        if walked {
            assert!(visits <= before && visits + gone >= before);
        }
    }

    /// The pool and the map agree.
    fn check(&mut self) {
        let stats = self.pool.stats();
        assert_eq!(
            (self.pool.len(), stats.live, stats.deferred),
            (self.handles.len(), self.handles.len(), 0)
        );
        assert_eq!(self.pool.is_empty(), self.handles.is_empty());
        assert_eq!(self.pool.capacity(), stats.capacity);
        assert!(stats.capacity <= self.setup.limit && stats.capacity >= self.used());
        assert!(stats.reserved_bytes >= stats.capacity * size_of::<Tracked>());
        if self.setup.growth.is_some() && self.setup.keep_empty.is_none() {
            assert_eq!(stats.capacity, self.capacity);
        }
        self.capacity = stats.capacity;
        assert_eq!(
            self.ledger.made() - self.ledger.dropped(),
            self.handles.len()
        );
        if let Some(id) = self.some_id() {
            let handle = &self.handles[&id];
            assert!(self.pool.owns(handle) && self.pool.contains(PoolBox::as_ptr(handle)));
        }
    }

    /// A walk shows what is in the map, and every handle reaches its object.
    fn check_contents(&self) {
        let mut seen = Vec::new();
        let walked = A::walk(&self.pool, |object| {
            object.check();
            seen.push(object.id);
        });
        seen.sort_unstable();
        assert!(!walked || seen.iter().eq(self.handles.keys()));
        for (id, handle) in &self.handles {
            A::read(&self.pool, handle, |object| {
                object.check();
                assert_eq!(object.id, *id);
            });
        }
    }
}

/// Says where a stream failed.
struct Trace(Setup, u64, usize, Option<Op>);

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(setup, seed, step, op) = self;
        write!(f, "seed {seed}, step {step}, {op:?} on {setup:?}")
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("the stream failed at {self}");
        }
    }
}

fn run<A: Mode, L: Lock>(setup: Setup, seed: u64, steps: usize) {
    let mut model = Model::<A, L>::new(setup, seed);
    let mut trace = Trace(setup, seed, 0, None);
    for step in 0..steps {
        let op = choose(&mut model.rng);
        (trace.2, trace.3) = (step, Some(op));
        model.apply(op);
        model.check();
        if step % 16 == 0 {
            model.check_contents();
        }
    }
    let Model {
        pool,
        handles,
        ledger,
        ..
    } = model;
    drop(pool);
    drop(handles);
    ledger.assert_settled();
}

fn seeds() -> Vec<u64> {
    let own = std::env::var("MODEL_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    (1..=4).chain(own).collect()
}

#[rstest]
#[case::geometric(None, usize::MAX, None)]
#[case::limited(None, 100, None)]
#[case::one_by_one(Some(1), 200, None)]
#[case::small_steps(Some(7), usize::MAX, None)]
#[case::group_steps(Some(64), 150, None)]
#[case::large_steps(Some(3000), usize::MAX, None)]
#[case::keeps_nothing(None, 150, Some(0))]
#[case::keeps_one(Some(20), usize::MAX, Some(1))]
fn the_pool_and_the_map_agree(
    #[case] growth: Option<usize>,
    #[case] limit: usize,
    #[case] keep_empty: Option<usize>,
    #[values(Against::shared, Against::unique, Against::keyed)] against: fn(Setup, u64, usize),
) {
    let _watchdog = watchdog();
    for seed in seeds() {
        against(
            Setup {
                growth,
                limit,
                keep_empty,
            },
            seed,
            count(2000),
        );
    }
}

/// The accesses, each behind both locks.
struct Against;

impl Against {
    fn shared(setup: Setup, seed: u64, steps: usize) {
        run::<mem_pool::Shared, Locked>(setup, seed, steps);
        run::<mem_pool::Shared, Unlocked>(setup, seed, steps);
    }

    fn unique(setup: Setup, seed: u64, steps: usize) {
        run::<mem_pool::Unique, Locked>(setup, seed, steps);
        run::<mem_pool::Unique, Unlocked>(setup, seed, steps);
    }

    fn keyed(setup: Setup, seed: u64, steps: usize) {
        run::<mem_pool::Keyed, Locked>(setup, seed, steps);
        run::<mem_pool::Keyed, Unlocked>(setup, seed, steps);
    }
}
