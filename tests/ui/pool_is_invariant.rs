use mem_pool::{FixedPool, Keyed, Unique};

fn shared<'a>(pool: &'a FixedPool<&'static str>) -> &'a FixedPool<&'a str> {
    pool //~ lifetime may not live long enough
}

fn unique<'a>(pool: &'a FixedPool<&'static str, Unique>) -> &'a FixedPool<&'a str, Unique> {
    pool //~ lifetime may not live long enough
}

fn keyed<'a>(pool: &'a FixedPool<&'static str, Keyed>) -> &'a FixedPool<&'a str, Keyed> {
    pool //~ lifetime may not live long enough
}

fn local<'a>(pool: mem_pool::local::FixedPool<&'static str>) -> mem_pool::local::FixedPool<&'a str> {
    pool //~ lifetime may not live long enough
}

fn main() {}
