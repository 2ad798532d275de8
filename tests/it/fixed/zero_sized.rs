//! Objects without a size have addresses of their own all the same: that is how they are told apart.

use mem_pool::{FixedPool, PoolBox};

/// A token: a reference to one proves that there is one.
struct Token;

#[test]
fn walks_show_each_at_its_handles_address() {
    let pool = FixedPool::new();
    let tokens: Vec<_> = (0..100).map(|_| pool.alloc(Token)).collect();
    let mut seen = Vec::new();
    pool.for_each(|token| seen.push(std::ptr::from_ref(token)));
    let held: Vec<_> = pool.hold().iter().map(std::ptr::from_ref).collect();
    let addresses: Vec<_> = tokens.iter().map(PoolBox::as_ptr).collect();
    assert_eq!(seen, addresses);
    assert_eq!(held, addresses);
}

#[test]
fn retain_asks_about_each_adopted_one() {
    let mut pool = FixedPool::keyed();
    let owned = [(); 2].map(|()| pool.alloc(Token));
    for _ in 0..3 {
        pool.spawn(Token);
    }
    let mut asked = 0;
    pool.retain(|_| {
        asked += 1;
        asked == 2
    });
    assert_eq!((asked, pool.len()), (3, 1 + owned.len()));
}

#[test]
fn keys_of_a_walk_are_those_of_the_handles() {
    let pool = FixedPool::new();
    let tokens = [(); 3].map(|()| pool.alloc(Token));
    let hold = pool.hold();
    let keys: Vec<_> = hold.iter_keys().map(|(key, _)| key).collect();
    assert_eq!(keys, tokens.each_ref().map(PoolBox::downgrade));
}

#[test]
fn no_key_answers_where_there_is_no_object() {
    let pool = FixedPool::new();
    let (first, second) = (pool.alloc(Token), pool.alloc(Token));
    drop(first);
    let key = pool.hold().iter_keys().map(|(key, _)| key).next().unwrap();
    drop(second);
    assert!(pool.is_empty() && pool.hold().get(key).is_none());
    let _next = pool.alloc(Token);
    assert!(pool.hold().get(key).is_none());
}
