//! The rules by their names.

/// Rules of the protocol that threads meet by. Each is kept at the one place that names it; a model that breaks one must fail.
#[allow(unreachable_pub, reason = "models name the rules from outside")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// A walk pins a group before it looks at its objects.
    Pin,
    /// A drop has a walk counted that its group has not counted so far.
    Lone,
    /// A drop looks whether its group is pinned.
    PinCheck,
    /// A walk looks whether an object was dropped before it shows it.
    Mark,
    /// Only the last walk that may look at an object destroys it.
    LastLeaver,
    /// The magazine is flushed each time a live mask is computed.
    Flush,
    /// A slot is hidden before its destructor runs, if the pool is walked.
    Hide,
    /// A slot that is hidden by its address is hidden in its group before a walk looks there.
    Ending,
    /// Nothing is left in the inbox of a pool that is gone.
    InboxClosed,
    /// The shards of a pool that is gone give chunks back with their last handle.
    Closed,
    /// A drop looks whether the pool is held.
    HoldCheck,
    /// A drop looks at pins and holds under the very lock under which it hides its slot.
    OneRound,
    /// A hold takes a shard's lock before it looks for an object there: drops are over then, or see the hold.
    Pass,
    /// What a thread saw under the lock it took for a hold is seen by those that rely on it.
    PassOrder,
    /// An object's stamp is cleared when its drop begins.
    Stamp,
    /// Before the limit is reported, all shards are looked at under all their locks.
    AllLocks,
    /// A drop without the lock marks its slot before it looks for walks and holds.
    Leave,
    /// A drop without the lock looks for walks.
    LookForWalks,
    /// A walk says that it is in a shard before it looks for objects there.
    ComeIn,
    /// There are barriers between what drops without the lock, walks and holds say, and their looks.
    Handshake,
    /// A drop without the lock looks whether a hold that has ended since has made a key of its object.
    LateKey,
    /// A slot whose object was dropped without the lock is no longer marked when it is free.
    ComeBack,
    /// A biased lock's owner looks whether the bias was revoked.
    OwnerLooks,
    /// Who revokes a bias waits until the owner is not inside.
    RevokerWaits,
    /// There is a barrier between the owner's store and its look.
    Barrier,
}
