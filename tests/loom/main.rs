//! Models: small programs that the checker runs under every interleaving of their threads, up to a number of preemptions.
//!
//! `.ci/loom` builds and runs them. Each prints how many executions there were. The tests in `broken`, ignored here, break one
//! rule of the protocol each and run a model that must fail then.
#![cfg(loom)]

mod broken;
mod bytes;
mod ends;
mod growth;
mod holds;
mod locks;
mod support;
mod walks;
