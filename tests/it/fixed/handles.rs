//! Handles behave as `Box` does, where they reach their object.

use std::borrow::{Borrow, BorrowMut};
use std::cmp::Ordering;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::future::{Future, Ready, ready};
use std::hash::{Hash, Hasher};
use std::io::{self, BufRead, IoSlice, IoSliceMut, Read, Seek, SeekFrom, Write};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use mem_pool::generic::FixedPool;
use mem_pool::{FixedPool as Locked, Lock, PoolBox, ThroughHandle, Unique};

use crate::support::{Ledger, Mode, mode_tests, panic_message, pool};

macro_rules! in_deref_modes {
    ($($name:ident),* $(,)?) => { $(mod $name {
        super::mode_tests!($name: shared Shared, unique Unique);
    })* };
}

in_deref_modes!(
    handles_print_as_their_object,
    handles_compare_as_their_objects,
    handles_hash_and_borrow_as_their_object,
    a_handle_of_an_error_is_an_error,
);

fn handles_print_as_their_object<A: Mode + ThroughHandle, L: Lock>() {
    let pool = pool::<f64, A, L>();
    let handle = pool.alloc(1.5);
    assert_eq!(
        format!("{handle:?} {handle} {handle:8.3} {handle:<6}|"),
        "1.5 1.5    1.500 1.5   |"
    );
    assert_eq!(
        format!("{:p}", handle),
        format!("{:p}", PoolBox::as_ptr(&handle))
    );
    let texts = crate::support::pool::<&str, A, L>();
    assert_eq!(format!("{:#?}", texts.alloc("a\n")), "\"a\\n\"");
}

fn handles_compare_as_their_objects<A: Mode + ThroughHandle, L: Lock>() {
    let pool = pool::<f64, A, L>();
    let [one, again, two, nan, nan_too] =
        [1.0, 1.0, 2.0, f64::NAN, f64::NAN].map(|n| pool.alloc(n));
    assert!(one == again && one != two && one < two && two >= again);
    let compared = [one <= again, one <= two, two > one, one > again];
    assert_eq!(compared, [true, true, true, false]);
    assert_eq!(one.partial_cmp(&two), Some(Ordering::Less));
    let compared = [nan == nan_too, one < nan, one <= nan, nan > one, nan >= one];
    assert!(one.partial_cmp(&nan).is_none() && compared == [false; 5]);
    let pool = crate::support::pool::<&str, A, L>();
    let mut words = ["b", "c", "a"].map(|word| pool.alloc(word));
    words.sort();
    assert_eq!(words.each_ref().map(|word| **word), ["a", "b", "c"]);
    assert_eq!(words[0].cmp(&words[1]), Ordering::Less);
}

fn handles_hash_and_borrow_as_their_object<A: Mode + ThroughHandle, L: Lock>() {
    fn hash(value: impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        hasher.finish()
    }
    let pool = pool::<String, A, L>();
    let handle = pool.alloc("key".into());
    assert_eq!(hash(&handle), hash("key"));
    let as_ref: &String = handle.as_ref();
    let borrowed: &String = handle.borrow();
    assert_eq!(as_ref, borrowed);
    let mut map = HashMap::from([(handle, 1)]);
    let sought = String::from("key");
    assert_eq!(map.get(&sought), Some(&1));
    assert_eq!(map.remove(&sought), Some(1));
    let tree = BTreeMap::from([(pool.alloc("x".into()), 2)]);
    assert_eq!(tree.get(&String::from("x")), Some(&2));
}

fn a_handle_of_an_error_is_an_error<A: Mode + ThroughHandle, L: Lock>() {
    let pool = pool::<std::num::ParseIntError, A, L>();
    let handle = pool.alloc("x".parse::<i32>().unwrap_err());
    let error: &dyn Error = &handle;
    assert!(error.to_string().contains("invalid digit"));
}

#[test]
fn associated_functions_do_not_shadow_the_objects_methods() {
    struct Named;
    impl Named {
        fn as_ptr(&self) -> &str {
            "mine"
        }
        fn leak(&self) -> u8 {
            1
        }
        fn clone(&self) -> u8 {
            2
        }
    }
    let handle = Locked::unique().alloc(Named);
    assert_eq!(
        (handle.as_ptr(), handle.leak(), handle.clone()),
        ("mine", 1, 2)
    );
}

