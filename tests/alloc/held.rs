//! Holds, keys and adopted objects when the allocator refuses.

use mem_pool::generic::FixedPool;
use mem_pool::{Keyed, Lock, Locked, PoolBox, Unlocked};

use crate::checking::{Session, refuse_none, refuse_nth};
use crate::support::{Ledger, Tracked, watchdog};

/// Larger than a chunk can have many of, so that growing needs memory often.
struct Large(Tracked, [u64; 1000]);

impl Large {
    fn new(ledger: &Ledger) -> Self {
        Self(ledger.make(), [7; 1000])
    }

    fn check(&self) {
        self.0.check();
        assert!(self.1.iter().all(|&word| word == 7));
    }
}

fn build<L: Lock>() -> FixedPool<Large, Keyed, L> {
    FixedPool::builder().keyed().growth(3).build()
}

/// Spawns under two kinds of hold while the `n`-th request is refused. Returns whether one was.
fn spawn_held<L: Lock>(n: usize, for_ever: bool) -> bool {
    let ledger = Ledger::default();
    let session = Session::new();
    // What accounts for the objects is made beforehand.
    let mut offered: Vec<_> = (0..60).map(|_| Large::new(&ledger)).collect();
    let (refused, _) = session.run(|| {
        let mut pool = build::<L>();
        let mut handles = Vec::with_capacity(100);
        let mut refused = Vec::with_capacity(100);
        handles.push(pool.alloc(offered.pop().unwrap()));
        refuse_nth(n, for_ever);
        {
            let hold = pool.hold();
            for _ in 0..20 {
                match pool.try_alloc(offered.pop().unwrap()) {
                    Ok(handle) => handles.push(handle),
                    Err(rejected) => refused.push(rejected.into_inner()),
                }
            }
            handles.truncate(handles.len() / 2 + 1);
            hold.iter().for_each(Large::check);
            assert_eq!(hold.iter().count(), handles.len());
        }
        assert_eq!((pool.len(), pool.stats().deferred), (handles.len(), 0));
        let mut hold = pool.hold_mut();
        let (objects, spawner) = hold.split();
        for object in objects {
            object.check();
            let Some(large) = offered.pop() else { break };
            match spawner.try_alloc(large) {
                Ok(handle) => handles.push(handle),
                Err(rejected) => refused.push(rejected.into_inner()),
            }
            handles.swap_remove(0);
        }
        drop(hold);
        refuse_none();
        assert_eq!((pool.len(), pool.stats().deferred), (handles.len(), 0));
        handles.extend(offered.drain(..).map(|large| pool.alloc(large)));
        pool.for_each(Large::check);
        handles.clear();
        pool.shrink_to_fit();
        assert_eq!(pool.stats().reserved_bytes, 0);
        !refused.is_empty()
    });
    session.assert_nothing_left();
    ledger.assert_settled();
    refused
}

#[test]
fn refusals_under_a_hold_are_survived() {
    let _watchdog = watchdog();
    for for_ever in [false, true] {
        for spawn in [spawn_held::<Locked>, spawn_held::<Unlocked>] {
            let refusals = (1..).take_while(|&n| spawn(n, for_ever)).count();
            assert!(refusals > 5, "{refusals} requests were refused");
        }
    }
}

fn looking_up_and_ending_need_no_memory<L: Lock>() {
    let ledger = Ledger::default();
    let offered: Vec<_> = (0..100).map(|_| Large::new(&ledger)).collect();
    let session = Session::new();
    session.run(|| {
        let mut pool = build::<L>();
        let mut handles: Vec<_> = offered.into_iter().map(|large| pool.alloc(large)).collect();
        let keys: Vec<_> = handles.iter().map(PoolBox::downgrade).collect();
        refuse_nth(1, true);
        // Every chunk has its stamps: adopting is free.
        for handle in handles.drain(..50) {
            pool.adopt(handle);
        }
        let hold = pool.hold();
        handles.truncate(20);
        assert_eq!(
            keys.iter().filter(|&&key| hold.get(key).is_some()).count(),
            70
        );
        assert_eq!(hold.iter_keys().count(), 70);
        std::mem::forget(hold);
        pool.remove(keys[0]).unwrap().check();
        pool.take(handles.pop().unwrap()).ok().unwrap().check();
        let mut asked = 0;
        pool.retain(|large| {
            large.check();
            asked += 1;
            asked % 2 == 0
        });
        let mut hold = pool.hold_mut();
        handles.truncate(5);
        assert!(hold.get_mut(keys[50]).is_some() && hold.get_mut(keys[60]).is_none());
        drop(hold);
        pool.clear();
        pool.shrink_to_fit();
        assert_eq!(pool.len(), 5);
        drop(pool);
        drop(handles);
        refuse_none();
        drop(keys);
    });
    session.assert_nothing_left();
    ledger.assert_settled();
}

#[test]
fn looking_up_and_ending_objects_need_no_memory() {
    let _watchdog = watchdog();
    looking_up_and_ending_need_no_memory::<Locked>();
    looking_up_and_ending_need_no_memory::<Unlocked>();
}

#[test]
#[ignore = "ends the process; run by the test below"]
fn ends_the_process() {
    Session::new().run(|| {
        let pool = build::<Locked>();
        let ledger = Ledger::default();
        let handle = pool.alloc(Large::new(&ledger));
        refuse_nth(1, true);
        let name = || PoolBox::downgrade(&handle);
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(name));
        std::process::exit(0);
    });
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn a_first_key_without_memory_ends_the_process_as_box_does() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "held::ends_the_process",
            "--ignored",
            "--nocapture",
        ])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("memory allocation of"),
        "{said}"
    );
}
