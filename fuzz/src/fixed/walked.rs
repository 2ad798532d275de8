//! Pools that can be walked and held: what walks, holds and keys find, against what should be alive.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use mem_pool::generic::{FixedPool, Hold, PoolBox, WeakKey};
use mem_pool::{Keyed, Lock, Shared, ThroughPool};

use super::{Setup, set_up};
use crate::input::Input;
use crate::object::{Ledger, Object, State};

/// What the accesses do not share.
pub(crate) trait Walked: ThroughPool {
    fn build<L: Lock>(setup: &Setup) -> FixedPool<Object, Self, L>;

    /// Gives an object to its pool, if pools take any.
    fn adopt<L: Lock>(
        pool: &FixedPool<Object, Self, L>,
        handle: PoolBox<Object, Self, L>,
    ) -> Result<WeakKey<Object>, PoolBox<Object, Self, L>>;

    /// One operation that borrows the pool uniquely, if there are any; whether what forgotten holds had put off is done now.
    fn alone<L: Lock>(
        pool: &mut FixedPool<Object, Self, L>,
        world: &mut World<Self, L>,
        input: &mut Input<'_>,
    ) -> bool;
}

/// What is known of a pool.
pub(crate) struct World<A: Walked, L: Lock> {
    setup: Setup,
    ledger: Ledger,
    handles: Vec<(usize, PoolBox<Object, A, L>)>,
    adopted: BTreeSet<usize>,
    keys: Vec<(usize, WeakKey<Object>)>,
    /// Holds that exist, forgotten ones included.
    held: usize,
}

pub(crate) fn run<A: Walked, L: Lock>(mut input: Input<'_>) {
    let setup = Setup::choose(&mut input);
    let mut pool = A::build::<L>(&setup);
    let decoy = A::build::<L>(&setup);
    let handle = decoy.alloc(Ledger::default().make());
    let mut world = World {
        setup,
        ledger: Ledger::default(),
        handles: Vec::new(),
        adopted: BTreeSet::new(),
        keys: vec![(usize::MAX, PoolBox::downgrade(&handle))],
        held: 0,
    };
    while !input.is_empty() {
        world.share(&pool, &mut input);
        if A::alone(&mut pool, &mut world, &mut input) {
            world.held = 0;
            world.ledger.settle();
        }
        world.check(&pool);
    }
    assert!(decoy.owns(&handle) && decoy.len() == 1);
    world.end(pool, input);
}

impl<A: Walked, L: Lock> World<A, L> {
    fn end(mut self, pool: FixedPool<Object, A, L>, mut input: Input<'_>) {
        if self.held == 0 {
            let keep = input.below(self.handles.len() + 1);
            while self.handles.len() > keep {
                self.drop_one(0);
            }
        }
        drop(pool);
        for id in std::mem::take(&mut self.adopted) {
            self.ledger.set(id, State::Gone);
        }
        self.held = 0;
        self.ledger.settle();
        self.ledger.check();
        while !self.handles.is_empty() {
            self.drop_one(0);
        }
        self.ledger.settle();
        self.ledger.check();
    }

    /// Slots that are not free. What a walk drops in a group that nobody is inside of is destroyed at once.
    fn used(&self) -> usize {
        self.ledger.count_undestroyed()
    }

    fn has_room(&self) -> bool {
        self.used() < self.setup.limit
    }

    fn live(&self) -> BTreeSet<usize> {
        self.handles
            .iter()
            .map(|(id, _)| *id)
            .chain(self.adopted.iter().copied())
            .collect()
    }

    /// Drops a handle. Whether its object is destroyed at once is only known where nobody looks.
    fn drop_one(&mut self, index: usize) {
        if self.handles.is_empty() {
            return;
        }
        let (id, handle) = self.handles.swap_remove(index % self.handles.len());
        self.ledger.set(id, State::Dropped);
        drop(handle);
    }

