#![expect(unsafe_code, reason = "raw memory is what an allocator is about")]
//! Containers of other crates in a [`VariadicPool`].

use std::alloc::Layout;
use std::collections::HashMap as StdMap;
use std::ptr::NonNull;
use std::sync::Arc;
use std::thread;

use allocator_api2::alloc::Allocator;
use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;
use hashbrown::{DefaultHashBuilder, HashMap};
use mem_pool::{PoolAllocator, VariadicPool, local};
use rstest::rstest;

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

/// Raw memory of an allocator, given back on drop.
struct Memory<'a, A: Allocator> {
    allocator: &'a A,
    at: NonNull<[u8]>,
    layout: Layout,
}

impl<'a, A: Allocator> Memory<'a, A> {
    /// Writes every byte of what is given.
    fn new(allocator: &'a A, layout: Layout, byte: u8) -> Self {
        let at = allocator.allocate(layout).unwrap();
        let mut memory = Self {
            allocator,
            at,
            layout,
        };
        memory.bytes().fill(byte);
        memory
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: valid: every byte was written, by `new` or the pool. Aliasing: the memory is this value's, which is borrowed.
        unsafe { std::slice::from_raw_parts_mut(self.at.as_ptr().cast(), self.at.len()) }
    }

    fn first(&self, count: usize) -> &[u8] {
        assert!(count <= self.at.len());
        // SAFETY: as in `bytes`, as far as the tests have written.
        unsafe { std::slice::from_raw_parts(self.at.as_ptr().cast(), count) }
    }

    fn is_aligned(&self) -> bool {
        self.at.addr().get() % self.layout.align() == 0
    }

    fn change(
        &mut self,
        new: Layout,
        f: impl FnOnce(
            &A,
            NonNull<u8>,
            Layout,
        ) -> Result<NonNull<[u8]>, allocator_api2::alloc::AllocError>,
    ) -> bool {
        let changed = f(self.allocator, self.at.cast(), self.layout);
        if let Ok(at) = changed {
            (self.at, self.layout) = (at, new);
        }
        changed.is_ok()
    }

    /// What is new stays unwritten: only [`first`](Self::first) bytes may be read.
    fn grow(&mut self, new: Layout) -> bool {
        // SAFETY: `at` was given out for `old`, and the tests grow what is smaller.
        self.change(new, |pool, at, old| unsafe { pool.grow(at, old, new) })
    }

    fn grow_zeroed(&mut self, new: Layout) -> bool {
        // SAFETY: `at` was given out for `old`, and the tests grow what is smaller.
        self.change(new, |pool, at, old| unsafe {
            pool.grow_zeroed(at, old, new)
        })
    }

    fn shrink(&mut self, new: Layout) -> bool {
        // SAFETY: `at` was given out for `old`, and the tests shrink what is larger.
        self.change(new, |pool, at, old| unsafe { pool.shrink(at, old, new) })
    }
}

impl<A: Allocator> Drop for Memory<'_, A> {
    fn drop(&mut self) {
        // SAFETY: it was given out for this layout, and is given back once.
        unsafe { self.allocator.deallocate(self.at.cast(), self.layout) }
    }
}

#[test]
fn a_vec_lives_in_the_pool() {
    let pool = VariadicPool::new(4096, 0);
    let mut numbers = Vec::new_in(&pool);
    for n in 0..2000_u32 {
        numbers.push(n);
        assert!(pool.contains(numbers.as_ptr().cast()));
    }
    assert!(numbers.iter().copied().eq(0..2000));
    numbers.truncate(10);
    numbers.shrink_to_fit();
    assert_eq!((numbers.capacity(), pool.live_bytes()), (10, 40));
    pool.check().unwrap();
    drop(numbers);
    assert_eq!(pool.live_blocks(), 0);
    pool.check().unwrap();
}

#[test]
fn a_box_lives_in_the_pool_and_comes_back_through_every_door() {
    let pool = VariadicPool::default();
    let text = Box::new_in(String::from("boxed"), &pool);
    assert_eq!(pool.live_blocks(), 1);
    let (raw, allocator) = Box::into_raw_with_allocator(text);
    // SAFETY: both came from a box just now.
    let text = unsafe { Box::from_raw_in(raw, allocator) };
    assert_eq!(*text, "boxed");
    assert_eq!(Box::into_inner(text), "boxed");
    let mut bytes = Vec::new_in(&pool);
    bytes.extend_from_slice(&[1_u8, 2, 3]);
    let bytes: Box<[u8], _> = bytes.into_boxed_slice(); // through a reference to three bytes
    assert_eq!(*bytes, [1, 2, 3]);
    drop(bytes);
    assert_eq!(pool.live_blocks(), 0);
    pool.check().unwrap();
}

#[test]
fn a_hash_map_lives_in_the_pool() {
    let pool = VariadicPool::new(16 * 1024, 20);
    let mut map = HashMap::with_hasher_in(DefaultHashBuilder::default(), &pool);
    let mut model = StdMap::new();
    for n in 0..3000_u64 {
        let key = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 1000;
        if n % 3 == 0 {
            assert_eq!(map.remove(&key), model.remove(&key));
        } else {
            assert_eq!(map.insert(key, n), model.insert(key, n));
        }
    }
    assert!(pool.live_blocks() == 1 && map.len() == model.len());
    assert!(model.iter().all(|(key, value)| map[key] == *value));
    map.clear();
    map.shrink_to_fit();
    assert_eq!(pool.live_blocks(), 0);
    pool.check().unwrap();
}

