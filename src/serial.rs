//! Saving and loading with `serde`: handles as their values, figures as structs, lists of objects straight into a pool.

use std::fmt;

use serde_core::de::{DeserializeSeed, Error, SeqAccess, Visitor};
use serde_core::ser::SerializeStruct;
use serde_core::{Deserialize, Deserializer, Serialize, Serializer};

use crate::access::{Access, Shared, ThroughHandle};
use crate::generic::{FixedPool, PoolBox, PoolBytes, PoolSlice};
use crate::stats::{FixedStats, VariadicStats};
use crate::sync::{Lock, Locked};

/// As the object. (A [`Keyed`](crate::Keyed) handle does not reach its object: ask the pool, as [`LoadInto`] shows.)
impl<T: ?Sized + Serialize, A: ThroughHandle, L: Lock> Serialize for PoolBox<T, A, L> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        T::serialize(self, serializer)
    }
}

/// As bytes.
impl<L: Lock> Serialize for PoolBytes<L> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self)
    }
}

/// As a sequence of its values.
impl<T: Serialize, L: Lock> Serialize for PoolSlice<T, L> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

impl Serialize for FixedStats {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            live,
            capacity,
            chunks,
            reserved_bytes,
            deferred,
        } = *self;
        let fields = [
            ("live", live),
            ("capacity", capacity),
            ("chunks", chunks),
            ("reserved_bytes", reserved_bytes),
            ("deferred", deferred),
        ];
        serialize_figures("FixedStats", &fields, serializer)
    }
}

impl Serialize for VariadicStats {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            live_blocks,
            live_bytes,
            free_blocks,
            free_bytes,
            largest_free,
            header_bytes,
            chunks,
            reserved_bytes,
        } = *self;
        let fields = [
            ("live_blocks", live_blocks),
            ("live_bytes", live_bytes),
            ("free_blocks", free_blocks),
            ("free_bytes", free_bytes),
            ("largest_free", largest_free),
            ("header_bytes", header_bytes),
            ("chunks", chunks),
            ("reserved_bytes", reserved_bytes),
        ];
        serialize_figures("VariadicStats", &fields, serializer)
    }
}

