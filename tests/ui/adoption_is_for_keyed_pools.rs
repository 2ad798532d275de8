use mem_pool::FixedPool;

fn main() {
    let mut pool = FixedPool::<u8>::new();
    let handle = pool.alloc(1);
    let _ = pool.adopt(handle); //~ E0599 no method named `adopt` found for struct
    let _ = pool.hold_mut(); //~ E0599 no method named `hold_mut` found for struct
    pool.retain(|_| true); //~ E0599 no method named `retain` found for struct
    pool.clear(); //~ E0599 no method named `clear` found for struct
}
