struct Mine;

impl mem_pool::ThroughPool for Mine {} //~ E0277 the trait bound `Mine: Access` is not satisfied

fn main() {}
