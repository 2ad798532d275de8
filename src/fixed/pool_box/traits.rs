//! The standard traits of handles: what `Box` has, by value where the handle reaches its object, by address where it is a key.

use std::borrow::{Borrow, BorrowMut};
use std::cmp::Ordering;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::io::{self, BufRead, IoSlice, IoSliceMut, Read, Seek, SeekFrom, Write};
use std::iter::FusedIterator;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::PoolBox;
use crate::access::{Access, Keyed, ThroughHandle, Unique};
use crate::sync::Lock;

impl<T: ?Sized + fmt::Debug, A: ThroughHandle, L: Lock> fmt::Debug for PoolBox<T, A, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}

impl<T: ?Sized + fmt::Display, A: ThroughHandle, L: Lock> fmt::Display for PoolBox<T, A, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}

impl<T: ?Sized, A: Access, L: Lock> fmt::Pointer for PoolBox<T, A, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Pointer::fmt(&Self::as_ptr(self).cast::<()>(), f)
    }
}

impl<T: ?Sized + PartialEq, A: ThroughHandle, L: Lock> PartialEq for PoolBox<T, A, L> {
    fn eq(&self, other: &Self) -> bool {
        T::eq(self, other)
    }
}

impl<T: ?Sized + Eq, A: ThroughHandle, L: Lock> Eq for PoolBox<T, A, L> {}

impl<T: ?Sized + PartialOrd, A: ThroughHandle, L: Lock> PartialOrd for PoolBox<T, A, L> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        T::partial_cmp(self, other)
    }

    fn lt(&self, other: &Self) -> bool {
        T::lt(self, other)
    }

    fn le(&self, other: &Self) -> bool {
        T::le(self, other)
    }

    fn gt(&self, other: &Self) -> bool {
        T::gt(self, other)
    }

    fn ge(&self, other: &Self) -> bool {
        T::ge(self, other)
    }
}

impl<T: ?Sized + Ord, A: ThroughHandle, L: Lock> Ord for PoolBox<T, A, L> {
    fn cmp(&self, other: &Self) -> Ordering {
        T::cmp(self, other)
    }
}

impl<T: ?Sized + Hash, A: ThroughHandle, L: Lock> Hash for PoolBox<T, A, L> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        T::hash(self, state);
    }
}

impl<T: ?Sized, A: ThroughHandle, L: Lock> Borrow<T> for PoolBox<T, A, L> {
    fn borrow(&self) -> &T {
        self
    }
}

impl<T: ?Sized, A: ThroughHandle, L: Lock> AsRef<T> for PoolBox<T, A, L> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T: ?Sized, L: Lock> BorrowMut<T> for PoolBox<T, Unique, L> {
    fn borrow_mut(&mut self) -> &mut T {
        self
    }
}

impl<T: ?Sized, L: Lock> AsMut<T> for PoolBox<T, Unique, L> {
    fn as_mut(&mut self) -> &mut T {
        self
    }
}

impl<T: ?Sized + Error, A: ThroughHandle, L: Lock> Error for PoolBox<T, A, L> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        T::source(self)
    }
}

impl<T: ?Sized, A: ThroughHandle, L: Lock> From<PoolBox<T, A, L>> for Pin<PoolBox<T, A, L>> {
    fn from(handle: PoolBox<T, A, L>) -> Self {
        PoolBox::into_pin(handle)
    }
}

impl<I: ?Sized + Iterator, L: Lock> Iterator for PoolBox<I, Unique, L> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        I::next(self)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        I::size_hint(self)
    }

    fn nth(&mut self, n: usize) -> Option<I::Item> {
        I::nth(self, n)
    }
}

impl<I: ?Sized + DoubleEndedIterator, L: Lock> DoubleEndedIterator for PoolBox<I, Unique, L> {
    fn next_back(&mut self) -> Option<I::Item> {
        I::next_back(self)
    }

    fn nth_back(&mut self, n: usize) -> Option<I::Item> {
        I::nth_back(self, n)
    }
}

impl<I: ?Sized + ExactSizeIterator, L: Lock> ExactSizeIterator for PoolBox<I, Unique, L> {}

