//! Each breaks one rule: the model must fail, or the rule is not tested. `.ci/loom` runs them one by one.

use mem_pool::model::{Rule, break_rule};

use crate::{ends, growth, holds, locks, walks};

macro_rules! broken {
    ($($name:ident: $rule:ident in $model:path;)*) => { $(
        #[test]
        #[ignore = "must fail"]
        fn $name() {
            break_rule(Rule::$rule);
            $model();
        }
    )* };
}

broken! {
    pin_before_the_closure: Pin in walks::visit_and_drop;
    check_the_pin_on_drop: PinCheck in walks::visit_and_drop;
    look_at_the_mark: Mark in walks::dropped_objects_are_not_shown;
    count_the_lone_walk: Lone in walks::two_visits_and_drop_of_one_of_two;
    last_leaver_destroys: LastLeaver in walks::two_visits_and_drop;
    flush_before_each_mask: Flush in walks::visit_of_two_groups_and_drop;
    hide_before_destroying: Hide in walks::visit_and_drop;
    hide_in_the_group_before_a_walk: Ending in walks::visit_and_drop;
    hide_in_the_group_before_a_hold: Ending in holds::hold_and_drop;
    closed_flag: Closed in ends::pool_drop_and_handle_drop;
    close_the_inbox: InboxClosed in ends::unique_pool_drop_and_posts;
    look_at_the_holds: HoldCheck in holds::hold_and_drop;
    look_at_the_holds_under_the_lock: OneRound in holds::hold_and_drop;
    look_at_the_pins_under_the_lock: OneRound in walks::visit_and_drop;
    take_the_lock_before_looking: Pass in holds::key_and_drop_and_reuse;
    pass_on_what_was_seen: PassOrder in holds::shared_hold_and_drop;
    clear_the_stamp: Stamp in holds::key_and_drop_and_reuse;
    all_locks_at_the_limit: AllLocks in growth::free_slot_that_moves;
    mark_what_leaves: Leave in walks::visit_and_drop;
    look_for_walks_when_leaving: LookForWalks in walks::visit_and_drop;
    say_that_a_walk_is_there: ComeIn in walks::visit_and_drop;
    barrier_of_walks_and_drops: Handshake in walks::visit_and_drop;
    barrier_of_holds_and_drops: Handshake in holds::hold_and_drop;
    look_for_keys_made_since: LateKey in holds::iterated_keys_and_drop;
    forget_the_mark_of_what_is_free: ComeBack in walks::visit_of_what_was_made_in_a_slot_that_was_left;
    owner_looks: OwnerLooks in locks::owner_and_revoker;
    revoker_waits: RevokerWaits in locks::owner_and_revoker;
    barrier: Barrier in locks::owner_and_revoker;
}
