use std::rc::Rc;
use std::sync::{Mutex, MutexGuard};

use mem_pool::{FixedPool, Unique};

static M: Mutex<u8> = Mutex::new(1);

fn main() {
    let guards: FixedPool<MutexGuard<'static, u8>, Unique> = FixedPool::unique();
    let handle = guards.alloc(M.lock().unwrap());
    std::thread::spawn(move || drop(handle)); //~ E0277 cannot be sent between threads safely
    let counted = FixedPool::keyed().alloc(Rc::new(1));
    std::thread::spawn(move || drop(counted)); //~ E0277 `Rc<i32>` cannot be sent between threads safely
}