    fn add(&mut self, handle: PoolBox<Object, A, L>) {
        let id = self.ledger.count_all() - 1;
        self.handles.push((id, handle));
    }

    fn alloc(&mut self, pool: &FixedPool<Object, A, L>) {
        let room = self.has_room();
        match pool.try_alloc(self.ledger.make()) {
            Ok(handle) => {
                assert!(room);
                self.add(handle);
            }
            Err(rejected) => {
                assert!(!room);
                self.ledger.set(rejected.into_inner().id, State::Gone);
            }
        }
    }

    /// An object whose constructor uses the pool.
    fn alloc_with(&mut self, pool: &FixedPool<Object, A, L>, index: usize) {
        let room = self.has_room();
        let ledger = self.ledger.clone();
        let mut id = 0;
        let made = pool.try_alloc_with(|| {
            self.drop_one(index);
            pool.for_each(|object| object.check());
            let object = ledger.make();
            id = object.id;
            object
        });
        match made {
            Ok(handle) => self.handles.push((id, handle)),
            Err(_) => assert!(!room),
        }
    }

    fn vacant(&mut self, pool: &FixedPool<Object, A, L>, fill: bool, index: usize) {
        let room = self.has_room();
        let Ok(vacant) = pool.try_vacant() else {
            assert!(!room);
            return;
        };
        self.drop_one(index);
        pool.for_each(|object| object.check());
        if fill {
            self.add(vacant.write(self.ledger.make()));
        }
    }

    fn move_out(&mut self, index: usize, sure: bool) {
        if self.handles.is_empty() {
            return;
        }
        let (id, handle) = self.handles.swap_remove(index % self.handles.len());
        match PoolBox::try_into_inner(handle) {
            Ok(object) => {
                assert!(object.id == id && self.held == 0);
                self.ledger.set(id, State::Gone);
            }
            Err(handle) => {
                assert!(!sure || self.held > 0);
                self.handles.push((id, handle));
            }
        }
    }

    /// Operations through `&pool`, among holds that are opened and closed.
    fn share(&mut self, pool: &FixedPool<Object, A, L>, input: &mut Input<'_>) {
        let mut holds: Vec<Hold<'_, Object, A, L>> = Vec::new();
        while !input.is_empty() {
            match input.below(20) {
                0..=3 => self.alloc(pool),
                4..=6 => self.drop_one(input.below(256)),
                7 => self.alloc_with(pool, input.below(256)),
                8 => self.vacant(pool, input.flag(), input.below(256)),
                9 => self.move_out(input.below(256), true),
                10 if holds.len() < 4 => {
                    holds.push(pool.hold());
                    self.held += 1;
                }
                11 if !holds.is_empty() => {
                    self.end_hold(holds.swap_remove(input.below(4) % holds.len()))
                }
                12 => self.walk(pool, input),
                13 => self.walk_held(pool, holds.first(), input),
                14 => self.look_up(holds.last(), input.below(256)),
                15 => self.name(input.below(256)),
                16 => self.give_back(pool),
                17 => {
                    let (more, free) = (input.below(100), self.setup.limit - self.used());
                    assert_eq!(pool.try_reserve(more).is_ok(), more <= free);
                }
                18 => self.adopt(pool, input.below(256)),
                _ => break,
            }
            if self.held == 0 {
                self.ledger.settle();
            }
            self.check(pool);
        }
        if input.below(8) == 1 && holds.pop().map(std::mem::forget).is_some() {
            // `held` still counts it
        }
        for hold in holds {
            self.end_hold(hold);
        }
        self.check(pool);
    }

    fn end_hold(&mut self, hold: Hold<'_, Object, A, L>) {
        drop(hold);
        self.held -= 1;
        if self.held == 0 {
            self.ledger.settle();
        }
    }

