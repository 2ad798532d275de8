// The pool may run the destructor of what it adopted or put off.
struct Shout<'a>(&'a String);

impl Drop for Shout<'_> {
    fn drop(&mut self) {
        println!("{}", self.0);
    }
}

fn main() {
    let pool = mem_pool::FixedPool::new();
    let text = String::from("a");
    drop(pool.alloc(Shout(&text))); //~ E0597 `text` does not live long enough
}
