use mem_pool::FixedPool;

fn main() {
    let pool = FixedPool::<u8>::new();
    let hold = pool.hold();
    drop(pool); //~ E0505 cannot move out of `pool` because it is borrowed
    drop(hold);

    let mut pool = FixedPool::<u8>::keyed();
    let hold = pool.hold_mut();
    drop(pool); //~ E0505 cannot move out of `pool` because it is borrowed
    drop(hold);

    let late;
    {
        let pool = FixedPool::<u8>::new();
        late = pool.hold(); //~ E0597 `pool` does not live long enough
    }
    drop(late);
}

fn of_its_own() -> mem_pool::Hold<'static, u8> {
    let pool = FixedPool::<u8>::new();
    pool.hold() //~ E0515 cannot return value referencing local variable `pool`
}
