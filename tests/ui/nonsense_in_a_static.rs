use mem_pool::FixedPool;

static GROWTH: FixedPool<u8> = FixedPool::builder().growth(0).build(); //~ E0080
//~? growth
static LIMIT: FixedPool<u8> = FixedPool::builder().limit(0).build(); //~ E0080
//~? limit

fn main() {}
