#![expect(unsafe_code, reason = "a table that is read while it may be replaced")]
//! A shard's own table of the chunks in which weak keys were made: a key is looked up here before any memory is read.
//!
//! Entries change under the shard's lock. They are read without it by holds, which keep all chunks where they are; a table
//! that became too small stays until the shard goes, for a hold may be reading it (all former ones together are no larger
//! than the present one).

use std::alloc::Layout;
use std::ptr::{self, NonNull};

use super::header::Header;
use crate::sync::{AtomicPtr, AtomicUsize, Ordering};

/// The entries at one time.
struct Table {
    entries: Vec<AtomicPtr<Header>>,
    /// A boxed table, or null: not a box, for readers may still have references to it.
    former: *mut Table,
}

/// Chunks by their serial numbers.
///
/// # Invariants
///
/// *found-is-attached*: an entry is null or points at a chunk of the shard that is attached and has stamps.
#[derive(Default)]
pub(crate) struct Directory {
    /// Null, or a boxed table; replaced under the shard's lock.
    table: AtomicPtr<Table>,
    /// Entries from here on may be null; below it none was when it was set. Changed under the shard's lock.
    hint: AtomicUsize,
}

/// A table made before locking, for [`Directory::enlarge`].
pub(crate) struct Larger(Box<Table>);

impl Larger {
    /// A table of `len` entries. No lock may be held.
    pub(crate) fn try_new(len: usize) -> Result<Self, Layout> {
        let mut entries = Vec::new();
        let layout = Layout::array::<AtomicPtr<Header>>(len).expect("no more entries than chunks");
        entries.try_reserve_exact(len).map_err(|_| layout)?;
        entries.resize_with(len, || AtomicPtr::new(ptr::null_mut()));
        Ok(Self(Box::new(Table {
            entries,
            former: ptr::null_mut(),
        })))
    }
}

impl Directory {
    fn table(&self) -> Option<&Table> {
        let table = NonNull::new(self.table.load(Ordering::Acquire))?;
        // SAFETY: it came from a box in `enlarge`, and boxes are freed with the directory only. Aliasing: what changes in a
        // published table are atomics.
        Some(unsafe { table.as_ref() })
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.table().map_or(0, |table| table.entries.len())
    }

    /// The chunk with this serial number, if there is one.
    #[inline]
    pub(crate) fn find(&self, serial: u32) -> Option<NonNull<Header>> {
        let entry = self.table()?.entries.get(serial as usize)?;
        NonNull::new(entry.load(Ordering::Acquire))
    }

    /// Enters a chunk; `None` if there is no room. The caller has the shard's lock.
    pub(crate) fn insert(&self, header: NonNull<Header>) -> Option<u32> {
        let entries = &self.table()?.entries;
        let start = self.hint.load(Ordering::Relaxed);
        let free = (start..entries.len())
            .find(|&index| entries[index].load(Ordering::Relaxed).is_null())?;
        entries[free].store(header.as_ptr(), Ordering::Release);
        self.hint.store(free + 1, Ordering::Relaxed);
        Some(free as u32)
    }

    /// Removes a chunk. The caller has the shard's lock, and the pool is not held.
    pub(crate) fn remove(&self, serial: u32) {
        if let Some(table) = self.table() {
            table.entries[serial as usize].store(ptr::null_mut(), Ordering::Release);
            self.hint.fetch_min(serial as usize, Ordering::Relaxed);
        }
    }

    /// Goes over to a larger table; gives it back if it is not larger. The caller has the shard's lock.
    pub(crate) fn enlarge(&self, mut larger: Larger) -> Option<Larger> {
        if larger.0.entries.len() <= self.len() {
            return Some(larger);
        }
        if let Some(table) = self.table() {
            for (new, old) in larger.0.entries.iter_mut().zip(&table.entries) {
                *new.get_mut() = old.load(Ordering::Relaxed);
            }
        }
        larger.0.former = self.table.load(Ordering::Relaxed);
        self.table.store(Box::into_raw(larger.0), Ordering::Release);
        None
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let mut next = *self.table.get_mut();
        while !next.is_null() {
            // SAFETY: it came from a box in `enlarge`; with the shard gone, nobody reads it.
            let table = unsafe { Box::from_raw(next) };
            next = table.former;
        }
    }
}
