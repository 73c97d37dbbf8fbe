//! How digests find their place in a map.
use std::hash::Hasher;

/// A digest is a keyed hash already, whose key nobody outside knows.
#[derive(Default)]
pub struct OfDigest(u64);

impl Hasher for OfDigest {
    fn write(&mut self, bytes: &[u8]) {
        let mut first = [0; 8];
        let n = bytes.len().min(8);
        first[..n].copy_from_slice(&bytes[..n]);
        self.0 ^= u64::from_le_bytes(first);
    }

    fn write_usize(&mut self, _: usize) {
        // The length of a digest, which is always the same.
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
