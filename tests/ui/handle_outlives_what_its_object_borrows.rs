// `Shout`'s destructor would read freed memory.
struct Shout<'a>(&'a String);

impl Drop for Shout<'_> {
    fn drop(&mut self) {
        println!("{}", self.0);
    }
}

fn main() {
    let handle;
    let text = String::from("a");
    let pool = mem_pool::FixedPool::new();
    handle = pool.alloc(Shout(&text)); //~ E0597 `text` does not live long enough

    let key;
    let text = String::from("b");
    let pool = mem_pool::FixedPool::keyed();
    key = pool.alloc(Shout(&text)); //~ E0597 `text` does not live long enough
}
