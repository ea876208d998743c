//! The shape of a dataset or an attribute.

use super::bytes::Bytes;
use super::fault::Fault;

/// Extents, and the most that each may grow to, if there is a bound.
pub(super) type Extents = (Vec<u64>, Vec<Option<u64>>);

/// The extents that it has, and those that it may grow to; `None` for one without any
/// elements.
pub(super) fn extents(body: &mut Bytes<'_>) -> Result<Option<Extents>, Fault> {
    const MOST_RANK: usize = 32;
    const NULL: u8 = 2;
    let version = body.version("dataspace", 1..=2)?;
    let rank = usize::from(body.u8()?);
    let flags = body.u8()?;
    let class = body.u8()?;
    if version == 1 {
        body.take(4)?;
    } else if class == NULL {
        return Ok(None);
    }
    if rank > MOST_RANK {
        return Err(Fault::damaged());
    }
    let mut extents = Vec::with_capacity(rank);
    for _ in 0..rank {
        extents.push(body.length()?);
    }
    let mut most: Vec<Option<u64>> = extents.iter().copied().map(Some).collect();
    if flags & 1 > 0 {
        for most in &mut most {
            let extent = body.length()?;
            let none = u64::MAX >> (64 - 8 * body.sizes().length);
            *most = (extent != none).then_some(extent);
        }
    }
    Ok(Some((extents, most)))
}
