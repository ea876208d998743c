//! Memory for what a file claims to hold. A header of a few bytes can claim
//! any length, so nothing is allocated on its word alone: the claim must fit
//! the memory allowed, and the allocation may fail.

use std::path::Path;

use crate::array::DataError;

/// An empty vector with room for `count` elements, as many as the file claims
/// for its `what`.
///
/// Errors: [`DataError::Claim`] if they take more than `memory_bytes` or more
/// than the system gives.
#[allow(dead_code, reason = "the formats that need it are features")]
pub(super) fn room<T>(
    path: &Path,
    what: &'static str,
    count: u64,
    memory_bytes: u64,
) -> Result<Vec<T>, DataError> {
    let bytes = count.saturating_mul(size_of::<T>() as u64);
    let refused = || DataError::Claim { path: path.to_owned(), what, bytes };
    let count = usize::try_from(count).map_err(|_| refused())?;
    if bytes > memory_bytes {
        return Err(refused());
    }
    let mut room = Vec::new();
    room.try_reserve_exact(count).map_err(|_| refused())?;
    Ok(room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_beyond_the_memory_allowed_is_an_error() {
        let path = Path::new("x");
        assert!(room::<u16>(path, "row", 50, 100).unwrap().capacity() >= 50);
        let error = room::<u16>(path, "row", 51, 100).unwrap_err();
        assert!(matches!(error, DataError::Claim { bytes: 102, .. }), "{error}");
        assert!(room::<u64>(path, "row", u64::MAX, u64::MAX).is_err());
        assert!(room::<u8>(path, "row", 1 << 62, u64::MAX).is_err());
    }
}
