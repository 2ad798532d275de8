#![expect(unsafe_code, reason = "a free block becomes a node of a bin")]
//! Free blocks by size, so that the smallest adequate one is found in a few steps, however many there are.
//!
//! ```text
//!  small   bits of `small_map` ─► lists      2   3   4  ...  63      one size each, last listed first
//!                                            ▼       ▼
//!                                            ■─■─■   ■
//!
//!  large   bits of `large_map` ─► trees    64..   128..   256..      one power of two each
//!                                            ■
//!                                      0 ╱       ╲ 1                 children: by the next bit of the size
//!                                       ■         ■─■─■              behind a branch: others of its size
//! ```
//!
//! One large block may stand apart: the one from which blocks are cut, and with which they merge, again and again. It is the
//! first large one that is listed while there is none, and as good a choice as its size says; only its place is simple (after
//! the designated victim of Doug Lea's allocator).
//!
//! A tree is a trie with a block at every branch: below child 1 of a branch at depth `d` are the sizes whose bit `d`,
//! counted from behind the leading one, is set. It is as deep as a size has bits. No key is stored: a block is its own.

use crate::variadic::block::Block;
use crate::variadic::node::{Branch, LARGE, Node, Nowhere};

/// Sizes below this have lists of their own.
const LISTS: usize = LARGE as usize;
/// The leading bit of the smallest large size.
const LARGE_BIT: u32 = LARGE.trailing_zeros();
/// One tree for each leading bit a large size can have.
const TREES: usize = (u32::BITS - LARGE_BIT) as usize;

/// The free blocks of an arena.
///
/// # Invariants
///
/// - *listed-iff-free*: between an arena's operations a block is in here exactly if it is free.
/// - *own-list*: but for the one that stands apart, a small block is in the list of its size; a large one in the tree of its leading bit, on the path its
///   further bits name, or behind a branch of its size.
/// - *before-known*: in a small list every node but the first knows the one before it. (What the first says of that is nothing, so
///   that a node that becomes the first need not be touched.)
/// - *map-bit*: a bit of a map is set exactly if the list or tree is not empty.
#[derive(Debug)]
pub(crate) struct Bins {
    apart: Option<Block>,
    small_map: u64,
    large_map: u32,
    lists: [Option<Node>; LISTS],
    trees: [Option<Branch>; TREES],
    nowhere: Nowhere,
}

impl Bins {
    pub(crate) const fn new() -> Self {
        Self {
            apart: None,
            small_map: 0,
            large_map: 0,
            lists: [None; LISTS],
            trees: [None; TREES],
            nowhere: Nowhere::new(),
        }
    }

    /// The smallest listed block of at least `units`; among those of one size the last listed (of a large size the one in
    /// the tree is the last choice but one, and the one that stands apart the last).
    #[inline]
    pub(crate) fn best(&self, units: u32) -> Option<Block> {
        match self.first_small(units) {
            Some(node) => Some(node.block()),
            None if self.large_map == 0 => self.apart(units),
            None => self.best_large(units),
        }
    }

    /// The first listed block of at least `units` that the bins offer: exact among small sizes, quicker among large ones.
    #[inline]
    pub(crate) fn first(&self, units: u32) -> Option<Block> {
        match self.first_small(units) {
            Some(node) => Some(node.block()),
            None => self.apart(units).or_else(|| self.first_large(units)),
        }
    }

    /// Takes the block out that [`best`](Self::best) and [`first`](Self::first) would find, if that is a small one.
    #[inline]
    pub(crate) fn take_small(&mut self, units: u32) -> Option<(Block, u32)> {
        let size = self.small_from(units);
        let node = (*self.lists.get(size)?)?;
        self.take_first(size, node.next());
        Some((node.block(), size as u32))
    }

    /// Whether this is the block that stands apart.
    #[inline]
    pub(crate) fn is_apart(&self, block: Block) -> bool {
        self.apart == Some(block)
    }

    /// Whether no other block than the one that stands apart would be taken for `units`, however large that one is.
    #[inline]
    pub(crate) fn only_apart(&self, units: u32, first: bool) -> bool {
        self.first_small(units).is_none() && (first || self.large_map == 0)
    }

