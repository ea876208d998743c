use super::array::RESIDENT_RUN_ELEMENTS;

/// The memory that the elements of a command's arrays may take, and its shares:
/// the one place where it is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryPlan {
    bytes: u64,
}

impl MemoryPlan {
    /// No bound.
    pub const UNBOUNDED: Self = Self { bytes: u64::MAX };

    /// Most bytes of a tile of an array that is stored in another order: more gain
    /// nothing.
    const MOST_TILE_BYTES: u64 = 32 << 20;

    /// Least bytes of a tile, however little memory there is.
    const LEAST_TILE_BYTES: u64 = 1 << 20;

    /// Most bytes that all threads together go through before they release them.
    /// More gain nothing: on Linux a streamed pass takes 47 ms with runs of 64 Ki
    /// f32 pairs, 27.6 with 512 Ki, 24.1 with 2 Mi and 23 with 4 Mi, against 17 ms
    /// with all pages in place.
    const MOST_RUN_BYTES: u64 = 32 << 20;

    /// So many bytes for all arrays together.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self { bytes }
    }

    /// The share of each of so many arrays while they are decoded.
    #[must_use]
    pub fn array_bytes(self, arrays: usize) -> u64 {
        self.bytes / (arrays.max(1) as u64)
    }

    /// Whether so many bytes can be in memory together.
    pub(super) fn holds(self, bytes: u64) -> bool {
        bytes <= self.bytes
    }

    /// The elements that each thread may go through before it releases their
    /// memory, of arrays that have so many bytes an element together.
    pub(super) fn run_elements(self, pair_bytes: u64) -> usize {
        let share = self.bytes / rayon::current_num_threads() as u64;
        let elements = share.min(Self::MOST_RUN_BYTES) / pair_bytes;
        usize::try_from(elements).unwrap_or(usize::MAX).max(RESIDENT_RUN_ELEMENTS)
    }

    /// The bytes of a tile of an array that is brought into another order: half,
    /// for the pages of the file take as much.
    pub(super) fn tile_bytes(self) -> u64 {
        (self.bytes / 2).clamp(Self::LEAST_TILE_BYTES, Self::MOST_TILE_BYTES)
    }
}
