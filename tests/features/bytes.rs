//! [`PoolBytes`] as [`Bytes`] and as [`BufMut`].

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use mem_pool::{PoolBytes, PoolError, VariadicPool};
use rstest::rstest;

use crate::support::panic_location;

#[test]
fn bytes_are_where_the_block_is() {
    let pool = VariadicPool::default();
    let block = pool.alloc_copy(b"not copied");
    let at = block.as_ptr();
    let bytes = Bytes::from(block);
    assert_eq!((bytes.as_ptr(), &bytes[..]), (at, &b"not copied"[..]));
    assert!(pool.contains(bytes.as_ptr()));
}

#[test]
fn the_block_goes_with_the_last_clone_or_slice() {
    let pool = VariadicPool::default();
    let bytes = Bytes::from(pool.alloc_copy(b"head body"));
    let (head, mut rest) = (bytes.slice(..4), bytes.clone());
    drop(bytes);
    rest.advance(5);
    drop(head);
    assert_eq!((&rest[..], pool.live_blocks()), (&b"body"[..], 1));
    drop(rest.split_to(2));
    assert_eq!((&rest[..], pool.live_blocks()), (&b"dy"[..], 1));
    drop(rest);
    assert_eq!(pool.live_blocks(), 0);
    pool.check().unwrap();
}

#[test]
fn the_last_drop_may_be_on_any_thread_and_after_the_pool_s() {
    let pool = VariadicPool::default();
    let (send, receive) = mpsc::channel::<Bytes>();
    let reader = thread::spawn(move || receive.iter().map(|bytes| bytes.len()).sum::<usize>());
    for length in 0..100 {
        send.send(pool.alloc(length).into()).unwrap();
    }
    let last = Bytes::from(pool.alloc_copy(b"last"));
    drop(pool);
    send.send(last.clone()).unwrap();
    drop(send);
    assert_eq!(reader.join().unwrap(), 99 * 50 + 4);
    assert_eq!(last, "last");
}

#[test]
fn empty_bytes_keep_their_block_until_they_go() {
    let pool = VariadicPool::default();
    let bytes = Bytes::from(pool.alloc(0));
    assert_eq!((bytes.len(), pool.live_blocks()), (0, 1));
    drop(bytes);
    assert_eq!(pool.live_blocks(), 0);
}

/// Writes some of everything.
fn put_all(mut to: impl BufMut) {
    to.put_u8(1);
    to.put_u32(0x0203_0405);
    to.put_slice(&[6; 1000]);
    to.put_bytes(7, 500);
    to.put(b"chain ".chain(&b"of two"[..]));
    to.put_f64_le(0.1);
}

#[test]
fn what_is_put_is_what_a_vec_would_have() {
    let pool = VariadicPool::new(4096, 0);
    let (mut pooled, mut model) = (pool.alloc_with_capacity(0), Vec::new());
    for _ in 0..20 {
        put_all(&mut pooled);
        put_all(&mut model);
    }
    assert_eq!(pooled, model);
    pool.check().unwrap();
}

#[test]
fn a_limit_on_what_is_put_is_kept() {
    let pool = VariadicPool::default();
    let mut limited = pool.alloc_with_capacity(100).limit(10);
    limited.put_slice(&[1; 10]);
    assert_eq!(limited.remaining_mut(), 0);
    assert_eq!(limited.into_inner(), [1; 10]);
}

#[test]
fn room_that_was_reserved_is_filled_in_place() {
    let pool = VariadicPool::default();
    let mut frame = pool.alloc_with_capacity(160);
    let (at, room) = (frame.as_ptr(), frame.capacity());
    for n in 0..10 {
        let chunk = frame.chunk_mut();
        chunk[..16].copy_from_slice(&[n; 16]);
        // SAFETY: so many bytes were just written.
        #[expect(unsafe_code, reason = "what a reader that fills the room does")]
        unsafe {
            frame.advance_mut(16);
        }
    }
    frame.put_bytes(10, room - 160);
    assert_eq!((frame.len(), frame.as_ptr()), (room, at));
    assert_eq!(frame.capacity(), room, "it does not grow before it is full");
    assert!(frame.chunk_mut().len() > 0, "it grows when full");
    assert!(frame.capacity() >= room + 64);
}

#[test]
fn advancing_beyond_the_room_panics() {
    let pool = VariadicPool::default();
    let mut frame = pool.alloc_with_capacity(16);
    let room = frame.capacity();
    // SAFETY: nothing was written, but this panics first.
    #[expect(unsafe_code, reason = "a broken promise that is caught")]
    let advance = || unsafe { frame.advance_mut(room + 1) };
    assert_eq!(panic_location(advance), (file!().into(), line!() - 1));
    assert!(frame.is_empty());
}

#[test]
fn putting_more_than_the_limit_panics_and_keeps_what_there_is() {
    let pool = VariadicPool::builder().grow_size(4096).limit(4096).build();
    let mut frame = pool.alloc_copy(b"kept");
    let put = AssertUnwindSafe(|| frame.put_bytes(1, 5000));
    assert!(catch_unwind(put).is_err());
    assert_eq!(frame, b"kept");
    assert!(frame.remaining_mut() > 5000); // of the pool's limit it knows nothing
    pool.check().unwrap();
}

/// A full block of a pool that is at its limit.
fn full() -> PoolBytes {
    let pool = VariadicPool::builder().grow_size(4096).limit(4096).build();
    let mut bytes = pool.alloc(4000);
    bytes.resize(bytes.capacity());
    bytes
}

#[rstest]
#[case::chunk_mut(line!(), || _ = full().chunk_mut())]
#[case::put_slice(line!(), || full().put_slice(&[7; 5000]))]
#[case::put_bytes(line!(), || full().put_bytes(7, 5000))]
fn a_writer_that_meets_the_limit_names_its_callers_line(#[case] line: u32, #[case] put: fn()) {
    assert_eq!(panic_location(put), (file!().into(), line));
}

#[test]
fn bytes_mut_takes_a_copy() {
    let pool = VariadicPool::default();
    let shared = Bytes::from(pool.alloc_copy(b"shared"));
    let mut own = BytesMut::from(shared);
    own[0] = b'S';
    assert_eq!((&own[..], pool.live_blocks()), (&b"Shared"[..], 0));
}

#[test]
fn handles_and_bytes_cross_threads() {
    fn assert_send_sync<T: Send + Sync + 'static>() {}
    assert_send_sync::<PoolBytes>();
    assert_send_sync::<Bytes>();
}

#[test]
fn the_remaining_room_is_what_the_largest_block_has() {
    let pool = VariadicPool::default();
    let Err(PoolError::SizeOverflow { most, .. }) = pool.try_alloc(usize::MAX) else {
        panic!("nothing is as large");
    };
    let block = pool.alloc(100);
    assert_eq!(block.remaining_mut(), most - 100);
}
