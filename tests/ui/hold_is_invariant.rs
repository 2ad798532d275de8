use mem_pool::{FixedPool, Hold, HoldMut, IterMut, Keyed, WeakKey};

fn shorter<'a, 'p>(hold: HoldMut<'p, &'static str>) -> HoldMut<'p, &'a str> {
    hold //~ lifetime may not live long enough
}

fn shorter_look<'a, 'p>(hold: Hold<'p, &'static str>) -> Hold<'p, &'a str> {
    hold //~ lifetime may not live long enough
}

fn shorter_objects<'a, 'h>(objects: IterMut<'h, &'static str>) -> IterMut<'h, &'a str> {
    objects //~ lifetime may not live long enough
}

fn longer<'a>(key: WeakKey<&'a str>) -> WeakKey<&'static str> {
    key //~ lifetime may not live long enough
}

fn main() {
    let mut pool: FixedPool<&'static str, Keyed> = FixedPool::keyed();
    let handle = pool.alloc("static");
    {
        let text = String::from("short-lived");
        let mut hold = pool.hold_mut();
        hold[&handle] = &text; //~ E0597 `text` does not live long enough
    }
    println!("{}", pool.at(&handle));
}
