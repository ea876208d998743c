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

    /// Bytes of a row, a page or a dictionary that are decoded together however
    /// little memory there is: far more than writers make them of.
    pub const LEAST_UNIT_BYTES: u64 = 16 << 20;

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

    /// The most bytes of a row, a page or a dictionary, which are decoded together.
    #[must_use]
    pub fn unit_bytes(self) -> u64 {
        self.bytes.max(Self::LEAST_UNIT_BYTES)
    }

    /// The share of an array that is made of another one: half.
    #[must_use]
    pub fn copy_bytes(self) -> u64 {
        self.bytes / 2
    }

    /// The number of parts of a file that may be noted at so many bytes each.
    #[must_use]
    pub fn noted_parts(self, part_bytes: u64) -> u64 {
        self.bytes / part_bytes
    }

    /// The elements of each of so many windows that are sent to a device in turn,
    /// which all together take no more than half: the host reads into the rest. A
    /// power of two, because windows decide how sums are rounded, and not every byte
    /// of memory shall change that.
    #[must_use]
    pub fn window_elements(self, windows: usize, element_bytes: u64) -> usize {
        let window = self.bytes / (windows.max(1) as u64) / 2;
        let most = usize::try_from(window / element_bytes.max(1)).unwrap_or(usize::MAX);
        1 << most.max(1).ilog2()
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
