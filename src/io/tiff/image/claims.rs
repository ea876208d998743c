//! The claims of an image about its strips and tiles.
//!
//! A claim is believed only as far as the file can back it. A block cannot
//! expand more than its compression allows, and all of them together not more
//! than the whole file could by it: so much comes of blocks that have bytes of
//! their own. Where blocks share bytes, as the equal tiles of some writers do,
//! they may be more, up to [`SHARED_BYTES`]. Blocks that the file does not have
//! ("sparse", in GDAL's word: offset and size are 0) may stand for as much as
//! the best compression could make of the file, or for [`SPARSE_BYTES`].

use super::Image;
use crate::array::DataError;
use crate::io::tiff::blocks::Block;
use crate::io::tiff::compression::Compression;
use crate::io::tiff::directory::KIND;

/// Bytes that pixels which the file does not have may take, however small it
/// is.
const SPARSE_BYTES: u64 = 64 << 20;

/// Bytes, decompressed, that strips or tiles which share bytes of the file may
/// take, however small it is.
const SHARED_BYTES: u64 = 64 << 20;

impl Image<'_> {
    /// The place of block number `k` of the plane in the file. Fails if the file
    /// cannot have what it claims.
    pub(super) fn block(&self, k: usize) -> Result<Block, DataError> {
        let invalid = |reason: &str| self.input.invalid(KIND, reason);
        let number =
            (self.plane as u64).saturating_mul(self.blocks.in_plane() as u64).saturating_add(k as u64);
        let fewer =
            || invalid("it has fewer strips or tiles than its size asks for; it is truncated or damaged");
        let offset = self.blocks.offsets.whole(number).ok_or_else(fewer)?;
        let count = self.blocks.counts.and_then(|counts| counts.whole(number));
        if offset == 0 && count == Some(0) {
            return Ok(Block::Sparse);
        }
        let [.., rows] = self.blocks.area(k);
        let needed = self.row_bytes().and_then(|bytes| bytes.checked_mul(rows)).map(|bytes| bytes as u64);
        let needed = needed.ok_or_else(|| invalid("its size is larger than any memory; is it damaged?"))?;
        let file_bytes = self.map.bytes().len() as u64;
        let start = offset.saturating_add(self.shift).min(file_bytes);
        let count = match count {
            Some(0) | None if offset == 0 => return Err(invalid("its strips or tiles are nowhere")),
            // What libtiff calls bogus, and calculates. Where it would guess,
            // which is wherever compressed blocks follow one another, nobody
            // knows.
            Some(0) | None if self.compression == Compression::None => needed,
            Some(0) | None if self.blocks.offsets.count == 1 => file_bytes - start,
            Some(0) | None => {
                return Err(self.input.unsupported(
                    "its strips or tiles have places but no sizes".to_owned(),
                    "write it again, for example with gdal_translate or tiffcp",
                ));
            }
            Some(count) => count,
        };
        let found = count.min(file_bytes - start);
        if found < needed && self.compression == Compression::None {
            return Err(DataError::Truncated {
                path: self.input.path.to_owned(),
                expected_bytes: needed,
                found_bytes: found,
            });
        }
        if found == 0 || needed > found.saturating_mul(self.compression.most_expansion()) {
            let reason = format!(
                "it claims a strip or tile of {needed} bytes, for which it has {found}, compressed, of which so \
                 many cannot come; it is truncated or damaged"
            );
            return Err(invalid(&reason));
        }
        let end = if self.compression == Compression::None { start + needed } else { start + found };
        let place = |place: u64| usize::try_from(place).unwrap_or(usize::MAX);
        Ok(Block::At(place(start)..place(end)))
    }

    /// Fails if the file cannot have what it claims. Must come before
    /// [`rows`](Self::rows), which believes it.
    pub(in crate::io::tiff) fn check_claims(&self) -> Result<(), DataError> {
        let file_bytes = self.map.bytes().len() as u64;
        let (mut sparse_bytes, mut decoded_bytes) = (0u64, 0u64);
        for k in 0..self.blocks.in_plane() {
            let [.., width, height] = self.blocks.area(k);
            if let Block::Sparse = self.block(k)? {
                let bytes = (width as u64).saturating_mul(height as u64);
                sparse_bytes = sparse_bytes.saturating_add(bytes.saturating_mul(self.element.size() as u64));
            } else {
                let bytes = self.row_bytes().unwrap_or(usize::MAX).saturating_mul(height);
                decoded_bytes = decoded_bytes.saturating_add(bytes as u64);
            }
        }
        let most = file_bytes.saturating_mul(self.compression.most_expansion());
        if decoded_bytes > most.max(SHARED_BYTES) {
            let reason = format!(
                "it claims strips or tiles of {decoded_bytes} bytes in all, of which many share the same of its \
                 {file_bytes} bytes; is it damaged? If not, write it again, each with bytes of its own"
            );
            return Err(self.input.invalid(KIND, &reason));
        }
        let most = file_bytes.saturating_mul(Compression::Zstd.most_expansion());
        if sparse_bytes > most.max(SPARSE_BYTES) {
            let reason = format!(
                "it claims {sparse_bytes} bytes of pixels of which it has none, in {file_bytes} bytes; is it damaged? \
                 If not, write it without sparse strips or tiles"
            );
            return Err(self.input.invalid(KIND, &reason));
        }
        Ok(())
    }

    /// Whether a block's size is not in the file and was calculated.
    pub(in crate::io::tiff) fn has_no_sizes(&self) -> bool {
        let is_bogus = |k: u64| {
            self.blocks.offsets.whole(k) > Some(0)
                && self.blocks.counts.is_none_or(|counts| counts.whole(k).unwrap_or(0) == 0)
        };
        (0..self.blocks.offsets.count).any(is_bogus)
    }
}
