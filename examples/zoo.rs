//! Handles that forget the type of their object: trait objects, closures, futures, slices and errors, by `unsize!`.
//!
//! `cargo run --example zoo`

use std::error::Error;
use std::fmt;
use std::future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use mem_pool::{FixedPool, PoolBox, Unique, unsize};

fn main() {
    animals();
    closures();
    futures();
    slices();
    errors();
}

trait Animal {
    fn name(&self) -> &str;
    fn eat(&mut self, food: u64) -> String;
}

struct Lion {
    name: &'static str,
    hunger: u64,
}

struct Parrot {
    name: String,
}

struct Elephant {
    memory: [u64; 64],
}

impl Animal for Lion {
    fn name(&self) -> &str {
        self.name
    }

    fn eat(&mut self, food: u64) -> String {
        self.hunger = self.hunger.saturating_sub(food);
        format!("is hungry for {} more", self.hunger)
    }
}

impl Animal for Parrot {
    fn name(&self) -> &str {
        &self.name
    }

    fn eat(&mut self, food: u64) -> String {
        format!("says {food}, {food}, {food}!")
    }
}

impl Animal for Elephant {
    fn name(&self) -> &str {
        "Jumbo"
    }

    fn eat(&mut self, food: u64) -> String {
        self.memory.rotate_right(1);
        self.memory[0] = food;
        format!("remembers {:?}", &self.memory[..2])
    }
}

impl Drop for Parrot {
    fn drop(&mut self) {
        println!("{} flies away", self.name);
    }
}

/// A pool for each species, with slots of the right size, and one list for them all.
fn animals() {
    println!("-- animals");
    let (lions, parrots) = (FixedPool::unique(), FixedPool::unique());
    let elephants = FixedPool::unique();
    let mut zoo: Vec<PoolBox<dyn Animal, Unique>> = Vec::new();
    for name in ["Leo", "Nala"] {
        zoo.push(unsize!(lions.alloc(Lion { name, hunger: 10 }) => dyn Animal));
    }
    let name = String::from("Polly");
    zoo.push(unsize!(parrots.alloc(Parrot { name }) => dyn Animal));
    let memory = [0; 64];
    zoo.push(unsize!(elephants.alloc(Elephant { memory }) => dyn Animal));
    for food in [3, 4] {
        for animal in &mut zoo {
            let answer = animal.eat(food);
            println!("{} {answer}", animal.name());
        }
    }
    zoo.retain(|animal| animal.name() != "Polly");
    let count = (lions.len(), parrots.len(), elephants.len());
    println!("lions, parrots and elephants: {count:?}");
    drop((lions, parrots, elephants)); // their animals stay
    let names: Vec<&str> = zoo.iter().map(|animal| animal.name()).collect();
    println!("in the zoo: {names:?}");
}

type Machine = PoolBox<dyn FnMut() -> u32, Unique>;

/// Every closure that leaves this function has the same type, and so can share a pool.
fn ticket_machine(price: u32) -> impl FnMut() -> u32 {
    let mut sold = 0;
    move || {
        sold += 1;
        sold * price
    }
}

fn closures() {
    println!("-- closures");
    let machines = FixedPool::unique();
    let mut children: Machine = unsize!(machines.alloc(ticket_machine(4)) => dyn FnMut() -> u32);
    let mut adults: Machine = unsize!(machines.alloc(ticket_machine(9)) => dyn FnMut() -> u32);
    println!(
        "children paid {}, {}, adults {}",
        children(),
        children(),
        adults()
    );
}

type Task = PoolBox<dyn Future<Output = String> + Send, Unique>;

/// Somebody who looks at some cages, and lets the others go on after each.
async fn visitor(name: &'static str, cages: u32) -> String {
    for _ in 0..cages {
        let mut looked = false;
        let look = future::poll_fn(|_| match mem::replace(&mut looked, true) {
            false => Poll::Pending,
            true => Poll::Ready(()),
        });
        look.await;
    }
    format!("{name} saw {cages} cages")
}

/// The smallest of executors: polls all in turn until they are done.
fn run(mut tasks: Vec<Pin<Task>>) {
    let mut context = Context::from_waker(Waker::noop());
    while !tasks.is_empty() {
        tasks.retain_mut(|task| match task.as_mut().poll(&mut context) {
            Poll::Ready(answer) => {
                println!("{answer}");
                false
            }
            Poll::Pending => true,
        });
    }
}

fn futures() {
    println!("-- futures");
    let visitors = FixedPool::unique();
    let tasks = [("Ann", 3), ("Bob", 2), ("Cleo", 4)].map(|(name, cages)| {
        let task: Task =
            unsize!(visitors.alloc(visitor(name, cages)) => dyn Future<Output = String> + Send);
        PoolBox::into_pin(task)
    });
    run(Vec::from(tasks));
    println!("{} visitors left", visitors.len());
}

fn slices() {
    println!("-- slices");
    let (pairs, triples) = (FixedPool::unique(), FixedPool::unique());
    let mut weights: Vec<PoolBox<[u32], Unique>> = vec![
        unsize!(pairs.alloc([190, 130]) => [u32]),
        unsize!(triples.alloc([5_200, 4_900, 6_000]) => [u32]),
    ];
    for weights in &mut weights {
        weights.sort_unstable();
        println!("{weights:?}: {} kg", weights.iter().sum::<u32>());
    }
}

#[derive(Debug)]
struct Escaped {
    name: &'static str,
}

impl fmt::Display for Escaped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not in its cage", self.name)
    }
}

impl Error for Escaped {}

static ALARMS: FixedPool<Escaped> = FixedPool::new();

fn look_for(name: &'static str) -> Result<(), PoolBox<dyn Error>> {
    match name {
        "Polly" => Err(unsize!(ALARMS.alloc(Escaped { name }) => dyn Error)),
        _ => Ok(()),
    }
}

/// A handle of an error is an error: `?` turns it into whatever takes one.
fn look_for_all(names: &[&'static str]) -> Result<(), Box<dyn Error>> {
    for name in names {
        look_for(name)?;
    }
    Ok(())
}

fn errors() {
    println!("-- errors");
    let outcome = look_for_all(&["Leo", "Polly", "Jumbo"]);
    ALARMS.for_each(|alarm| println!("alarm: {alarm}"));
    if let Err(why) = outcome {
        println!("the caller got: {why}");
    }
    println!("{} alarms left", ALARMS.len());
}
