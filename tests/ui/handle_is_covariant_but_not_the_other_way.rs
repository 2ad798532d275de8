use mem_pool::PoolBox;

fn shorten<'a>(handle: PoolBox<&'static str>) -> PoolBox<&'a str> {
    handle
}

fn lengthen<'a>(handle: PoolBox<&'a str>) -> PoolBox<&'static str> {
    handle //~ lifetime may not live long enough
}

fn main() {}
