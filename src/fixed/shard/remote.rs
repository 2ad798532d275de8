#![expect(unsafe_code, reason = "takes a shard from a slot that is given up")]
//! Drops by other threads than the lock's owner, in pools that are walked: without the lock, unless somebody may be looking.
//!
//! A drop *leaves*: it marks its slot, then looks whether walks are in the shard or holds in the pool. Walks come in, and holds
//! are raised, before they look which objects there are. Each passes a barrier in between (Dekker's handshake), so a drop sees that
//! a walk or hold is there, or that sees the mark, and does not know the object:
//!
//! ```text
//!   drop:   leaving |= slot     barrier    walks == 0, holds == 0?     yes: destroy, post the slot
//!   walk:   walks += 1          barrier    live = … & !leaving         no: take the lock, and drop like the owner
//! ```
//!
//! - *left-is-alone*: a slot that is marked, whose drop has then seen no walk and no hold, is nobody else's until it is posted or
//!   released: walks and holds that were there before have ended (their end is a release that the look acquires), those to come
//!   do not find it.
//! - *no-late-key*: the object's stamp is cleared before the mark. A hold that found the object earlier may give it another, and be
//!   gone when the drop looks; so the drop looks at the stamp, too. Who does not find the object gives it none.
//! - *marked-until-received*: the mark stays until the slot is released under the lock, where walks find it free.
//!
//! What is posted, and why no slot is lost: see [`inbox`](crate::fixed::inbox).

use super::{SlotGuard, SlotShard, count_drop, lock_shard_of, shard_of};
use crate::fixed::lease::Lease;
use crate::sync::{Lock, Ordering, Rule, barrier, keeps};

/// Lets an object leave, unless somebody else may be looking at it, or the slots of the pool cannot be posted: then gives the
/// locked shard, for it to be dropped as by the lock's owner. Once it has left, it is counted out, and with its slot the caller's
/// alone.
///
/// # Safety
///
/// - The slot's pool has lock `L`, and is walked.
/// - What is given is dropped before the slot is given up.
pub(crate) unsafe fn leave<'a, L: Lock>(lease: &Lease) -> Result<(), SlotGuard<'a, L>> {
    // SAFETY: one-lease: the slot's region is attached and keeps the shard. What is touched here is in cells, or never changes.
    let shard: &SlotShard<L> = unsafe { shard_of::<L>(lease).as_ref() };
    let has_posts = L::SHARED && shard.shards().common().config.keep_empty.is_none();
    // The first look saves the mark of who would not leave anyway.
    let marks = has_posts && is_left_alone(shard);
    if marks {
        count_drop(shard, false); // before the mark: what a walk does not find is not counted either
        lease.end();
        lease.leave();
        barrier::behind_read_modify_write();
        if is_left_alone(shard) && (lease.has_ended() || !keeps(Rule::LateKey)) {
            return Ok(());
        }
    }
    // SAFETY: passed on.
    let mut slots = unsafe { lock_shard_of::<L>(lease) };
    if marks {
        lease.come_back();
        slots.count_in();
    }
    Err(slots)
}

/// Whether no walk is in a shard, and no hold in its pool: then who was there has gone.
#[inline]
fn is_left_alone<L: Lock>(shard: &SlotShard<L>) -> bool {
    let walks = shard.open().others.walks.load(Ordering::Acquire);
    (walks == 0 || !keeps(Rule::LookForWalks)) && !shard.shards().common().is_held()
}

/// A walk comes into a shard: before it looks for objects there.
pub(crate) fn come_in<L: Lock>(slots: &SlotGuard<'_, L>) {
    if L::SHARED && keeps(Rule::ComeIn) {
        let walks = &slots.shard().open().others.walks;
        walks.fetch_add(1, Ordering::Relaxed);
        barrier::behind_read_modify_write();
    }
}

/// A walk that came in leaves the shard: what it looked at it does not look at any more.
pub(crate) fn go_out<L: Lock>(slots: &SlotGuard<'_, L>) {
    if L::SHARED && keeps(Rule::ComeIn) {
        let walks = &slots.shard().open().others.walks;
        let others = walks.load(Ordering::Relaxed).checked_sub(1);
        // Nobody else writes, for the shard is locked; and so the last of several has seen the others go.
        walks.store(others.expect("it came in"), Ordering::Release);
    }
}