#[test]
fn containers_in_containers_share_one_pool() {
    let pool = local::VariadicPool::default();
    let mut rows = Vec::new_in(&pool);
    for length in 0..50 {
        let mut row = Vec::new_in(&pool);
        row.resize(length, length as u8);
        rows.push(row);
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.len()));
    rows.truncate(20);
    let copy = rows.clone();
    assert_eq!(rows, copy);
    assert_eq!(pool.live_blocks(), 42);
    drop((rows, copy));
    assert_eq!(pool.live_blocks(), 0);
    pool.check().unwrap();
}

#[test]
fn nothing_takes_no_block_whatever_its_alignment() {
    let pool = VariadicPool::default();
    let mut units = Vec::new_in(&pool);
    units.resize(100, ());
    let empty = Memory::new(&pool, layout(0, 1 << 30), 0);
    assert!(empty.is_aligned() && empty.at.is_empty());
    assert_eq!((units.len(), pool.live_blocks()), (100, 0));
    drop(Box::new_in((), &pool));
    assert_eq!(pool.reserved_bytes(), 0);
}

#[test]
fn nothing_grows_into_something_and_back() {
    let pool = VariadicPool::default();
    let mut memory = Memory::new(&pool, layout(0, 8), 0);
    assert!(memory.grow(layout(100, 64)) && memory.is_aligned());
    assert_eq!(pool.live_bytes(), 100);
    assert!(memory.shrink(layout(0, 8)));
    assert_eq!(pool.live_blocks(), 0);
    assert!(memory.grow_zeroed(layout(7, 1)));
    assert!(memory.bytes().iter().all(|&byte| byte == 0));
}

#[rstest]
#[case(1, 1)]
#[case(24, 32)]
#[case(100, 4096)]
#[case(1, 64 * 1024)]
#[case(5000, 1 << 20)]
fn alignment_is_kept(#[case] size: usize, #[case] align: usize) {
    let pool = VariadicPool::default();
    let _odd = pool.alloc(17);
    let memory = Memory::new(&pool, layout(size, align), 1);
    assert!(memory.is_aligned() && memory.at.len() >= size);
    pool.check().unwrap();
}

#[test]
fn what_the_pool_cannot_align_it_refuses() {
    let pool = VariadicPool::default();
    assert!(pool.allocate(layout(16, 1 << 21)).is_err());
    let mut memory = Memory::new(&pool, layout(16, 16), 7);
    assert!(!memory.grow(layout(32, 1 << 21)));
    assert!(!memory.shrink(layout(8, 1 << 21)));
    assert_eq!(memory.first(16), [7; 16]); // still the owner's
    assert_eq!(pool.live_blocks(), 1);
    pool.check().unwrap();
}

#[test]
fn at_the_limit_the_old_memory_stays() {
    let pool = VariadicPool::builder().grow_size(4096).limit(4096).build();
    let mut memory = Memory::new(&pool, layout(1000, 16), 9);
    assert!(pool.allocate(layout(5000, 16)).is_err());
    assert!(!memory.grow(layout(5000, 16)));
    assert!(memory.bytes()[..1000].iter().all(|&byte| byte == 9));
    let mut numbers: Vec<u8, _> = Vec::new_in(&pool);
    assert!(numbers.try_reserve(5000).is_err() && numbers.try_reserve(500).is_ok());
    pool.check().unwrap();
}

#[test]
fn memory_grows_where_it_is_if_what_follows_is_free() {
    let pool = VariadicPool::default();
    let mut memory = Memory::new(&pool, layout(100, 16), 5);
    let before = memory.at.addr();
    assert!(memory.grow(layout(3000, 16)));
    assert_eq!(memory.at.addr(), before);
    assert_eq!(pool.live_bytes(), 3000);
    let next = Memory::new(&pool, layout(100, 16), 6);
    assert!(memory.grow(layout(9000, 16)));
    assert_ne!(memory.at.addr(), before);
    assert_eq!(memory.first(100), [5; 100]);
    drop(next);
    pool.check().unwrap();
}

#[rstest]
#[case::in_place(16)]
#[case::to_a_stricter_place(4096)]
fn grown_memory_is_zeroed_behind_what_it_was(#[case] align: usize) {
    let pool = VariadicPool::default();
    drop(Memory::new(&pool, layout(20_000, 16), 0xAA)); // what the next tenants find
    let _in_front = Memory::new(&pool, layout(48, 16), 1);
    let mut memory = Memory::new(&pool, layout(100, 16), 5);
    assert!(memory.grow_zeroed(layout(10_000, align)) && memory.is_aligned());
    assert!(memory.bytes()[..100].iter().all(|&byte| byte == 5));
    assert!(memory.bytes()[100..].iter().all(|&byte| byte == 0));
    let zeroes = pool.allocate_zeroed(layout(3000, 16)).unwrap();
    let zeroes = Memory {
        allocator: &pool,
        at: zeroes,
        layout: layout(3000, 16),
    };
    assert!({ zeroes }.bytes().iter().all(|&byte| byte == 0));
    pool.check().unwrap();
}