#[test]
fn a_unique_handle_writes_to_its_object() {
    let pool = Locked::<Vec<u8>>::unique();
    let mut handle = pool.alloc(vec![]);
    handle.push(1);
    (*handle).push(2);
    let borrowed: &mut Vec<u8> = handle.borrow_mut();
    borrowed.push(3);
    let as_mut: &mut Vec<u8> = handle.as_mut();
    as_mut.push(4);
    assert_eq!(PoolBox::into_inner(handle), [1, 2, 3, 4]);
}

#[test]
fn a_handle_of_an_iterator_is_one() {
    let pool = Locked::unique();
    let mut handle = pool.alloc(0..10);
    assert_eq!(
        (handle.next(), handle.next_back(), handle.len()),
        (Some(0), Some(9), 8)
    );
    assert_eq!(
        (handle.size_hint(), handle.nth(1), handle.nth_back(1)),
        ((8, Some(8)), Some(2), Some(7))
    );
    assert_eq!(handle.by_ref().collect::<Vec<_>>(), [3, 4, 5, 6]);
    assert!(pool.alloc(5..8).rev().eq([7, 6, 5]));
    let mut sum = 0;
    for n in pool.alloc(0..4) {
        sum += n;
    }
    assert_eq!((sum, pool.len()), (6, 1));
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_handle_of_a_future_is_one() {
    let pool = Locked::<Ready<u8>>::unique();
    assert_eq!(poll_once(pin!(pool.alloc(ready(5)))), Poll::Ready(5));
    let not_unpin = mem_pool::local::FixedPool::unique();
    let mut pinned = PoolBox::into_pin(not_unpin.alloc(async { 6 }));
    assert_eq!(poll_once(pinned.as_mut()), Poll::Ready(6));
}

/// Writes down which of its methods are called.
#[derive(Default)]
struct Calls(Vec<&'static str>);

impl Calls {
    fn called<R>(&mut self, name: &'static str, result: R) -> io::Result<R> {
        self.0.push(name);
        Ok(result)
    }
}

impl Read for Calls {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.called("read", buffer.len())
    }
    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.called("read_vectored", buffers.len())
    }
    fn read_to_end(&mut self, bytes: &mut Vec<u8>) -> io::Result<usize> {
        self.called("read_to_end", bytes.len())
    }
    fn read_to_string(&mut self, text: &mut String) -> io::Result<usize> {
        self.called("read_to_string", text.len())
    }
    fn read_exact(&mut self, _: &mut [u8]) -> io::Result<()> {
        self.called("read_exact", ())
    }
}

impl Write for Calls {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.called("write", bytes.len())
    }
    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.called("write_vectored", buffers.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        self.called("flush", ())
    }
    fn write_all(&mut self, _: &[u8]) -> io::Result<()> {
        self.called("write_all", ())
    }
    fn write_fmt(&mut self, _: std::fmt::Arguments<'_>) -> io::Result<()> {
        self.called("write_fmt", ())
    }
}

impl BufRead for Calls {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.called("fill_buf", &b"full"[..])
    }
    fn consume(&mut self, count: usize) {
        assert_eq!(count, 4);
        self.0.push("consume");
    }
    fn read_until(&mut self, byte: u8, _: &mut Vec<u8>) -> io::Result<usize> {
        self.called("read_until", byte.into())
    }
    fn skip_until(&mut self, byte: u8) -> io::Result<usize> {
        self.called("skip_until", byte.into())
    }
    fn read_line(&mut self, line: &mut String) -> io::Result<usize> {
        self.called("read_line", line.len())
    }
}

impl Seek for Calls {
    fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
        self.called("seek", 3)
    }
    fn rewind(&mut self) -> io::Result<()> {
        self.called("rewind", ())
    }
    fn stream_position(&mut self) -> io::Result<u64> {
        self.called("stream_position", 4)
    }
    fn seek_relative(&mut self, _: i64) -> io::Result<()> {
        self.called("seek_relative", ())
    }
}

