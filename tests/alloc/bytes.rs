//! The byte pool when the allocator refuses the n-th request, for every n, once and then for ever.

use mem_pool::generic::{PoolBytes, VariadicPool};
use mem_pool::{Lock, Locked, PoolError, Unlocked};
use rstest::rstest;

use crate::checking::{Session, refuse_none, refuse_nth, unwatched};
use crate::support::watchdog;

/// Handles and the byte each is filled with.
struct Stream<L: Lock> {
    pool: VariadicPool<L>,
    blocks: Vec<(PoolBytes<L>, u8)>,
    refused: bool,
}

impl<L: Lock> Stream<L> {
    /// Notes an error; whatever it was, nothing has changed.
    fn note<T>(&mut self, before: (usize, usize), result: Result<T, PoolError>) -> Option<T> {
        let error = match result {
            Ok(made) => return Some(made),
            Err(error) => error,
        };
        unwatched(|| assert!(matches!(error, PoolError::OutOfMemory { .. }), "{error}"));
        assert_eq!(before, (self.pool.live_blocks(), self.pool.live_bytes()));
        self.refused = true;
        None
    }

    fn figures(&self) -> (usize, usize) {
        (self.pool.live_blocks(), self.pool.live_bytes())
    }

    /// Each operation that may need memory, on blocks that outgrow a chunk.
    fn step(&mut self, n: usize) {
        let (before, fill, len) = (self.figures(), n as u8, 300 * (1 + n % 7));
        let made = match n % 4 {
            0 => self.pool.try_alloc(len),
            1 => self.pool.try_alloc_aligned(len, 256),
            2 => self.pool.try_alloc_with_capacity(len),
            _ => match self.blocks.first() {
                Some((first, _)) => first.try_clone(),
                None => self.pool.try_alloc_copy(&[7; 100]),
            },
        };
        if let Some(mut bytes) = self.note(before, made) {
            bytes.fill(fill);
            self.blocks.push((bytes, fill));
        }
        let Some((mut bytes, fill)) = self.blocks.pop() else {
            return;
        };
        let before = self.figures();
        let grown = match n % 3 {
            0 => bytes.try_resize(2 * len),
            1 => bytes.try_extend_from_slice(&[fill; 900]),
            _ => bytes.try_reserve(3 * len),
        };
        self.note(before, grown);
        bytes.fill(fill);
        self.blocks.push((bytes, fill));
        if n % 5 == 4 {
            self.blocks.swap_remove(n % self.blocks.len());
        }
    }

    fn check(&self) {
        for (bytes, fill) in &self.blocks {
            assert!(bytes.iter().all(|byte| byte == fill), "contents are kept");
        }
        unwatched(|| self.pool.check().unwrap());
    }
}

/// Returns whether there was an error, and how many requests there were.
fn survive<L: Lock>(n: usize, for_ever: bool) -> (bool, usize) {
    let session = Session::new();
    let result = session.run(|| {
        let mut stream = Stream {
            pool: VariadicPool::<L>::builder().grow_size(2000).build(),
            blocks: Vec::with_capacity(100),
            refused: false,
        };
        refuse_nth(n, for_ever);
        for step in 0..30 {
            stream.step(step);
            stream.check();
        }
        refuse_none();
        // The pool works.
        for step in 0..30 {
            stream.step(step);
        }
        stream.check();
        stream.blocks.clear();
        stream.pool.shrink_to_fit();
        assert_eq!(
            (stream.pool.reserved_bytes(), stream.figures()),
            (0, (0, 0))
        );
        stream.refused
    });
    session.assert_nothing_left();
    result
}

#[rstest]
fn every_refusal_is_survived(#[values(false, true)] for_ever: bool) {
    let _watchdog = watchdog();
    for survive in [survive::<Locked>, survive::<Unlocked>] {
        let (_, requests) = survive(1 << 40, false);
        // A block that cannot grow as it would like makes do with less: not every refusal is an error.
        let errors = (1..=requests).filter(|&n| survive(n, for_ever).0).count();
        assert!(errors > 5, "{errors} errors of {requests}");
    }
}

#[test]
fn what_frees_or_looks_needs_no_memory() {
    let session = Session::new();
    session.run(|| {
        let pool = mem_pool::VariadicPool::builder().grow_size(4096).build();
        let mut blocks: Vec<_> = (0..100).map(|len| pool.alloc(100 + len)).collect();
        refuse_nth(1, true);
        blocks.truncate(70);
        blocks[60].truncate(10);
        blocks[60].shrink_to_fit();
        assert!(pool.contains(blocks[3].as_ptr()) && pool.stats().live_blocks == 70);
        blocks.truncate(5);
        blocks.push(pool.alloc(100)); // a free block will do
        pool.shrink_to_fit();
        drop(pool);
        drop(blocks);
    });
    session.assert_nothing_left();
}
