//! A heap map as a struct: the shape that [`HeapMap::to_json`] writes.

use serde_core::ser::SerializeStruct;
use serde_core::{Serialize, Serializer};

use super::{Chunk, HeapMap, Run};

/// As a struct of `reserved_bytes` and `chunks`: what [`to_json`](Self::to_json) writes.
impl Serialize for HeapMap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let chunks: Vec<_> = self.chunks().collect();
        let mut map = serializer.serialize_struct("HeapMap", 2)?;
        map.serialize_field("reserved_bytes", &self.bytes())?;
        map.serialize_field("chunks", &chunks)?;
        map.end()
    }
}

impl Serialize for Chunk<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut chunk = serializer.serialize_struct("Chunk", 2)?;
        chunk.serialize_field("bytes", &self.bytes)?;
        chunk.serialize_field("runs", self.runs)?;
        chunk.end()
    }
}

impl Serialize for Run {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut run = serializer.serialize_struct("Run", 2)?;
        run.serialize_field("kind", self.cell.name())?;
        run.serialize_field("bytes", &self.bytes)?;
        run.end()
    }
}
