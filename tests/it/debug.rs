//! Everything has a `Debug`, which needs none of the objects.

use mem_pool::{FixedPool, PoolBox, VariadicPool};

/// Has no `Debug` of its own.
struct Opaque;

#[test]
fn what_a_hold_lends_says_what_it_is() {
    let pool = FixedPool::<Opaque>::new();
    let _object = pool.alloc(Opaque);
    let hold = pool.hold();
    assert!(format!("{hold:?}").starts_with("Hold"));
    assert!(format!("{:?}", hold.iter()).starts_with("Iter"));
    assert!(format!("{:?}", hold.iter_keys()).starts_with("IterKeys"));
    assert!(format!("{:?}", pool.vacant()).starts_with("Vacant"));
}

#[test]
fn what_a_mutable_hold_lends_says_what_it_is() {
    let mut pool = FixedPool::<Opaque>::keyed();
    let object = pool.alloc(Opaque);
    let mut hold = pool.hold_mut();
    assert!(format!("{hold:?}").starts_with("HoldMut"));
    let (objects, spawner) = hold.split();
    assert!(format!("{objects:?}").starts_with("IterMut"));
    assert!(format!("{spawner:?}").starts_with("Spawner"));
    assert!(format!("{:?}", PoolBox::downgrade(&object)).starts_with("WeakKey"));
}

#[test]
fn builders_show_their_settings() {
    let fixed = FixedPool::<Opaque>::builder().limit(321);
    assert!(format!("{fixed:?}").contains("321"));
    let variadic = VariadicPool::builder().limit(4321);
    assert!(format!("{variadic:?}").contains("4321"));
}
