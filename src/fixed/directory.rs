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

/// Where one chunk with stamps is, or null.
type Entry = AtomicPtr<Header>;

/// A table, and the one it took the place of.
struct Table {
    entries: Box<[Entry]>,
    /// A boxed table, or null.
    former: *mut Table,
}

/// Chunks by their serial numbers.
///
/// # Invariants
///
/// - *found-is-attached*: an entry is null or points at a chunk of the shard that is attached and has stamps.
/// - *no-shorter*: there are at least `len` entries at `entries`, whichever of its values is read after `len`.
#[derive(Default)]
pub(crate) struct Directory {
    len: AtomicUsize,
    /// The entries of `table`: here, so that a look-up is a load shorter.
    entries: AtomicPtr<Entry>,
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
        let layout = Layout::array::<Entry>(len).expect("no more entries than chunks");
        entries.try_reserve_exact(len).map_err(|_| layout)?;
        entries.resize_with(len, || AtomicPtr::new(ptr::null_mut()));
        let entries = entries.into_boxed_slice();
        Ok(Self(Box::new(Table {
            entries,
            former: ptr::null_mut(),
        })))
    }
}

impl Directory {
    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    /// How many entries a larger table gets: twice as many, so that all former ones together are no larger.
    pub(crate) fn next_len(&self) -> usize {
        (self.len() * 2).max(8)
    }

    /// The entry at `index`, if there are as many.
    #[inline]
    fn entry(&self, index: usize) -> Option<&Entry> {
        if index >= self.len() {
            return None;
        }
        let entries = self.entries.load(Ordering::Acquire);
        // SAFETY: no-shorter: `len` was read first.
        let entry = unsafe { entries.add(index) };
        // SAFETY: valid: tables are freed with the directory only. Aliasing: entries are atomics.
        Some(unsafe { &*entry })
    }

    /// The chunk with this serial number, if there is one.
    #[inline]
    pub(crate) fn find(&self, serial: u32) -> Option<NonNull<Header>> {
        NonNull::new(self.entry(serial as usize)?.load(Ordering::Acquire))
    }

    /// Enters a chunk; `None` if there is no room. The caller has the shard's lock.
    pub(crate) fn insert(&self, header: NonNull<Header>) -> Option<u32> {
        let is_free = |index: &usize| {
            self.entry(*index)
                .is_some_and(|entry| entry.load(Ordering::Relaxed).is_null())
        };
        let free = (self.hint.load(Ordering::Relaxed)..self.len()).find(is_free)?;
        self.entry(free)?.store(header.as_ptr(), Ordering::Release);
        self.hint.store(free + 1, Ordering::Relaxed);
        Some(free as u32)
    }

    /// Removes a chunk. The caller has the shard's lock, and the pool is not held.
    pub(crate) fn remove(&self, serial: u32) {
        if let Some(entry) = self.entry(serial as usize) {
            entry.store(ptr::null_mut(), Ordering::Release);
            self.hint.fetch_min(serial as usize, Ordering::Relaxed);
        }
    }

    /// Goes over to a larger table; gives it back if it is not larger. The caller has the shard's lock.
    pub(crate) fn enlarge(&self, mut larger: Larger) -> Option<Larger> {
        let (len, wanted) = (self.len(), larger.0.entries.len());
        if wanted <= len {
            return Some(larger);
        }
        for (index, new) in larger.0.entries[..len].iter().enumerate() {
            let old = self.entry(index).expect("it is one of the first");
            new.store(old.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        larger.0.former = self.table.load(Ordering::Relaxed);
        let table = Box::into_raw(larger.0);
        // SAFETY: it was just a box.
        let entries = unsafe { &raw mut (*table).entries };
        // SAFETY: it is still ours alone. Once published, its entries are only read or stored to as atomics, through this pointer.
        let entries = unsafe { &mut *entries }.as_mut_ptr();
        self.table.store(table, Ordering::Relaxed);
        // The entries before their number: who reads the new number reads the new entries, too.
        self.entries.store(entries, Ordering::Release);
        self.len.store(wanted, Ordering::Release);
        None
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let mut next = self.table.load(Ordering::Relaxed);
        while !next.is_null() {
            // SAFETY: it came from a box in `enlarge`; with the shard gone, nobody reads it.
            let table = unsafe { Box::from_raw(next) };
            next = table.former;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn former_tables_together_are_no_larger_than_the_present_one() {
        let directory = Directory::default();
        let mut former = 0;
        for _ in 0..8 {
            let len = directory.next_len();
            assert!(former <= len, "{former} entries, then {len}");
            former += len;
            let larger = Larger::try_new(len).unwrap();
            assert!(directory.enlarge(larger).is_none());
        }
    }

    #[test]
    fn a_table_that_is_no_larger_comes_back() {
        let directory = Directory::default();
        let larger = |len| Larger::try_new(len).unwrap();
        assert!(directory.enlarge(larger(8)).is_none());
        let header = NonNull::dangling(); // only compared
        assert_eq!(directory.insert(header), Some(0));
        for len in [7, 8] {
            assert!(directory.enlarge(larger(len)).is_some());
            assert_eq!(directory.len(), 8);
        }
        assert!(directory.enlarge(larger(9)).is_none());
        assert_eq!((directory.len(), directory.find(0)), (9, Some(header)));
        directory.remove(9); // there is no such entry
        directory.remove(0);
        assert_eq!((directory.find(0), directory.find(9)), (None, None));
    }
}