fn serialize_figures<S: Serializer>(
    name: &'static str,
    fields: &[(&'static str, usize)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut figures = serializer.serialize_struct(name, fields.len())?;
    for (field, figure) in fields {
        figures.serialize_field(field, figure)?;
    }
    figures.end()
}

/// Loads a list of objects straight into a pool: a [`DeserializeSeed`] that gives their handles, in the list's order.
///
/// If the list is not what it should be, or the pool refuses an object, that is an error of the format, and what was loaded
/// until then is destroyed.
///
/// # Example: a world whose entities name each other
///
/// Weak keys are good for as long as their objects live. In a file, entities name each other by their place in the list; as
/// they are loaded, places become keys again.
///
/// ```
/// use std::collections::HashMap;
/// use mem_pool::{FixedPool, Keyed, LoadInto, PoolBox, WeakKey};
/// use serde::{Deserialize, Serialize, de::DeserializeSeed};
///
/// #[derive(Serialize, Deserialize)]
/// struct Ship {
///     name: String,
///     hull: u32,
///     #[serde(skip)]
///     target: Option<WeakKey<Ship>>,
/// }
///
/// struct World {
///     pool: FixedPool<Ship, Keyed>,
///     ships: Vec<PoolBox<Ship, Keyed>>,
/// }
///
/// impl World {
///     /// Two JSON values: the ships, and each one's target by its place among them.
///     fn save(&self) -> serde_json::Result<String> {
///         let hold = self.pool.hold();
///         let ships: Vec<&Ship> = self.ships.iter().map(|ship| &hold[ship]).collect();
///         let keys = self.ships.iter().map(PoolBox::downgrade);
///         let places: HashMap<_, _> = keys.enumerate().map(|(place, key)| (key, place)).collect();
///         let target = |ship: &&Ship| places.get(&ship.target?).copied(); // none if it is no more
///         let targets: Vec<Option<usize>> = ships.iter().map(target).collect();
///         Ok(serde_json::to_string(&ships)? + "\n" + &serde_json::to_string(&targets)?)
///     }
///
///     fn load(saved: &str) -> serde_json::Result<Self> {
///         let mut values = serde_json::Deserializer::from_str(saved);
///         let mut pool = FixedPool::<Ship>::keyed();
///         let ships = LoadInto::new(&pool).deserialize(&mut values)?;
///         let targets = Vec::<Option<usize>>::deserialize(&mut values)?;
///         for (ship, target) in ships.iter().zip(targets) {
///             let target = target.and_then(|place| ships.get(place));
///             pool.at_mut(ship).target = target.map(PoolBox::downgrade);
///         }
///         Ok(World { pool, ships })
///     }
/// }
///
/// let mut pool = FixedPool::keyed();
/// let new = |name: &str, hull| pool.alloc(Ship { name: name.into(), hull, target: None });
/// let ships = vec![new("Nimrod", 100), new("Argo", 70), new("Kon-Tiki", 20)];
/// let [nimrod, argo, kon_tiki] = [0, 1, 2].map(|place| PoolBox::downgrade(&ships[place]));
/// pool.at_mut(&ships[0]).target = Some(argo);
/// pool.at_mut(&ships[1]).target = Some(nimrod);            // a cycle
/// pool.at_mut(&ships[2]).target = Some(pool.adopt(pool.alloc(Ship { name: "decoy".into(), hull: 1, target: None })));
/// let saved = World { pool, ships }.save()?;
/// assert!(saved.ends_with("[1,0,null]"));
///
/// let world = World::load(&saved)?;
/// let hold = world.pool.hold();
/// let nimrod = &hold[&world.ships[0]];
/// let argo = &hold[nimrod.target.unwrap()];
/// assert_eq!((argo.name.as_str(), argo.hull), ("Argo", 70));
/// assert_eq!(hold[argo.target.unwrap()].name, "Nimrod");
/// assert!(hold.get(kon_tiki).is_none());                    // a key of the old world
/// # Ok::<(), serde_json::Error>(())
/// ```
#[must_use = "a seed does nothing until something is deserialized with it"]
pub struct LoadInto<'p, T, A: Access = Shared, L: Lock = Locked> {
    pool: &'p FixedPool<T, A, L>,
}

/// What a list may claim its length to be before its handles are seen: more is believed as it comes.
const MOST_BELIEVED: usize = 4096;

impl<'p, T, A: Access, L: Lock> LoadInto<'p, T, A, L> {
    /// Loads into this pool.
    pub fn new(pool: &'p FixedPool<T, A, L>) -> Self {
        Self { pool }
    }
}

impl<'de, T: Deserialize<'de>, A: Access, L: Lock> DeserializeSeed<'de> for LoadInto<'_, T, A, L> {
    type Value = Vec<PoolBox<T, A, L>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de>, A: Access, L: Lock> Visitor<'de> for LoadInto<'_, T, A, L> {
    type Value = Vec<PoolBox<T, A, L>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut objects: S) -> Result<Self::Value, S::Error> {
        let claimed = objects.size_hint().unwrap_or(0);
        let mut handles = Vec::with_capacity(claimed.min(MOST_BELIEVED));
        while let Some(object) = objects.next_element()? {
            let handle = self.pool.try_alloc(object);
            handles.push(handle.map_err(|rejected| S::Error::custom(rejected.error()))?);
        }
        Ok(handles)
    }
}

impl<T, A: Access, L: Lock> Clone for LoadInto<'_, T, A, L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, A: Access, L: Lock> Copy for LoadInto<'_, T, A, L> {}

impl<T, A: Access, L: Lock> fmt::Debug for LoadInto<'_, T, A, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadInto").field("pool", self.pool).finish()
    }
}