/// Calls every method of a reader, with what tells one from another.
fn read_in_every_way(reader: &mut impl BufRead) {
    let (mut bytes, mut text, mut buffer) = (vec![0; 2], String::from("abc"), [0; 5]);
    assert_eq!(reader.read(&mut buffer).unwrap(), 5);
    let mut buffers = [IoSliceMut::new(&mut buffer)];
    assert_eq!(reader.read_vectored(&mut buffers).unwrap(), 1);
    assert_eq!(reader.read_to_end(&mut bytes).unwrap(), 2);
    assert_eq!(reader.read_to_string(&mut text).unwrap(), 3);
    reader.read_exact(&mut buffer).unwrap();
    assert_eq!(reader.fill_buf().unwrap(), b"full");
    reader.consume(4);
    assert_eq!(reader.read_until(6, &mut bytes).unwrap(), 6);
    assert_eq!(reader.skip_until(7).unwrap(), 7);
    assert_eq!(reader.read_line(&mut text).unwrap(), 3);
}

/// Calls every method of a writer.
fn write_in_every_way(writer: &mut (impl Write + Seek)) {
    assert_eq!(writer.write(b"ab").unwrap(), 2);
    assert_eq!(writer.write_vectored(&[IoSlice::new(b"a")]).unwrap(), 1);
    writer.flush().unwrap();
    writer.write_all(b"ab").unwrap();
    writer.write_fmt(format_args!("ab")).unwrap();
    assert_eq!(writer.seek(SeekFrom::Start(1)).unwrap(), 3);
    writer.rewind().unwrap();
    assert_eq!(writer.stream_position().unwrap(), 4);
    writer.seek_relative(1).unwrap();
}

#[test]
fn a_handle_of_a_reader_or_writer_is_one() {
    let pool = Locked::unique();
    let mut calls = pool.alloc(Calls::default());
    read_in_every_way(&mut calls);
    write_in_every_way(&mut calls);
    let mut bare = Calls::default();
    read_in_every_way(&mut bare);
    write_in_every_way(&mut bare);
    assert_eq!((calls.0.len(), &calls.0), (19, &bare.0));
}

mod clones {
    use super::{FixedPool, Ledger, Lock, PoolBox, Unique, panic_message, pool};
    use mem_pool::{Locked, Unlocked};

    fn are_objects_of_their_own<L: Lock>() {
        let pool = pool::<String, Unique, L>();
        let handle = pool.alloc("a".into());
        let mut clone = handle.clone();
        clone.push('b');
        assert_eq!(
            (handle.as_str(), clone.as_str(), pool.len()),
            ("a", "ab", 2)
        );
        assert!(pool.owns(&clone));
        clone.clone_from(&handle);
        assert_eq!((clone.as_str(), pool.len()), ("a", 2));
    }

    fn live_on_when_the_pool_is_gone<L: Lock>() {
        let ledger = Ledger::default();
        let pool = pool::<_, Unique, L>();
        let handle = pool.alloc(ledger.make());
        drop(pool);
        let mut clones = vec![handle.clone()];
        drop(handle);
        for n in 0..500 {
            let clone = clones[n / 2].clone();
            clones.push(clone);
        }
        clones.iter().for_each(|clone| clone.check());
        clones.retain(|clone| clone.id % 7 == 0);
        let more: Vec<_> = clones.iter().map(PoolBox::clone).collect();
        drop(clones);
        more.iter().for_each(|clone| clone.check());
        drop(more);
        ledger.assert_settled();
    }

    fn keep_to_the_limit<L: Lock>() {
        let pool: FixedPool<u8, Unique, L> = FixedPool::builder().unique().limit(2).build();
        let a = pool.alloc(1);
        let b = a.clone();
        assert!(panic_message(|| a.clone()).contains("limit of 2"));
        drop(pool);
        assert!(panic_message(|| b.clone()).contains("limit of 2"));
        drop(a);
        let c = b.clone();
        assert!(panic_message(|| c.clone()).contains("limit of 2"));
    }

    #[test]
    fn behave_behind_a_lock() {
        are_objects_of_their_own::<Locked>();
        live_on_when_the_pool_is_gone::<Locked>();
        keep_to_the_limit::<Locked>();
    }

    #[test]
    fn behave_on_one_thread() {
        are_objects_of_their_own::<Unlocked>();
        live_on_when_the_pool_is_gone::<Unlocked>();
        keep_to_the_limit::<Unlocked>();
    }
}
