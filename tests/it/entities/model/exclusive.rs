//! What borrows a keyed pool uniquely, at random.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use mem_pool::generic::HoldMut;
use mem_pool::{Keyed, Lock};

use super::{Entity, Pool, World};

pub(super) fn apply<L: Lock>(world: &mut World<Keyed, L>, pool: &mut Pool<Keyed, L>) {
    if world.leaked {
        drop(pool.hold_mut()); // whichever use comes first carries out what was put off
        world.leaked = false;
        world.deferred.clear();
    }
    for _ in 0..world.rng.usize(0..8) {
        match world.rng.u8(0..8) {
            0 | 1 => remove(world, pool),
            2 => take(world, pool),
            3 => retain(world, pool),
            4 if world.rng.bool() => {
                pool.clear();
                world.alive.retain(|_, entry| entry.handle.is_some());
            }
            5 => update(world, pool),
            _ => under_a_hold(world, pool),
        }
        super::check(world, pool, None);
    }
}

fn remove<L: Lock>(world: &mut World<Keyed, L>, pool: &mut Pool<Keyed, L>) {
    let Some((key, expected)) = world.some_key() else {
        return;
    };
    let adopted = expected.filter(|id| world.alive[id].handle.is_none());
    let removed = pool.remove(key);
    assert_eq!(removed.as_ref().map(|object| object.body.id), adopted);
    if let (Some(object), Some(id)) = (removed, adopted) {
        assert_eq!(object.hits, world.alive.remove(&id).unwrap().hits);
    }
}

fn take<L: Lock>(world: &mut World<Keyed, L>, pool: &mut Pool<Keyed, L>) {
    if let Some((id, handle)) = world.some_owned() {
        let object = pool.take(handle).unwrap();
        object.body.check();
        assert_eq!((object.body.id, object.hits), (id, world.alive[&id].hits));
        world.alive.remove(&id);
    }
}

fn retain<L: Lock>(world: &mut World<Keyed, L>, pool: &mut Pool<Keyed, L>) {
    let mut asked = BTreeSet::new();
    let mut refused = Vec::new();
    let mut rng = world.rng.fork();
    pool.retain(|object| {
        object.body.check();
        assert!(asked.insert(object.body.id));
        object.hits += 1;
        let stays = rng.u8(0..3) > 0;
        if !stays {
            refused.push(object.body.id);
        }
        if rng.u8(0..10) == 0 {
            drop(world.end(false)); // some other object, in any group
        }
        stays
    });
    let adopted = world
        .alive
        .iter_mut()
        .filter(|(_, entry)| entry.handle.is_none());
    let mut count = 0;
    for (id, entry) in adopted {
        assert!(asked.contains(id), "an adopted object was not asked about");
        entry.hits += 1;
        count += 1;
    }
    assert_eq!(
        count,
        asked.len(),
        "an object with a handle was asked about"
    );
    for id in refused {
        assert_eq!(world.ledger.drops_of(id), 1);
        world.alive.remove(&id);
    }
}

/// Hits every object, some of them twice, and stops early now and then.
fn update<L: Lock>(world: &mut World<Keyed, L>, pool: &mut Pool<Keyed, L>) {
    pool.for_each_mut(|object| {
        object.hits += 1;
        world.alive.get_mut(&object.body.id).unwrap().hits += 1;
    });
    let _ = pool.try_for_each_mut(|object| {
        object.hits += 1;
        world.alive.get_mut(&object.body.id).unwrap().hits += 1;
        if world.rng.u8(0..10) == 0 {
            drop(world.end(false));
        }
        match world.rng.u8(0..50) {
            0 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    if let Some((id, handle)) = world.some_owned() {
        pool.at_mut(&handle).hits += 1;
        let entry = world.alive.get_mut(&id).unwrap();
        entry.hits += 1;
        entry.handle = Some(handle);
    }
}

fn under_a_hold<L: Lock>(world: &mut World<Keyed, L>, pool: &mut Pool<Keyed, L>) {
    let mut hold = pool.hold_mut();
    for _ in 0..world.rng.usize(1..8) {
        match world.rng.u8(0..4) {
            0 => hit_by_key(world, &mut hold),
            1 => hit_two(world, &mut hold),
            2 => drop(world.end(true)),
            _ => hit_all(world, &mut hold),
        }
        assert_eq!(hold.iter().count(), world.alive.len());
        assert!(
            world
                .deferred
                .iter()
                .all(|id| world.ledger.drops_of(*id) == 0)
        );
    }
    drop(hold);
    world.deferred.clear();
}

fn hit_by_key<L: Lock>(world: &mut World<Keyed, L>, hold: &mut HoldMut<'_, Entity, L>) {
    if let Some((key, expected)) = world.some_key() {
        let found = hold.get_mut(key);
        assert_eq!(found.as_ref().map(|object| object.body.id), expected);
        if let Some(object) = found {
            object.hits += 1;
            world.alive.get_mut(&object.body.id).unwrap().hits += 1;
        }
    }
}

fn hit_two<L: Lock>(world: &mut World<Keyed, L>, hold: &mut HoldMut<'_, Entity, L>) {
    let (Some((a, first)), Some((b, second))) = (world.some_key(), world.some_key()) else {
        return;
    };
    let found = hold.get_disjoint_mut([a, b]);
    let expected = first.is_some() && second.is_some() && first != second;
    assert_eq!(found.is_some(), expected);
    for object in found.into_iter().flatten() {
        object.hits += 1;
        world.alive.get_mut(&object.body.id).unwrap().hits += 1;
    }
}

/// Hits every object in turn, while some are dropped, spawned and adopted.
fn hit_all<L: Lock>(world: &mut World<Keyed, L>, hold: &mut HoldMut<'_, Entity, L>) {
    let before: Vec<_> = world.alive.keys().copied().collect();
    let mut given = Vec::new();
    let mut seen = BTreeSet::new();
    let (iter, spawner) = hold.split();
    for object in iter {
        let id = object.body.id;
        assert!(seen.insert(id), "given twice");
        world.alive.get_mut(&id).expect("dead, yet given").hits += 1;
        given.push(object);
        match world.rng.u8(0..12) {
            0 => drop(world.end(true)),
            1 if world.alive.len() < 2000 => spawn(world, &spawner, false),
            2 if world.alive.len() < 2000 => spawn(world, &spawner, true),
            _ => {}
        }
    }
    for object in given {
        object.body.check(); // all at once, those that are dead by now, too
        object.hits += 1;
    }
    let missed = |id: &&usize| world.alive.contains_key(id) && !seen.contains(id);
    assert_eq!(before.iter().find(missed), None);
}

fn spawn<L: Lock>(
    world: &mut World<Keyed, L>,
    spawner: &mem_pool::Spawner<'_, Entity, L>,
    adopt: bool,
) {
    let expected = world.has_room();
    let object = world.make();
    let id = object.body.id;
    let made = spawner.try_alloc(object).ok();
    assert_eq!(made.is_some(), expected);
    match made {
        Some(handle) if adopt => {
            let key = spawner.adopt(handle);
            world.record(key, id);
            world.insert(id, None);
        }
        Some(handle) => world.insert(id, Some(handle)),
        None => {}
    }
}
