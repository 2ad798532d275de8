//! What the fuzz targets do with their input: operation streams against models.
//!
//! The first bytes of an input choose a pool, the others operations, until there are none left. The same functions replay the
//! committed inputs in `cargo test`, without a fuzzer.

mod fixed;
mod input;
mod object;
mod trace;
mod variadic;

use mem_pool::{Keyed, Locked, Shared, Unlocked};

use input::Input;

/// `FixedPool` with walks and holds.
pub fn fixed_shared(data: &[u8]) {
    let mut input = Input::new(data);
    match input.flag() {
        true => fixed::walked::run::<Shared, Locked>(input),
        false => fixed::walked::run::<Shared, Unlocked>(input),
    }
}

/// `FixedPool` behind handles alone.
pub fn fixed_unique(data: &[u8]) {
    let mut input = Input::new(data);
    match input.flag() {
        true => fixed::unique::run::<Locked>(input),
        false => fixed::unique::run::<Unlocked>(input),
    }
}

/// `FixedPool` with walks, holds, adopted objects and unique borrows.
pub fn fixed_keyed(data: &[u8]) {
    let mut input = Input::new(data);
    match input.flag() {
        true => fixed::walked::run::<Keyed, Locked>(input),
        false => fixed::walked::run::<Keyed, Unlocked>(input),
    }
}

/// `VariadicPool` and its handles.
pub fn variadic(data: &[u8]) {
    let mut input = Input::new(data);
    match input.flag() {
        true => variadic::run::<Locked>(input),
        false => variadic::run::<Unlocked>(input),
    }
}

/// The parser of the replay example.
pub fn trace(data: &[u8]) {
    trace::run(data);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Runs every committed input of a target.
    fn replay(name: &str, target: fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(name);
        let inputs = std::fs::read_dir(&folder).unwrap();
        let mut count = 0;
        for input in inputs {
            target(&std::fs::read(input.unwrap().path()).unwrap());
            count += 1;
        }
        assert!(count > 0, "{} is empty", folder.display());
    }

    /// Runs inputs that nobody chose.
    fn random(target: fn(&[u8])) {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for length in (0..400).cycle().take(2000) {
            let bytes: Vec<u8> = std::iter::repeat_with(|| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 32) as u8
            })
            .take(length)
            .collect();
            target(&bytes);
        }
    }

    macro_rules! targets {
        ($($name:ident),*) => { $(mod $name {
            #[test]
            fn replays_its_corpus() {
                super::replay(stringify!($name), crate::$name);
            }

            #[test]
            fn bears_random_input() {
                super::random(crate::$name);
            }
        })* };
    }
    targets!(fixed_shared, fixed_unique, fixed_keyed, variadic, trace);
}