impl<I: ?Sized + FusedIterator, L: Lock> FusedIterator for PoolBox<I, Unique, L> {}

/// For futures that are [`Unpin`]; others are polled through [`PoolBox::into_pin`].
impl<F: ?Sized + Future + Unpin, L: Lock> Future for PoolBox<F, Unique, L> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        F::poll(Pin::new(&mut **self), context)
    }
}

// What the object has of its own is forwarded, too: its `read_to_end` may know how much there is to read.

impl<R: ?Sized + Read, L: Lock> Read for PoolBox<R, Unique, L> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        R::read(self, buffer)
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        R::read_vectored(self, buffers)
    }

    fn read_to_end(&mut self, bytes: &mut Vec<u8>) -> io::Result<usize> {
        R::read_to_end(self, bytes)
    }

    fn read_to_string(&mut self, text: &mut String) -> io::Result<usize> {
        R::read_to_string(self, text)
    }

    fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        R::read_exact(self, buffer)
    }
}

impl<W: ?Sized + Write, L: Lock> Write for PoolBox<W, Unique, L> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        W::write(self, bytes)
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        W::write_vectored(self, buffers)
    }

    fn flush(&mut self) -> io::Result<()> {
        W::flush(self)
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        W::write_all(self, bytes)
    }

    fn write_fmt(&mut self, arguments: fmt::Arguments<'_>) -> io::Result<()> {
        W::write_fmt(self, arguments)
    }
}

impl<R: ?Sized + BufRead, L: Lock> BufRead for PoolBox<R, Unique, L> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        R::fill_buf(self)
    }

    fn consume(&mut self, count: usize) {
        R::consume(self, count);
    }

    fn read_until(&mut self, byte: u8, bytes: &mut Vec<u8>) -> io::Result<usize> {
        R::read_until(self, byte, bytes)
    }

    fn skip_until(&mut self, byte: u8) -> io::Result<usize> {
        R::skip_until(self, byte)
    }

    fn read_line(&mut self, line: &mut String) -> io::Result<usize> {
        R::read_line(self, line)
    }
}

impl<S: ?Sized + Seek, L: Lock> Seek for PoolBox<S, Unique, L> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        S::seek(self, position)
    }

    fn rewind(&mut self) -> io::Result<()> {
        S::rewind(self)
    }

    fn stream_position(&mut self) -> io::Result<u64> {
        S::stream_position(self)
    }

    fn seek_relative(&mut self, offset: i64) -> io::Result<()> {
        S::seek_relative(self, offset)
    }
}

impl<T: ?Sized, L: Lock> fmt::Debug for PoolBox<T, Keyed, L> {
    /// Prints the address: a key does not reach its object.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PoolBox({:p})", Self::as_ptr(self).cast::<()>())
    }
}

impl<T: ?Sized, L: Lock> PartialEq for PoolBox<T, Keyed, L> {
    /// Compares addresses: a key is equal to itself alone.
    fn eq(&self, other: &Self) -> bool {
        address(self) == address(other)
    }
}

impl<T: ?Sized, L: Lock> Eq for PoolBox<T, Keyed, L> {}

impl<T: ?Sized, L: Lock> PartialOrd for PoolBox<T, Keyed, L> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: ?Sized, L: Lock> Ord for PoolBox<T, Keyed, L> {
    /// Compares addresses.
    fn cmp(&self, other: &Self) -> Ordering {
        address(self).cmp(&address(other))
    }
}

impl<T: ?Sized, L: Lock> Hash for PoolBox<T, Keyed, L> {
    /// Hashes the address.
    fn hash<H: Hasher>(&self, state: &mut H) {
        address(self).hash(state);
    }
}

fn address<T: ?Sized, A: Access, L: Lock>(handle: &PoolBox<T, A, L>) -> usize {
    PoolBox::as_ptr(handle).addr()
}

impl<T: ?Sized + UnwindSafe, A: Access, L: Lock> UnwindSafe for PoolBox<T, A, L> {}
impl<T: ?Sized + RefUnwindSafe, A: Access, L: Lock> RefUnwindSafe for PoolBox<T, A, L> {}
