//! Memory after a spike: many objects live, then most of them are dropped at random.
//!
//! Each contender has a process of its own, so that what is resident is its own; the handles are not counted.

use std::hint::black_box;
use std::io;
use std::mem::MaybeUninit;

use fastrand::Rng;

use crate::Selection;
use crate::contenders::{Object, Plain, Pool, all};
use crate::process::{ask, resident, trim};
use crate::table::{Table, figure};
use crate::workloads::make;

/// How many objects the spike has, and how many are left.
pub(crate) const OBJECTS: usize = 1_000_000;
const LEFT: usize = OBJECTS / 20;

type Item = Plain<8>;

/// Bytes at one moment.
struct Bytes {
    resident: usize,
    /// What the pool says it has from the system.
    reserved: usize,
}

/// At the spike, after it, and when what can be given back has been, if there is a call for it.
pub(crate) struct Spike([Option<Bytes>; 3]);

/// Who is left.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// Any: then hardly a page becomes free as a whole.
    Random,
    /// Those made last.
    Youngest,
}

pub(crate) fn measure<T: Object, P: Pool<T>>(left: Left) -> Spike {
    let pool = P::new();
    let mut handles = black_box(Vec::with_capacity(OBJECTS)); // or the compiler asks for zeroes, which need no memory
    handles.spare_capacity_mut().fill_with(MaybeUninit::zeroed);
    trim();
    let before = resident();
    let bytes = || Bytes {
        resident: resident().saturating_sub(before),
        reserved: pool.reserved().unwrap_or(0),
    };
    handles.extend((0..OBJECTS).map(|_| make(&pool)));
    let spike = bytes();
    match left {
        Left::Random => Rng::with_seed(7).shuffle(&mut handles),
        Left::Youngest => handles.reverse(),
    }
    handles.drain(LEFT..).for_each(|handle| pool.end(handle));
    let after = bytes();
    let shrunk = pool.shrink().then(bytes);
    handles.drain(..).for_each(|handle| pool.end(handle));
    Spike([Some(spike), Some(after), shrunk])
}

const CASES: [(&str, Left); 2] = [("random", Left::Random), ("youngest", Left::Youngest)];

/// In a process of its own: prints the bytes of a contender's spike.
pub(crate) fn child(name: &str, case: &str) -> io::Result<()> {
    let contender = all::<Item>()
        .into_iter()
        .find(|contender| contender.name == name);
    let case = CASES.into_iter().find(|(known, _)| *known == case);
    let (Some(measure), Some((_, left))) = (contender.and_then(|contender| contender.spike), case)
    else {
        return Err(io::Error::other("no such contender or case"));
    };
    for bytes in measure(left).0.into_iter().flatten() {
        println!("{} {}", bytes.resident, bytes.reserved);
    }
    Ok(())
}

pub(crate) fn run(selection: &Selection) -> io::Result<Option<Table>> {
    if !selection.has_workload("spike") {
        return Ok(None);
    }
    let columns = [
        "1 M live",
        "random 5 % left",
        "shrunk",
        "youngest 5 % left",
        "shrunk",
    ];
    let note = "resident bytes over the bytes of live objects, each contender in a process of its own \
                (in brackets: what the pool itself says it has reserved)";
    let mut table = Table::new("Memory after a spike, objects of 64 bytes", note).columns(columns);
    let mut contenders = all::<Item>();
    contenders
        .retain(|contender| contender.spike.is_some() && selection.has_contender(contender.name));
    for contender in contenders {
        let [random, youngest] = CASES.map(|(case, _)| cells(contender.name, case));
        let (mut cells, youngest) = (random?, youngest?);
        cells.extend_from_slice(&youngest[1..]); // the spike was the same
        table.row(contender.name, cells);
    }
    Ok((!table.is_empty()).then_some(table))
}

/// At the spike, after it, and shrunk.
fn cells(contender: &str, case: &str) -> io::Result<Vec<String>> {
    let answer = ask(&["spike", contender, case], &[])?;
    let live = [OBJECTS, LEFT, LEFT].map(|objects| (objects * size_of::<Item>()) as f64);
    let cell = |(bytes, live): (&[f64], f64)| match bytes {
        [resident, 0.0] => figure(resident / live),
        [resident, reserved] => {
            format!("{} ({})", figure(resident / live), figure(reserved / live))
        }
        _ => "?".into(),
    };
    let mut cells: Vec<_> = answer.chunks(2).zip(live).map(cell).collect();
    cells.resize(live.len(), "-".into());
    Ok(cells)
}
