//! Objects of every size and alignment: aligned, disjoint, inside.

use mem_pool::generic::FixedPool;
use mem_pool::{Keyed, Lock, PoolBox, Shared, Unique};
use rstest::rstest;

use crate::support::{Ledger, Mode, count, in_every_mode, on_a_large_stack, pool};

macro_rules! aligned {
    ($($name:ident $align:literal),* $(,)?) => { $(
        #[derive(Clone, Copy)]
        #[repr(C, align($align))]
        struct $name<const N: usize>([u8; N]);
        impl<const N: usize> Bytes for $name<N> {
            fn filled(byte: u8) -> Self {
                Self([byte; N])
            }
            fn bytes(&self) -> &[u8] {
                &self.0
            }
        }
    )* };
}

/// An object that is nothing but bytes.
trait Bytes {
    fn filled(byte: u8) -> Self;
    fn bytes(&self) -> &[u8];
}

aligned!(A1 1, A2 2, A4 4, A8 8, A16 16, A64 64, A256 256, A4096 4096, A32768 32768);

/// Enough objects for a second chunk, but not for a second second.
fn enough<T>() -> usize {
    count((150_000 / size_of::<T>().max(100)).clamp(5, 300))
}

fn objects_are_aligned_disjoint_and_inside<T: Bytes, A: Mode, L: Lock>() {
    let pool = pool::<T, A, L>();
    let stamp = |n: usize| (n * 7 + 1) as u8;
    let mut handles: Vec<_> = (0..enough::<T>())
        .map(|n| pool.alloc(T::filled(stamp(n))))
        .collect();
    for n in (0..handles.len()).step_by(3) {
        handles[n] = pool.alloc(T::filled(stamp(n)));
    }
    let mut addresses: Vec<_> = handles.iter().map(PoolBox::as_ptr).collect();
    for (n, handle) in handles.iter().enumerate() {
        let address = PoolBox::as_ptr(handle);
        assert!(address.is_aligned() && pool.contains(address) && pool.owns(handle));
        A::read(&pool, handle, |object| {
            assert!(
                object.bytes().iter().all(|byte| *byte == stamp(n)),
                "object {n}"
            );
        });
    }
    addresses.sort();
    let stride = size_of::<T>().max(1);
    assert!(
        addresses
            .windows(2)
            .all(|pair| pair[0].wrapping_byte_add(stride) <= pair[1])
    );
    let mut visits = 0;
    if A::walk(&pool, |object| {
        visits += usize::from(object.bytes().len() <= size_of::<T>())
    }) {
        assert_eq!(visits, handles.len());
    }
    drop(handles);
    assert_eq!((pool.len(), pool.stats().capacity), (0, pool.capacity()));
    pool.shrink_to_fit();
    assert_eq!(pool.stats().reserved_bytes, 0);
}

macro_rules! all_pairs {
    ($($align:ident)*; $sizes:tt) => { $(all_pairs!(@ $align $sizes);)* };
    (@ $align:ident [$($size:literal)*]) => {
        #[test]
        #[expect(non_snake_case, reason = "named for the type")]
        fn $align() {
            crate::support::on_a_large_stack(|| {
                $(objects_are_aligned_disjoint_and_inside::<super::$align<$size>, Shared, mem_pool::Locked>();)*
            });
        }
    };
}

mod sizes_by_alignments {
    use super::{Shared, objects_are_aligned_disjoint_and_inside};

    all_pairs!(A1 A2 A4 A8 A16 A64 A256 A4096 A32768; [0 1 2 3 7 8 24 63 65 100 1000 4095 4096 4097 65535 65537]);
}

#[test]
fn unusual_objects_work_in_the_other_modes() {
    on_a_large_stack(|| {
        objects_are_aligned_disjoint_and_inside::<A1<0>, Unique, mem_pool::Unlocked>();
        objects_are_aligned_disjoint_and_inside::<A4096<0>, Keyed, mem_pool::Locked>();
        objects_are_aligned_disjoint_and_inside::<A32768<1>, Keyed, mem_pool::Unlocked>();
        objects_are_aligned_disjoint_and_inside::<A64<4097>, Unique, mem_pool::Locked>();
    });
}

in_every_mode!(
    zero_sized_objects_are_counted_visited_and_dropped,
    a_mebibyte_works
);

thread_local! {
    static ZERO_SIZED_DROPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

struct Nothing;

impl Drop for Nothing {
    fn drop(&mut self) {
        ZERO_SIZED_DROPS.set(ZERO_SIZED_DROPS.get() + 1);
    }
}

fn zero_sized_objects_are_counted_visited_and_dropped<A: Mode, L: Lock>() {
    ZERO_SIZED_DROPS.set(0);
    let mut pool = pool::<Nothing, A, L>();
    let mut handles: Vec<_> = (0..count(1000)).map(|_| pool.alloc(Nothing)).collect();
    let mut visits = 0;
    if A::walk(&pool, |_| visits += 1) {
        assert_eq!(visits, handles.len());
    }
    let total = handles.len();
    let moved_out = A::move_out(&mut pool, handles.pop().unwrap());
    assert_eq!(ZERO_SIZED_DROPS.get(), 0);
    drop(moved_out);
    handles.truncate(total / 2);
    assert_eq!(
        (pool.len(), ZERO_SIZED_DROPS.get()),
        (total / 2, total - total / 2)
    );
    drop(pool);
    drop(handles);
    assert_eq!(ZERO_SIZED_DROPS.get(), total);
}

fn a_mebibyte_works<A: Mode, L: Lock>() {
    type Huge = [u64; 1 << 17];
    on_a_large_stack(|| {
        let pool: FixedPool<Huge, A, L> = pool();
        let handles: Vec<_> = (0..5).map(|n| pool.alloc([n; 1 << 17])).collect();
        for (n, handle) in handles.iter().enumerate() {
            A::read(&pool, handle, |object| {
                assert!(object.iter().all(|word| *word == n as u64))
            });
        }
        assert!(pool.stats().reserved_bytes >= 5 << 20);
        drop(handles);
        pool.shrink_to_fit();
        assert_eq!(pool.stats().reserved_bytes, 0);
    });
}

#[rstest]
#[case(1)]
#[case(64)]
#[case(100)]
fn large_tracked_objects_stay_whole(#[case] objects: usize) {
    struct Padded(crate::support::Tracked, [u8; 3000]);
    let ledger = Ledger::default();
    let pool = mem_pool::FixedPool::<Padded>::new();
    let handles: Vec<_> = (0..objects)
        .map(|n| pool.alloc(Padded(ledger.make(), [n as u8; 3000])))
        .collect();
    for (n, handle) in handles.iter().enumerate() {
        handle.0.check();
        assert!(handle.1.iter().all(|byte| *byte == n as u8));
    }
    drop(handles);
    ledger.assert_settled();
}
