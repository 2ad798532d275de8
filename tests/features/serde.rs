//! What `serde` makes of handles, figures and lists, through `serde_json`.

use mem_pool::{
    FixedPool, HeapMap, LoadInto, PoolBox, PoolSlice, Unique, VariadicPool, local, unsize,
};
use rstest::rstest;
use serde::de::DeserializeSeed;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, to_value};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Point {
    x: i32,
    y: i32,
}

#[test]
fn handles_are_their_values() {
    let point = Point { x: 1, y: -2 };
    let shared = FixedPool::new().alloc(point.clone());
    let unique = local::FixedPool::unique().alloc(vec![shared]);
    assert_eq!(to_value(&unique).unwrap(), json!([{"x": 1, "y": -2}]));
    let slice: PoolBox<[u8], Unique> = unsize!(FixedPool::unique().alloc([1, 2, 3]) => [u8]);
    assert_eq!(to_value(&slice).unwrap(), json!([1, 2, 3]));
}

#[test]
fn a_struct_of_handles_derives() {
    #[derive(Serialize)]
    struct Tree {
        left: Option<PoolBox<Tree, Unique>>,
        value: u8,
    }
    let pool = FixedPool::unique();
    let leaf = Tree {
        left: None,
        value: 1,
    };
    let tree = Tree {
        left: Some(pool.alloc(leaf)),
        value: 2,
    };
    let expected = json!({"left": {"left": null, "value": 1}, "value": 2});
    assert_eq!(to_value(&tree).unwrap(), expected);
}

#[test]
fn blocks_are_bytes_and_slices_are_lists() {
    let pool = VariadicPool::default();
    assert_eq!(to_value(pool.alloc_copy(b"AB")).unwrap(), json!([65, 66]));
    let mut slice: PoolSlice<f32> = pool.alloc_pod(2);
    slice[1] = 0.5;
    assert_eq!(to_value(&slice).unwrap(), json!([0.0, 0.5]));
}

#[test]
fn figures_are_structs() {
    let pool = FixedPool::builder().growth(64).build();
    let handles: Vec<_> = (0..3).map(|n| pool.alloc(n)).collect();
    let stats = pool.stats();
    let expected = json!({
        "live": 3, "capacity": 64, "chunks": 1, "reserved_bytes": stats.reserved_bytes, "deferred": 0,
    });
    assert_eq!(to_value(stats).unwrap(), expected);
    drop(handles);

    let pool = VariadicPool::new(4096, 0);
    let block = pool.alloc(100);
    let stats = to_value(pool.stats()).unwrap();
    assert_eq!(
        (&stats["live_blocks"], &stats["live_bytes"]),
        (&json!(1), &json!(100))
    );
    assert_eq!(
        (&stats["reserved_bytes"], stats.as_object().unwrap().len()),
        (&json!(4096), 8)
    );
    drop(block);
}

#[test]
fn a_heap_map_is_what_its_json_says() {
    let pool = VariadicPool::new(4096, 0);
    let mut blocks: Vec<_> = (0..20).map(|n| pool.alloc(n * 50)).collect();
    blocks.retain(|block| block.len() % 100 == 0);
    let map = pool.heap_map();
    let json: Value = serde_json::from_str(&map.to_json()).unwrap();
    assert_eq!(to_value(&map).unwrap(), json);
    let empty: HeapMap = VariadicPool::default().heap_map();
    assert_eq!(
        to_value(empty).unwrap(),
        json!({"reserved_bytes": 0, "chunks": []})
    );
}

#[test]
fn a_list_is_loaded_in_its_order() {
    let pool = FixedPool::<Point>::new();
    let list = json!([{"x": 1, "y": 2}, {"x": 3, "y": 4}]);
    let loader = LoadInto::new(&pool);
    let points = loader.deserialize(&list).unwrap();
    assert_eq!(
        points.iter().map(|point| point.x).collect::<Vec<_>>(),
        [1, 3]
    );
    assert_eq!(to_value(&points).unwrap(), list);
    let more = Clone::clone(&loader).deserialize(&list).unwrap();
    assert_eq!((more.len(), pool.len()), (2, 4));
    assert!(format!("{loader:?}").starts_with("LoadInto"));
}

#[test]
fn objects_may_borrow_from_what_they_are_loaded_from() {
    let text = String::from(r#"["Ann", "Bob"]"#);
    let pool = local::FixedPool::<&str>::new();
    let names = LoadInto::new(&pool).deserialize(&mut serde_json::Deserializer::from_str(&text));
    let names = names.unwrap();
    assert!(text.as_bytes().as_ptr_range().contains(&names[1].as_ptr()));
}

#[rstest]
#[case::not_a_list("{}", "invalid type: map, expected a list of objects")]
#[case::not_an_object("[1, 2, {}]", "invalid type: map, expected i32")]
#[case::cut_off("[1, 2", "EOF while parsing a list")]
#[case::too_long(
    "[1, 2, 3, 4]",
    "the pool's limit of 3 slots is reached and none is free"
)]
fn what_cannot_be_loaded_leaves_nothing(#[case] text: &str, #[case] message: &str) {
    let pool = FixedPool::<i32>::builder().limit(3).build();
    let mut json = serde_json::Deserializer::from_str(text);
    let error = LoadInto::new(&pool).deserialize(&mut json).unwrap_err();
    assert!(error.to_string().starts_with(message), "{error}");
    assert!(pool.is_empty());
}

#[test]
fn a_claimed_length_is_not_believed() {
    /// Claims to be as long as a list can be.
    struct Liar;
    impl<'de> serde::Deserializer<'de> for Liar {
        type Error = serde::de::value::Error;
        fn deserialize_any<V: serde::de::Visitor<'de>>(
            self,
            visitor: V,
        ) -> Result<V::Value, Self::Error> {
            visitor.visit_seq(Liar)
        }
        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
        }
    }
    impl<'de> serde::de::SeqAccess<'de> for Liar {
        type Error = serde::de::value::Error;
        fn next_element_seed<S: DeserializeSeed<'de>>(
            &mut self,
            _: S,
        ) -> Result<Option<S::Value>, Self::Error> {
            Ok(None)
        }
        fn size_hint(&self) -> Option<usize> {
            Some(usize::MAX)
        }
    }
    let pool = FixedPool::<Point>::new();
    let points = LoadInto::new(&pool).deserialize(Liar).unwrap();
    assert!(points.is_empty() && pool.capacity() == 0);
}
