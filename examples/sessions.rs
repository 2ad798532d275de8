//! A registry that nobody keeps: every thread owns its session, and a watcher walks them all and asks the idle ones to go.
//!
//! `cargo run --release --example sessions`
//!
//! No list to enter and leave, no lock around it, no counted handles: a session is in the pool for as long as its owner
//! keeps the handle, and the watcher sees it while other threads log in and out under its feet.
//!
//! Time is a barrier that all threads pass together. Within a tick they race, and still the figures never change.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::thread;

use mem_pool::{FixedPool, PoolBox};

const USERS: u32 = 100;
const TICKS: u32 = 200;
/// Whoever has done nothing for longer is asked to go.
const PATIENCE: u32 = 5;

struct Session {
    user: u32,
    last_request: AtomicU32,
    asked_to_go: AtomicBool,
}

static SESSIONS: FixedPool<Session> = FixedPool::new();
static DESTROYED: AtomicUsize = AtomicUsize::new(0);

impl Drop for Session {
    fn drop(&mut self) {
        DESTROYED.fetch_add(1, Relaxed);
    }
}

/// How sessions ended.
#[derive(Default)]
struct Count {
    logged_out: usize,
    asked_to_go: usize,
    there_at_the_end: usize,
}

impl Count {
    fn add(self, other: Count) -> Count {
        Count {
            logged_out: self.logged_out + other.logged_out,
            asked_to_go: self.asked_to_go + other.asked_to_go,
            there_at_the_end: self.there_at_the_end + other.there_at_the_end,
        }
    }
}

/// Comes, works for a while, and logs out; every third forgets to, and goes when asked. Then comes again.
struct User {
    id: u32,
    forgetful: bool,
    comes: u32,
    session: Option<PoolBox<Session>>,
    count: Count,
}

impl User {
    fn new(id: u32) -> Self {
        User {
            id,
            forgetful: id % 3 == 0,
            comes: id % 17,
            session: None,
            count: Count::default(),
        }
    }

    fn tick(&mut self, now: u32) {
        let stops = self.comes + 4 + self.id % 7;
        match &self.session {
            None if now == self.comes => self.session = Some(log_in(self.id, now)),
            None => {}
            Some(session) if now < stops => session.last_request.store(now, Relaxed),
            Some(session) if !self.forgetful || session.asked_to_go.load(Relaxed) => {
                let count = match self.forgetful {
                    true => &mut self.count.asked_to_go,
                    false => &mut self.count.logged_out,
                };
                *count += 1;
                // Destroyed here and now or, if the watcher is looking that way, by the watcher as it goes on.
                self.session = None;
                self.comes = stops + 2 * PATIENCE + self.id % 5;
            }
            Some(_) => {}
        }
    }

    fn end(mut self) -> Count {
        match self.session {
            Some(session) if session.asked_to_go.load(Relaxed) => self.count.asked_to_go += 1,
            Some(_) => self.count.there_at_the_end += 1,
            None => {}
        }
        self.count
    }
}

fn log_in(user: u32, now: u32) -> PoolBox<Session> {
    SESSIONS.alloc(Session {
        user,
        last_request: AtomicU32::new(now),
        asked_to_go: AtomicBool::new(false),
    })
}

/// Asks those who are idle to go; gives their names.
fn watch(now: u32) -> Vec<u32> {
    let mut idle = Vec::new();
    SESSIONS.for_each(|session| {
        let quiet = now.saturating_sub(session.last_request.load(Relaxed));
        if quiet > PATIENCE && !session.asked_to_go.swap(true, Relaxed) {
            idle.push(session.user);
        }
    });
    idle.sort_unstable(); // the walk goes by address
    idle
}

fn live(mut user: User, clock: &Barrier) -> Count {
    for now in 0..TICKS {
        clock.wait();
        user.tick(now);
    }
    clock.wait();
    user.end()
}

/// Watches from the first tick to the last; says how many were asked to go.
fn watch_all_day(clock: &Barrier) -> usize {
    let mut asked = 0;
    for now in 0..TICKS {
        clock.wait();
        let idle = watch(now);
        asked += idle.len();
        if now < 20 && !idle.is_empty() {
            println!("tick {now}: asked {idle:?} to go");
        }
    }
    clock.wait();
    asked
}

fn main() {
    let clock = &Barrier::new(USERS as usize + 1);
    let (count, asked) = thread::scope(|scope| {
        let users = (0..USERS).map(|id| scope.spawn(move || live(User::new(id), clock)));
        let users: Vec<_> = users.collect();
        let asked = watch_all_day(clock);
        let counts = users
            .into_iter()
            .map(|user| user.join().expect("users do not panic"));
        (counts.fold(Count::default(), Count::add), asked)
    });
    let Count {
        logged_out,
        asked_to_go,
        there_at_the_end,
    } = count;
    println!("{USERS} users, each a thread, in {TICKS} ticks:");
    println!("  {logged_out:4} sessions ended by logging out");
    println!("  {asked_to_go:4} were asked to go, and went (the watcher asked {asked} times)");
    println!("  {there_at_the_end:4} were there at the end");
    println!(
        "  {:4} destroyed, {} left",
        DESTROYED.load(Relaxed),
        SESSIONS.len()
    );
}