    /// Lets another block stand apart.
    ///
    /// # Safety
    ///
    /// As for [`insert`](Self::insert); it is large, and the block that stood apart is part of it or no block any more.
    #[inline]
    pub(crate) unsafe fn set_apart(&mut self, block: Block) {
        debug_assert!(
            block.size() >= LARGE,
            "own-list: a large block stands apart"
        );
        self.apart = Some(block);
    }

    /// Lists a free block.
    ///
    /// # Safety
    ///
    /// The caller has the shard's lock; the block is free, of this size, not listed, and nobody has a lease of it.
    #[inline]
    pub(crate) unsafe fn insert(&mut self, block: Block, size: u32) {
        debug_assert_eq!(block.size(), size, "tiling: the caller knows the size");
        if size < LARGE {
            // SAFETY: the block is the caller's.
            self.insert_small(unsafe { Node::bare(block) }, size as usize)
        } else if self.apart.is_none() {
            self.apart = Some(block);
        } else {
            // SAFETY: the block is the caller's.
            let node = unsafe { Node::plant(block) };
            self.insert_large(Branch::plant(node))
        }
    }

    /// Takes a listed block out.
    ///
    /// # Safety
    ///
    /// The block is listed here, and of this size.
    #[inline]
    pub(crate) unsafe fn remove(&mut self, block: Block, size: u32) {
        debug_assert_eq!(block.size(), size, "tiling: the caller knows the size");
        if size < LARGE {
            // SAFETY: the caller says so.
            self.remove_small(unsafe { Node::of(block) }, size as usize)
        } else if self.apart == Some(block) {
            self.apart = None;
        } else {
            // SAFETY: the caller says so.
            let node = unsafe { Node::of(block) };
            self.remove_large(Branch::of(node))
        }
    }

    /// The listed blocks, without their order: calls `visit` for each until it says `false`, or the next one does not know the
    /// one before.
    pub(crate) fn for_each(&self, visit: &mut impl FnMut(Block, Slot) -> bool) -> bool {
        if !self.apart.is_none_or(|block| visit(block, Slot::Apart)) {
            return false;
        }
        let mut visit = |node: Node, slot| visit(node.block(), slot);
        let visit = &mut visit;
        let mut lists = self.lists.iter().enumerate();
        lists.all(|(size, &list)| visit_list(list, Slot::List(size), visit))
            && self
                .trees
                .iter()
                .enumerate()
                .all(|(tree, &root)| visit_tree(root, tree, visit))
    }

    /// Whether the maps say of every list and tree what is so.
    pub(crate) fn maps_are_true(&self) -> bool {
        let small =
            (0..LISTS).all(|size| self.lists[size].is_some() == (self.small_map >> size & 1 == 1));
        small
            && (0..TREES)
                .all(|tree| self.trees[tree].is_some() == (self.large_map >> tree & 1 == 1))
    }

    #[inline]
    fn first_small(&self, units: u32) -> Option<Node> {
        *self.lists.get(self.small_from(units))?
    }

    /// The first list of blocks of `units` or more that is not empty; 64, which no list is, if there is none.
    #[inline]
    fn small_from(&self, units: u32) -> usize {
        let map = if units < LARGE {
            self.small_map >> units << units
        } else {
            0
        };
        map.trailing_zeros() as usize
    }

    #[inline]
    fn apart(&self, units: u32) -> Option<Block> {
        self.apart.filter(|block| block.size() >= units)
    }

    fn best_large(&self, units: u32) -> Option<Block> {
        let own = if units < LARGE {
            None
        } else {
            self.trees[tree_of(units)]
        };
        let found = own.and_then(|root| ceiling(root, units));
        let found = found.or_else(|| self.larger_tree(units).map(smallest));
        match (found, self.apart(units)) {
            (Some(branch), Some(apart)) if apart.size() < branch.size() => Some(apart),
            (Some(branch), _) => Some(last_listed(branch).block()),
            (None, apart) => apart,
        }
    }

    fn first_large(&self, units: u32) -> Option<Block> {
        let own = if units < LARGE {
            None
        } else {
            self.trees[tree_of(units)]
        };
        let found = own
            .filter(|root| root.size() >= units)
            .or_else(|| self.larger_tree(units));
        let branch = found.or_else(|| own.and_then(|root| ceiling(root, units)))?;
        Some(last_listed(branch).block())
    }

