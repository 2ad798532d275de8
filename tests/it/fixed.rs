//! What one thread sees of a `FixedPool` and its handles.

mod addresses;
mod basics;
mod errors;
mod growth;
mod handles;
mod heap_map;
mod keep_empty;
mod keyed;
mod large_values;
mod layout;
mod limit;
mod raw;
mod regressions;
mod unsized_objects;
mod vacant;
mod walks;
mod zero_sized;
