//! From C: what each call of the C library became, and one program before and after.
//!
//! # The calls
//!
//! | C | Rust |
//! |---|---|
//! | `pool_fixed_init(&p, block_size, increase_count)` | [`FixedPool::builder()`]`.`[`growth(increase_count)`]`.build()` |
//! | `pool_fixed_alloc` | [`alloc`](FixedPool::alloc), which takes the value and gives a [`PoolBox`] |
//! | `pool_fixed_free` | drop the handle; an unknown block cannot be freed, for there is no call for it |
//! | `pool_fixed_foreach`, `MEM_POOL_FOREACH_STOP` | [`try_for_each`], [`ControlFlow::Break`] |
//! | `pool_fixed_is_associated` | [`contains`](FixedPool::contains) for an address, [`owns`] for a handle |
//! | `pool_variable_init(&p, grow_size, tolerance_percent)` | [`VariadicPool::new(grow_size, tolerance_percent)`](VariadicPool::new) |
//! | `MEM_POOL_NO_BEST_FIT` | [`VariadicPool::builder()`]`.`[`first_fit()`] |
//! | `pool_variable_alloc` | [`alloc`](VariadicPool::alloc), or [`alloc_with_capacity`] where zeroes are not needed |
//! | `pool_variable_free` | drop the handle |
//! | `pool_variable_aligned_sizeof` | [`PoolBytes::capacity`](crate::generic::PoolBytes::capacity) |
//! | `pool_variable_is_associated` | [`contains`](VariadicPool::contains) |
//! | `pool_fixed_destroy`, `pool_variable_destroy` | drop the pool; handles may outlive it |
//! | a `MemPoolError` | [`PoolError`](crate::PoolError), from the methods that begin with `try_` |
//!
//! # What is different
//!
//! - An object is destroyed when its handle is dropped, once. What C forbids in its manual (to free twice, to free what is not a
//!   block, to use what was freed) does not compile.
//! - A walk visits live objects only, and no lock is held while its callback runs: it may allocate, free and walk.
//! - `growth` is exact, as `increase_count` was; without it a pool grows geometrically, which is seldom worse.
//! - Best fit means the smallest block that fits, and never a smaller one. With a tolerance of 0 whatever is
//!   left over is split off, if it can be a block: it takes 32 bytes.
//! - Threads have a shard each where they can. A pool that never leaves its thread is [`local`](crate::local), and has no lock.
//!
//! # A program in C
//!
//! ```c
//! #include <stdio.h>
//! #include "mem_pool.h"
//!
//! struct session { int id; int requests; char *name; };
//!
//! static int least = 5;                            /* the callback is given nothing else */
//!
//! static MemPoolForeachStatus print_busy(void *block) {
//!     struct session *session = block;
//!     if (session->requests < least) return MEM_POOL_FOREACH_CONTINUE;
//!     printf("%d %s\n", session->id, session->name);
//!     return MEM_POOL_FOREACH_STOP;
//! }
//!
//! int main(void) {
//!     FixedMemPool *sessions;
//!     VariableMemPool *names;
//!     struct session *all[3];
//!
//!     if (pool_fixed_init(&sessions, sizeof(struct session), 64) != MEM_POOL_ERR_OK) return 1;
//!     if (pool_variable_init(&names, 4096, 20) != MEM_POOL_ERR_OK) return 1;
//!
//!     for (int id = 0; id < 3; id++) {
//!         if (pool_fixed_alloc(sessions, (void **)&all[id]) != MEM_POOL_ERR_OK) return 1;
//!         if (pool_variable_alloc(names, 16, (void **)&all[id]->name) != MEM_POOL_ERR_OK) return 1;
//!         all[id]->id = id;
//!         all[id]->requests = id * 10;
//!         snprintf(all[id]->name, 16, "user %d", id);
//!     }
//!     pool_fixed_foreach(sessions, print_busy);
//!
//!     pool_variable_free(names, all[1]->name);     /* in this order, and not twice */
//!     pool_fixed_free(sessions, all[1]);
//!     pool_fixed_foreach(sessions, print_busy);
//!
//!     pool_fixed_destroy(sessions);                /* the other names go with their pool */
//!     pool_variable_destroy(names);
//!     return 0;
//! }
//! ```
//!
//! # The same in Rust
//!
//! ```
//! use std::io::Write;
//! use std::ops::ControlFlow;
//! use mem_pool::{FixedPool, PoolBytes, PoolError, VariadicPool};
//!
//! struct Session { id: u32, requests: u32, name: PoolBytes }
//!
//! /// The first session with so many requests.
//! fn busy(sessions: &FixedPool<Session>, least: u32) -> Option<u32> {
//!     let found = sessions.try_for_each(|session| {
//!         if session.requests >= least {
//!             println!("{} {}", session.id, String::from_utf8_lossy(&session.name));
//!             return ControlFlow::Break(session.id); // stop
//!         }
//!         ControlFlow::Continue(())
//!     });
//!     found.break_value()
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sessions = FixedPool::builder().growth(64).build();
//!     let names = VariadicPool::new(4096, 20);
//!
//!     let mut all = Vec::new();
//!     for id in 0..3 {
//!         let mut name = names.try_alloc_with_capacity(16)?;
//!         write!(name, "user {id}")?;                 // grows if it must
//!         let session = Session { id, requests: id * 10, name };
//!         all.push(sessions.try_alloc(session).map_err(PoolError::from)?);
//!     }
//!     assert_eq!(busy(&sessions, 5), Some(1));
//!
//!     drop(all.remove(1));                            // and with it its name
//!     assert_eq!((sessions.len(), names.live_blocks()), (2, 2));
//!     assert_eq!(busy(&sessions, 5), Some(2));
//!     Ok(())                                          // in any order
//! }
//! ```
//!
//! [`FixedPool::builder()`]: FixedPool::builder
//! [`growth(increase_count)`]: crate::generic::FixedPoolBuilder::growth
//! [`try_for_each`]: FixedPool::try_for_each
//! [`ControlFlow::Break`]: std::ops::ControlFlow::Break
//! [`owns`]: FixedPool::owns
//! [`VariadicPool::builder()`]: VariadicPool::builder
//! [`first_fit()`]: crate::generic::VariadicBuilder::first_fit
//! [`alloc_with_capacity`]: VariadicPool::alloc_with_capacity
//! [`PoolBox`]: crate::generic::PoolBox

// For the links above.
#[expect(unused_imports, reason = "named in the documentation only")]
use crate::generic::{FixedPool, VariadicPool};