#[rstest]
#[case::in_place(16)]
#[case::to_a_stricter_place(8192)]
fn shrunk_memory_keeps_its_first_bytes_and_gives_the_rest_back(#[case] align: usize) {
    let pool = VariadicPool::default();
    let _in_front = Memory::new(&pool, layout(48, 16), 1);
    let mut memory = Memory::new(&pool, layout(30_000, 16), 3);
    let free = pool.stats().free_bytes;
    assert!(memory.shrink(layout(50, align)) && memory.is_aligned());
    assert_eq!(memory.first(50), [3; 50]);
    assert!(pool.stats().free_bytes > free + 29_000);
    pool.check().unwrap();
}

#[test]
fn any_thread_gives_memory_back() {
    let pool = VariadicPool::new(4096, 0);
    thread::scope(|scope| {
        for thread in 0..4_u8 {
            let pool = &pool;
            let vectors: std::vec::Vec<_> = (1..40_usize)
                .map(|n| {
                    let mut bytes = Vec::new_in(pool);
                    bytes.resize(n * 7, thread);
                    bytes
                })
                .collect();
            scope.spawn(move || {
                for mut bytes in vectors {
                    bytes.resize(bytes.len() * 2, thread);
                    assert!(bytes.iter().all(|&byte| byte == thread));
                }
            });
        }
    });
    assert_eq!(pool.live_blocks(), 0);
    pool.check().unwrap();
}

#[test]
fn an_owned_allocator_outlives_whoever_made_it() {
    let allocator = PoolAllocator::new(VariadicPool::default());
    let mut numbers = Vec::new_in(allocator.clone());
    numbers.extend(0..100_u16);
    drop(allocator); // the vector's clone is the last
    let numbers = thread::spawn(move || {
        numbers.extend(100..10_000);
        numbers
    });
    let numbers = numbers.join().unwrap();
    assert!(numbers.iter().copied().eq(0..10_000));
    assert_eq!(numbers.allocator().pool().live_blocks(), 1);
    let boxed = Box::new_in(numbers, PoolAllocator::new(VariadicPool::default()));
    assert_eq!(boxed.len(), 10_000);
}

#[test]
fn an_owned_allocator_shares_its_pool_with_handles() {
    let pool = Arc::new(VariadicPool::default());
    let allocator = PoolAllocator::from(Arc::clone(&pool));
    let map: HashMap<_, _, DefaultHashBuilder, _> = {
        let mut map = HashMap::with_hasher_in(DefaultHashBuilder::default(), allocator);
        map.insert("line", pool.alloc_copy(b"text"));
        map
    };
    assert_eq!((pool.live_blocks(), pool.stats().live_blocks), (2, 2));
    drop(pool);
    assert_eq!(map["line"], b"text");
}

#[test]
fn what_is_released_is_wiped_if_the_pool_was_told_to() {
    let pool = VariadicPool::builder().zero_on_release(true).build();
    let mut memory = Memory::new(&pool, layout(1000, 16), 0xAA);
    let at = memory.at.cast::<u8>();
    assert!(memory.shrink(layout(100, 16)));
    let next = pool.alloc_with_capacity(500);
    assert_eq!(next.as_ptr().addr(), at.addr().get() + 112);
    let mut next = next;
    // SAFETY: the chunk is new, and what was written since was wiped: every byte of it is initialised.
    unsafe { next.set_len(400) };
    assert!(next.iter().all(|&byte| byte == 0));
}

#[test]
fn an_allocator_of_one_thread_is_owned_and_cloned_too() {
    let allocator = local::PoolAllocator::new(local::VariadicPool::default());
    let mut numbers: Vec<u8, local::PoolAllocator> = Vec::new_in(allocator.clone());
    numbers.extend([1, 2, 3]);
    assert_eq!(allocator.pool().live_blocks(), 1);
    drop(allocator);
    assert_eq!(numbers[..], [1, 2, 3]);
}

#[test]
fn an_owned_allocator_does_all_that_its_pool_does() {
    let allocator = PoolAllocator::new(VariadicPool::new(4096, 0));
    let mut memory = Memory::new(&allocator, layout(100, 16), 7);
    assert!(memory.grow_zeroed(layout(300, 16)));
    assert_eq!(memory.first(100), [7; 100]);
    assert_eq!(memory.first(300)[100..], [0; 200]);
    assert!(memory.shrink(layout(50, 16)));
    assert_eq!(
        (memory.first(50), allocator.pool().live_bytes()),
        (&[7; 50][..], 50)
    );
    assert!(memory.grow(layout(60, 16)));
    assert_eq!(memory.first(50), [7; 50]);
    assert_eq!(format!("{allocator:?}"), format!("{:?}", allocator.pool()));
    drop(memory);
    assert_eq!(allocator.pool().live_blocks(), 0);
}