    /// The first tree all of whose sizes are larger than `units`.
    fn larger_tree(&self, units: u32) -> Option<Branch> {
        let from = if units < LARGE { 0 } else { tree_of(units) + 1 };
        let map = u64::from(self.large_map) >> from << from;
        *self.trees.get(map.trailing_zeros() as usize)?
    }

    #[inline]
    fn insert_small(&mut self, node: Node, size: usize) {
        let head = self.lists[size];
        node.set_next(head);
        self.nowhere.set_before(head, Some(node));
        self.lists[size] = Some(node);
        self.small_map |= 1 << size;
    }

    #[inline]
    fn remove_small(&mut self, node: Node, size: usize) {
        let next = node.next();
        if self.lists[size] == Some(node) {
            return self.take_first(size, next);
        }
        let before = node.before().expect("before-known: it is not the first");
        before.set_next(next);
        self.nowhere.set_before(next, Some(before));
    }

    /// Takes the first node out of the list of this size; `next` is the second.
    #[inline]
    fn take_first(&mut self, size: usize, next: Option<Node>) {
        self.lists[size] = next;
        self.small_map &= !(u64::from(next.is_none()) << size);
    }

    fn insert_large(&mut self, new: Branch) {
        let tree = tree_of(new.size());
        self.large_map |= 1 << tree;
        let Some(root) = self.trees[tree] else {
            self.trees[tree] = Some(new);
            return;
        };
        let (mut at, mut path) = (root, Path::of(new.size()));
        while at.size() != new.size() {
            let side = path.step();
            match at.child(side) {
                Some(child) => at = child,
                None => {
                    at.set_child(side, Some(new));
                    return new.set_parent(Some(at));
                }
            }
        }
        stand_behind(at, new);
    }

    fn remove_large(&mut self, old: Branch) {
        if is_behind(old) {
            return unlink(old.node());
        }
        let heir = match old.node().next() {
            Some(next) => {
                unlink(old.node());
                Some(Branch::of(next))
            }
            None => prune_leaf(old),
        };
        self.replace(old, heir);
    }

    /// Puts `heir`, which has no place in a tree, in the place of `old`; nobody, if there is none.
    fn replace(&mut self, old: Branch, heir: Option<Branch>) {
        match old.parent() {
            Some(parent) => parent.set_child(usize::from(parent.child(1) == Some(old)), heir),
            None => self.set_root(tree_of(old.size()), heir),
        }
        let Some(heir) = heir else { return };
        heir.set_parent(old.parent());
        for side in [0, 1] {
            let child = old.child(side);
            heir.set_child(side, child);
            if let Some(child) = child {
                child.set_parent(Some(heir));
            }
        }
    }

    fn set_root(&mut self, tree: usize, root: Option<Branch>) {
        self.trees[tree] = root;
        if root.is_none() {
            self.large_map &= !(1 << tree);
        }
    }
}

/// Where a listed block was found: what it says about the block is checked by the arena's `check`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Slot {
    /// Nowhere: it is the one that stands apart.
    Apart,
    /// In the list of this size.
    List(usize),
    /// In the tree of this number, with these leading bits behind the first, so many of them.
    Tree(usize, u32, u32),
}

impl Slot {
    /// *own-list*: whether a block of this size belongs here.
    pub(crate) fn suits(self, size: u32) -> bool {
        match self {
            Self::Apart => size >= LARGE,
            Self::List(list) => size as usize == list,
            Self::Tree(tree, bits, depth) => {
                let in_tree = size >= LARGE && tree_of(size) == tree;
                in_tree
                    && (0..depth)
                        .try_fold(Path::of(size), |mut path, at| {
                            (path.step() as u32 == bits >> (depth - 1 - at) & 1).then_some(path)
                        })
                        .is_some()
            }
        }
    }
}

/// The bits of a large size behind its leading one, highest first.
struct Path(u32);

impl Path {
    #[inline]
    fn of(size: u32) -> Self {
        Self(size << size.leading_zeros() << 1)
    }

    /// The next bit.
    #[inline]
    fn step(&mut self) -> usize {
        let side = (self.0 >> (u32::BITS - 1)) as usize;
        self.0 <<= 1;
        side
    }
}