    /// A walk whose closure drops, makes, walks, holds and gives back.
    fn walk(&mut self, pool: &FixedPool<Object, A, L>, input: &mut Input<'_>) {
        let mut lasting = self.live();
        let mut visits = BTreeMap::new();
        let stop = input.below(400);
        let broken = pool.try_for_each(|object| {
            object.check();
            assert_eq!(
                self.ledger.state(object.id),
                State::Live,
                "dropped, yet visited"
            );
            *visits.entry(object.id).or_insert(0) += 1;
            match input.below(12) {
                1 => self.drop_one(input.below(256)),
                2 => self.drop_id(object.id),
                3 => self.alloc(pool),
                4 => pool.for_each(|object| {
                    object.check();
                    if input.below(4) == 1 {
                        self.drop_one(input.below(256));
                    }
                }),
                5 => {
                    let hold = pool.hold();
                    self.drop_one(input.below(256));
                    hold.iter().for_each(Object::check);
                }
                6 => {
                    pool.shrink_to_fit();
                }
                7 => self.move_out(input.below(256), false),
                _ => {}
            }
            object.check();
            match visits.len() > stop {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        lasting.retain(|id| self.ledger.state(*id) == State::Live);
        assert!(visits.values().all(|&count| count == 1), "visited twice");
        assert!(
            broken.is_break() || lasting.iter().all(|id| visits.contains_key(id)),
            "not visited"
        );
    }

    /// The same through a hold, whose iterator is stopped and left.
    fn walk_held(
        &mut self,
        pool: &FixedPool<Object, A, L>,
        hold: Option<&Hold<'_, Object, A, L>>,
        input: &mut Input<'_>,
    ) {
        let Some(hold) = hold else { return };
        let live = self.live();
        assert!(hold.iter().map(|object| object.id).collect::<BTreeSet<_>>() == live);
        let mut seen: Vec<&Object> = Vec::new();
        for (key, object) in hold.iter_keys() {
            assert!(
                !seen.iter().any(|other| other.id == object.id),
                "given twice"
            );
            seen.push(object);
            match input.below(8) {
                1 => self.drop_one(input.below(256)),
                2 => self.drop_id(object.id),
                3 => self.alloc(pool),
                4 => self.keys.push((object.id, key)),
                _ => {}
            }
        }
        seen.iter().for_each(|object| object.check());
        let seen: BTreeSet<_> = seen.iter().map(|object| object.id).collect();
        assert!(
            live.iter()
                .all(|id| seen.contains(id) || self.ledger.state(*id) != State::Live),
            "not given"
        );
    }

    fn drop_id(&mut self, id: usize) {
        if let Some(index) = self.handles.iter().position(|(other, _)| *other == id) {
            self.drop_one(index);
        }
    }

    fn look_up(&self, hold: Option<&Hold<'_, Object, A, L>>, index: usize) {
        let (Some(hold), (id, key)) = (hold, self.keys[index % self.keys.len()]) else {
            return;
        };
        self.assert_found(id, hold.get(key));
        if let Some((id, handle)) = self.handles.get(index) {
            assert_eq!(hold[handle].id, *id);
        }
    }

    fn assert_found(&self, id: usize, found: Option<&Object>) {
        let alive = id != usize::MAX && self.ledger.state(id) == State::Live;
        assert_eq!(found.map(|object| object.id), alive.then_some(id));
    }

    fn name(&mut self, index: usize) {
        if let Some((id, handle)) = self.handles.get(index) {
            let key = PoolBox::downgrade(handle);
            let others = self.keys.iter().filter(|(_, other)| *other == key);
            assert!(others.into_iter().all(|(other, _)| other == id));
            self.keys.push((*id, key));
        }
    }

    fn adopt(&mut self, pool: &FixedPool<Object, A, L>, index: usize) {
        if self.handles.is_empty() {
            return;
        }
        let (id, handle) = self.handles.swap_remove(index % self.handles.len());
        match A::adopt(pool, handle) {
            Ok(key) => {
                self.adopted.insert(id);
                self.keys.push((id, key));
            }
            Err(handle) => self.handles.push((id, handle)),
        }
    }

    fn give_back(&self, pool: &FixedPool<Object, A, L>) {
        let before = pool.stats().reserved_bytes;
        let bytes = pool.shrink_to_fit();
        let after = pool.stats().reserved_bytes;
        assert_eq!(bytes, before - after);
        assert!(self.held == 0 || bytes == 0);
        assert!(self.held > 0 || self.used() > 0 || after == 0);
    }

    fn check(&self, pool: &FixedPool<Object, A, L>) {
        let stats = pool.stats();
        let live = self.handles.len() + self.adopted.len();
        assert_eq!(
            (pool.len(), stats.live, self.ledger.count(State::Live)),
            (live, live, live)
        );
        assert_eq!(stats.deferred, self.ledger.count(State::Dropped));
        assert!(stats.capacity >= self.used() && stats.capacity <= self.setup.limit);
        self.ledger.check();
        if let Some((_, handle)) = self.handles.last() {
            let address = PoolBox::as_ptr(handle);
            assert!(pool.owns(handle) && pool.contains(address));
            assert!(!pool.contains(address.cast::<u8>().wrapping_add(1).cast()));
        }
    }
}

impl Walked for Shared {
    fn build<L: Lock>(setup: &Setup) -> FixedPool<Object, Self, L> {
        set_up!(FixedPool::<Object, _, L>::builder(), setup)
    }

    fn adopt<L: Lock>(
        _: &FixedPool<Object, Self, L>,
        handle: PoolBox<Object, Self, L>,
    ) -> Result<WeakKey<Object>, PoolBox<Object, Self, L>> {
        handle.check();
        Err(handle)
    }

    fn alone<L: Lock>(
        _: &mut FixedPool<Object, Self, L>,
        _: &mut World<Self, L>,
        _: &mut Input<'_>,
    ) -> bool {
        false
    }
}

impl Walked for Keyed {
    fn build<L: Lock>(setup: &Setup) -> FixedPool<Object, Self, L> {
        set_up!(FixedPool::<Object, _, L>::builder().keyed(), setup)
    }

    fn adopt<L: Lock>(
        pool: &FixedPool<Object, Self, L>,
        handle: PoolBox<Object, Self, L>,
    ) -> Result<WeakKey<Object>, PoolBox<Object, Self, L>> {
        Ok(pool.adopt(handle))
    }

    fn alone<L: Lock>(
        pool: &mut FixedPool<Object, Self, L>,
        world: &mut World<Self, L>,
        input: &mut Input<'_>,
    ) -> bool {
        match input.below(8) {
            0 => world.change_all(pool, input),
            1 => world.retain(pool, input),
            2 => {
                pool.clear();
                for id in std::mem::take(&mut world.adopted) {
                    world.ledger.set(id, State::Gone);
                }
            }
            3 | 4 => world.hold_alone(pool, input),
            _ => return world.reach(pool, input),
        }
        true
    }
}

impl<L: Lock> World<Keyed, L> {
    fn change_all(&mut self, pool: &mut FixedPool<Object, Keyed, L>, input: &mut Input<'_>) {
        let mut lasting = self.live();
        let mut visits = BTreeSet::new();
        pool.for_each_mut(|object| {
            assert_eq!(
                self.ledger.state(object.id),
                State::Live,
                "dropped, yet visited"
            );
            assert!(visits.insert(object.id), "visited twice");
            match input.below(8) {
                1 => self.drop_one(input.below(256)),
                2 => self.drop_id(object.id),
                _ => {}
            }
            object.touch();
        });
        lasting.retain(|id| self.ledger.state(*id) == State::Live);
        assert!(lasting.is_subset(&visits), "not visited");
    }

    fn retain(&mut self, pool: &mut FixedPool<Object, Keyed, L>, input: &mut Input<'_>) {
        let mut asked = BTreeSet::new();
        pool.retain(|object| {
            object.touch();
            assert!(self.adopted.contains(&object.id) && asked.insert(object.id));
            let keep = input.below(3) > 0;
            if !keep {
                self.ledger.set(object.id, State::Dropped);
            }
            keep
        });
        assert_eq!(asked, self.adopted);
        self.adopted
            .retain(|id| self.ledger.state(*id) == State::Live);
    }

    /// Objects by handle and by key. Whether the pool was borrowed uniquely at all.
    fn reach(&mut self, pool: &mut FixedPool<Object, Keyed, L>, input: &mut Input<'_>) -> bool {
        let (choice, index) = (input.below(5), input.below(256));
        let (id, key) = self.keys[index % self.keys.len()];
        match choice {
            0 => {
                let removed = pool.remove(key);
                let adopted = self.adopted.remove(&id);
                assert_eq!(
                    removed.as_ref().map(|object| object.id),
                    adopted.then_some(id)
                );
                if adopted {
                    self.ledger.set(id, State::Gone);
                }
            }
            1 if !self.handles.is_empty() => {
                let (id, handle) = self.handles.swap_remove(index % self.handles.len());
                let object = pool
                    .take(handle)
                    .unwrap_or_else(|_| panic!("it is this pool's"));
                assert_eq!(object.id, id);
                self.ledger.set(id, State::Gone);
            }
            2 if !self.handles.is_empty() => {
                let (first, second) = (index % self.handles.len(), input.below(self.handles.len()));
                let handles = [&self.handles[first].1, &self.handles[second].1];
                match pool.get_disjoint_mut(handles) {
                    Some(objects) => objects.map(Object::touch).len(),
                    None => usize::from(first != second) + 2,
                };
                assert_eq!(pool.get_disjoint_mut(handles).is_some(), first != second);
            }
            _ => {
                let Some((id, handle)) = self.handles.get(index) else {
                    return false;
                };
                pool.at_mut(handle).touch();
                assert_eq!(pool.get(handle).map(|object| object.id), Some(*id));
            }
        }
        true
    }

    /// An update that spawns, drops and follows keys.
    fn hold_alone(&mut self, pool: &mut FixedPool<Object, Keyed, L>, input: &mut Input<'_>) {
        // What a forgotten hold had put off is destroyed first.
        self.ledger.settle();
        self.held = 0;
        let mut lasting = self.live();
        let mut hold = pool.hold_mut();
        let (objects, spawner) = hold.split();
        let mut seen = BTreeSet::new();
        for object in objects {
            assert!(seen.insert(object.id), "given twice");
            match input.below(8) {
                1 => self.drop_one(input.below(256)),
                2 => self.drop_id(object.id),
                3 => {
                    let room = self.has_room();
                    let made = self.ledger.make();
                    let id = made.id;
                    match spawner.try_alloc(made) {
                        Ok(handle) if input.flag() => {
                            self.adopted.insert(id);
                            self.keys.push((id, spawner.adopt(handle)));
                        }
                        Ok(handle) => self.handles.push((id, handle)),
                        Err(rejected) => {
                            assert!(!room);
                            self.ledger.set(rejected.into_inner().id, State::Gone);
                        }
                    }
                }
                _ => {}
            }
            object.touch();
        }
        lasting.retain(|id| self.ledger.state(*id) == State::Live);
        assert!(lasting.is_subset(&seen), "not given");
        for _ in 0..input.below(4) {
            let (id, key) = self.keys[input.below(self.keys.len())];
            let (other, second) = self.keys[input.below(self.keys.len())];
            self.assert_found(id, hold.get(key));
            let alive = |id| id != usize::MAX && self.ledger.state(id) == State::Live;
            let both = alive(id) && alive(other) && id != other;
            let found = hold.get_disjoint_mut([key, second]);
            assert_eq!(found.is_some(), both);
            found.into_iter().flatten().for_each(Object::touch);
        }
        drop(hold);
    }
}
