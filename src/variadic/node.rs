#![expect(
    unsafe_code,
    reason = "a free block's links are written into its payload"
)]
//! What a bin keeps in a free block: links to others, and a place in a tree.

use crate::asan::{self, Opened};
use crate::variadic::block::{Block, LEAST, room_of};

/// Blocks of so many units or more can hold a [`Branch`].
pub(crate) const LARGE: u32 = 64;

#[repr(C)]
#[derive(Debug)]
struct Links {
    next: Option<Node>,
    before: Option<Node>,
}

/// Where the links of no node are written: whether a node has a neighbour in its list is as good as random, and a branch that is
/// guessed wrong costs more than a store that nobody needs.
#[derive(Debug)]
pub(crate) struct Nowhere(Links);

impl Nowhere {
    pub(crate) const fn new() -> Self {
        Self(Links {
            next: None,
            before: None,
        })
    }

    /// As [`Node::set_before`], if there is a node.
    #[inline]
    pub(crate) fn set_before(&mut self, node: Option<Node>, before: Option<Node>) {
        let _opened = node.map(Node::open);
        let links = node.map_or(&raw mut self.0, Node::links);
        // SAFETY: a node's links are the arena's, and these are lent.
        unsafe { (*links).before = before }
    }
}

#[repr(C)]
struct Fork {
    links: Links,
    children: [Option<Branch>; 2],
    parent: Option<Branch>,
}

// Behind the links a free block has its size.
const _: () = assert!(size_of::<Links>() + size_of::<u64>() <= room_of(LEAST));
const _: () = assert!(size_of::<Fork>() + size_of::<u64>() <= room_of(LARGE));

/// A free block whose links have been written: one that a bin lists. Valid until it is taken out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Node(Block);

impl Node {
    /// Writes empty links into a free block.
    ///
    /// # Safety
    ///
    /// The caller has the shard's lock and the sole right to the block.
    #[inline]
    pub(crate) unsafe fn plant(block: Block) -> Self {
        let node = Self(block);
        let _opened = node.open();
        let links = block.payload().cast::<Links>();
        // SAFETY: a payload has room for links and is aligned; it is the caller's.
        unsafe {
            links.write(Links {
                next: None,
                before: None,
            })
        };
        node
    }

    /// A free block whose links are yet to be written.
    ///
    /// # Safety
    ///
    /// The caller has the shard's lock and the sole right to the block. No link is read before it was written.
    #[inline]
    pub(crate) unsafe fn bare(block: Block) -> Self {
        Self(block)
    }

    /// A free block that is listed.
    ///
    /// # Safety
    ///
    /// It is: *listed-iff-free*.
    #[inline]
    pub(crate) unsafe fn of(block: Block) -> Self {
        Self(block)
    }

    #[inline]
    pub(crate) fn block(self) -> Block {
        self.0
    }

    #[inline]
    pub(crate) fn size(self) -> u32 {
        self.0.size()
    }

    /// Lets the links be used, though the payload of a free block is poisoned.
    #[inline]
    fn open(self) -> Opened {
        asan::open(self.0.payload(), size_of::<Links>())
    }

    #[inline]
    fn links(self) -> *mut Links {
        self.0.payload().cast().as_ptr()
    }

    #[inline]
    pub(crate) fn next(self) -> Option<Self> {
        let _opened = self.open();
        // SAFETY: a node's links are initialised and the arena's.
        unsafe { (*self.links()).next }
    }

    #[inline]
    pub(crate) fn before(self) -> Option<Self> {
        let _opened = self.open();
        // SAFETY: a node's links are the arena's, and this one was written: by `plant`, or when it was no longer the first.
        unsafe { (*self.links()).before }
    }

    #[inline]
    pub(crate) fn set_next(self, next: Option<Self>) {
        let _opened = self.open();
        // SAFETY: a node's links are the arena's.
        unsafe { (*self.links()).next = next }
    }

    #[inline]
    pub(crate) fn set_before(self, before: Option<Self>) {
        let _opened = self.open();
        // SAFETY: a node's links are the arena's.
        unsafe { (*self.links()).before = before }
    }
}

/// A large [`Node`], with room for a place in a tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Branch(Node);

impl Branch {
    /// Writes an empty place into a large node.
    #[inline]
    pub(crate) fn plant(node: Node) -> Self {
        let branch = Self::of(node);
        branch.set_child(0, None);
        branch.set_child(1, None);
        branch.set_parent(None);
        branch
    }

    /// A large node.
    #[inline]
    pub(crate) fn of(node: Node) -> Self {
        assert!(
            node.size() >= LARGE,
            "only a large block has room for a place in a tree"
        );
        Self(node)
    }

    #[inline]
    pub(crate) fn node(self) -> Node {
        self.0
    }

    #[inline]
    pub(crate) fn size(self) -> u32 {
        self.0.size()
    }

    /// As [`Node::open`], with the place in the tree.
    #[inline]
    fn open(self) -> Opened {
        asan::open(self.0.0.payload(), size_of::<Fork>())
    }

    #[inline]
    fn fork(self) -> *mut Fork {
        self.0.links().cast()
    }

    #[inline]
    pub(crate) fn child(self, side: usize) -> Option<Self> {
        let _opened = self.open();
        // SAFETY: a branch has room for a fork, initialised when it was planted.
        unsafe { (*self.fork()).children[side & 1] }
    }

    #[inline]
    pub(crate) fn set_child(self, side: usize, child: Option<Self>) {
        let _opened = self.open();
        // SAFETY: a branch has room for a fork.
        unsafe { (*self.fork()).children[side & 1] = child }
    }

    #[inline]
    pub(crate) fn parent(self) -> Option<Self> {
        let _opened = self.open();
        // SAFETY: a branch has room for a fork, initialised when it was planted.
        unsafe { (*self.fork()).parent }
    }

    #[inline]
    pub(crate) fn set_parent(self, parent: Option<Self>) {
        let _opened = self.open();
        // SAFETY: a branch has room for a fork.
        unsafe { (*self.fork()).parent = parent }
    }
}
