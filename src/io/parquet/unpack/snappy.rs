use std::io::{self, BufRead};

use super::bytes::{fault, little_endian, must, next};
use super::unpacked::Unpacked;

/// Snappy's raw format: the length, then literals and copies.
pub(super) fn snappy(packed: &mut impl BufRead, out: &mut Unpacked) -> io::Result<()> {
    let mut length = 0;
    for k in 0..5 {
        let byte = must(next(packed)?)?;
        length |= u64::from(byte & 0x7f) << (7 * k);
        if byte & 0x80 == 0 {
            break;
        }
    }
    if length != out.left() {
        return Err(fault("it claims another length than its page"));
    }
    while let Some(tag) = next(packed)? {
        let high = usize::from(tag >> 2);
        match tag & 3 {
            0 if high < 60 => out.take(packed, high as u64 + 1)?,
            0 => {
                let count = little_endian(packed, high - 59)?;
                out.take(packed, u64::from(count) + 1)?;
            }
            1 => {
                let back = usize::from(tag >> 5) << 8 | usize::from(must(next(packed)?)?);
                out.copy(back, (high & 7) + 4)?;
            }
            wide => {
                let back = little_endian(packed, if wide == 2 { 2 } else { 4 })?;
                out.copy(usize::try_from(back).unwrap_or(usize::MAX), high + 1)?;
            }
        }
    }
    Ok(())
}