/// The tree of a large size.
#[inline]
fn tree_of(size: u32) -> usize {
    (u32::BITS - 1 - size.leading_zeros() - LARGE_BIT) as usize
}

/// The smallest branch below `root` of at least `units`, which belong in this tree.
fn ceiling(root: Branch, units: u32) -> Option<Branch> {
    let (mut best, mut larger) = (None, None);
    let (mut at, mut path) = (Some(root), Path::of(units));
    while let Some(branch) = at {
        best = smaller(best, Some(branch).filter(|branch| branch.size() >= units));
        if branch.size() == units {
            return best;
        }
        let side = path.step();
        if side == 0 {
            // All sizes there are larger than `units`, and smaller than those of any branch noted before.
            larger = branch.child(1).or(larger);
        }
        at = branch.child(side);
    }
    smaller(best, larger.map(smallest))
}

/// The smallest branch of a tree: on the path that turns to 1 only where there is no 0.
fn smallest(root: Branch) -> Branch {
    let (mut best, mut at) = (root, root);
    while let Some(child) = at.child(0).or_else(|| at.child(1)) {
        if child.size() < best.size() {
            best = child;
        }
        at = child;
    }
    best
}

/// The smaller one; the first if they are of one size.
#[inline]
fn smaller(a: Option<Branch>, b: Option<Branch>) -> Option<Branch> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.size() < a.size() { b } else { a }),
        (a, b) => a.or(b),
    }
}

/// The block to take among those of a branch's size: not the branch itself if another stands behind it.
#[inline]
fn last_listed(branch: Branch) -> Node {
    branch.node().next().unwrap_or(branch.node())
}

/// Puts `new` right behind a branch of its size. Who stands behind another is its own parent.
fn stand_behind(head: Branch, new: Branch) {
    let next = head.node().next();
    new.node().set_next(next);
    new.node().set_before(Some(head.node()));
    head.node().set_next(Some(new.node()));
    if let Some(next) = next {
        next.set_before(Some(new.node()));
    }
    new.set_parent(Some(new));
}

#[inline]
fn is_behind(branch: Branch) -> bool {
    branch.parent() == Some(branch)
}

/// Takes a node out from between its neighbours.
#[inline]
fn unlink(node: Node) {
    let (before, next) = (node.before(), node.next());
    if let Some(before) = before {
        before.set_next(next);
    }
    if let Some(next) = next {
        next.set_before(before);
    }
}

/// Cuts a leaf off below `branch`, if anything is below it. A leaf may stand anywhere on its path, so it is an heir.
fn prune_leaf(branch: Branch) -> Option<Branch> {
    let mut leaf = branch;
    while let Some(child) = leaf.child(1).or_else(|| leaf.child(0)) {
        leaf = child;
    }
    if leaf == branch {
        return None;
    }
    let parent = leaf
        .parent()
        .expect("own-list: a leaf below a branch has a parent");
    parent.set_child(usize::from(parent.child(1) == Some(leaf)), None);
    Some(leaf)
}

fn visit_list(list: Option<Node>, slot: Slot, visit: &mut impl FnMut(Node, Slot) -> bool) -> bool {
    let mut nodes = std::iter::successors(list, |node| node.next());
    let knows = |node: Node| node.next().is_none_or(|next| next.before() == Some(node));
    nodes.all(|node| visit(node, slot) && knows(node))
}

/// Depth first, without memory of its own: down to each child, and back by the parent.
fn visit_tree(
    root: Option<Branch>,
    tree: usize,
    visit: &mut impl FnMut(Node, Slot) -> bool,
) -> bool {
    visit_below(root, Slot::Tree(tree, 0, 0), visit)
}

fn visit_below(at: Option<Branch>, slot: Slot, visit: &mut impl FnMut(Node, Slot) -> bool) -> bool {
    let (Some(branch), Slot::Tree(tree, bits, depth)) = (at, slot) else {
        return true;
    };
    let below = |side: u32| Slot::Tree(tree, bits << 1 | side, depth + 1);
    visit_list(Some(branch.node()), slot, visit)
        && visit_below(branch.child(0), below(0), visit)
        && visit_below(branch.child(1), below(1), visit)
}

#[cfg(test)]
mod tests;
