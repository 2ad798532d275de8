//! What errors say and give back.

use std::error::Error;

use mem_pool::{FixedPool, Lock, PoolError, Rejected};

use crate::support::{Walked, in_walked_modes};

#[test]
fn a_rejected_value_comes_back_with_the_reason() {
    let pool = FixedPool::<String>::builder().limit(1).build();
    let _only = pool.alloc("only".into());
    let rejected = pool.try_alloc("second".into()).unwrap_err();
    let message = rejected.error().to_string();
    assert_eq!(
        message,
        "the pool's limit of 1 slot is reached and none is free"
    );
    assert_eq!(rejected.to_string(), message);
    let as_error: &dyn Error = &rejected;
    assert_eq!(as_error.to_string(), message);
    assert!(as_error.source().is_none(), "the limit has no cause");
    let converted = PoolError::from(rejected.clone());
    assert_eq!(&converted, rejected.error());
    assert_eq!(rejected.into_inner(), "second");
}

/// A value that is not `Debug`, as most are not.
struct Opaque;

#[test]
fn a_rejected_value_need_not_be_debug() {
    fn question_mark(pool: &FixedPool<Opaque>) -> Result<(), PoolError> {
        pool.try_alloc(Opaque)?;
        Ok(())
    }
    fn boxed(pool: &FixedPool<Opaque>) -> Result<(), Box<dyn Error>> {
        pool.try_alloc(Opaque)?;
        Ok(())
    }
    let pool = FixedPool::builder().limit(1).build();
    let only = pool.try_alloc(Opaque).unwrap();
    assert!(question_mark(&pool).is_err() && boxed(&pool).is_err());
    let rejected: Rejected<Opaque> = pool.try_alloc(Opaque).err().unwrap();
    assert!(format!("{rejected:?}").contains("1"));
    drop(only);
    assert!(question_mark(&pool).is_ok());
}

in_walked_modes!(a_limit_error_counts_the_deferred);

fn a_limit_error_counts_the_deferred<A: Walked, L: Lock>() {
    let pool = A::builder::<u8, L>().limit(2).build();
    let mut handles = vec![pool.alloc(1), pool.alloc(2)];
    let mut texts = Vec::new();
    pool.for_each(|_| {
        handles.clear();
        let rejected = pool.try_alloc(9).err().unwrap();
        assert_eq!(pool.stats().deferred, 2);
        assert!(matches!(
            rejected.error(),
            PoolError::LimitReached {
                limit: 2,
                deferred: 2,
                ..
            }
        ));
        texts.push(rejected.to_string());
    });
    assert_eq!(
        texts.len(),
        1,
        "the other object was dropped before its turn"
    );
    let text = &texts[0];
    assert!(
        text.contains("limit of 2 slots") && text.contains("2 of them wait"),
        "{text}"
    );
    assert!(pool.try_alloc(9).is_ok());
    assert_eq!(pool.stats().deferred, 0);
}
