//! What pools ask of the global allocator. A binary of its own, for it swaps the allocator.

mod bytes;
mod callback;
mod checking;
mod failure;
mod held;
mod late_growth;
mod layouts;
mod meanwhile;

#[path = "../it/support.rs"]
#[expect(
    dead_code,
    reason = "shared with the other binary, which uses all of it"
)]
mod support;

#[global_allocator]
static ALLOCATOR: checking::Checking = checking::Checking;
