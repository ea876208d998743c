use std::io::{self, BufRead, Read};

use super::bytes::{fault, must, next};
use super::unpacked::Unpacked;

/// LZ4's block format: literals and a copy, again and again; the last copy is
/// missing.
pub(super) fn lz4(packed: &mut impl BufRead, out: &mut Unpacked) -> io::Result<()> {
    while let Some(token) = next(packed)? {
        let literals = lz4_length(packed, token >> 4)?;
        out.take(packed, literals)?;
        let Some(low) = next(packed)? else { return Ok(()) };
        let back = u16::from_le_bytes([low, must(next(packed)?)?]);
        let count = lz4_length(packed, token & 15)? + 4;
        out.copy(back.into(), usize::try_from(count).unwrap_or(usize::MAX))?;
    }
    Ok(())
}

fn lz4_length(packed: &mut impl BufRead, short: u8) -> io::Result<u64> {
    let mut length = u64::from(short);
    let mut more = short == 15;
    while more {
        let byte = must(next(packed)?)?;
        length += u64::from(byte);
        more = byte == u8::MAX;
    }
    Ok(length)
}

/// LZ4 as Hadoop frames it: blocks after their two lengths. Files of that name
/// by early writers have LZ4's own frames, or a block without any.
pub(super) fn lz4_of_hadoop(mut packed: impl BufRead, out: &mut Unpacked) -> io::Result<()> {
    const FRAME: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
    let mut head = [0; 8];
    let mut read = 0;
    while let count @ 1.. = packed.read(&mut head[read..])? {
        read += count;
    }
    let begins = head;
    let mut rest = (&begins[..read]).chain(&mut packed);
    if begins.starts_with(&FRAME) {
        return out.append(&mut lz4_flex::frame::FrameDecoder::new(rest));
    }
    let [a, b, c, d, e, f, g, h] = begins;
    let (bytes, packed_bytes) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
    // A block that begins with zeros would have no literals and a copy of
    // nothing.
    if read < 8 || u64::from(bytes) > out.left() || a >= 0x80 || packed_bytes == 0 {
        return lz4(&mut rest, out);
    }
    loop {
        let Some(first) = next(&mut rest)? else { return Ok(()) };
        let mut lengths = [first, 0, 0, 0, 0, 0, 0, 0];
        rest.read_exact(&mut lengths[1..])?;
        let [a, b, c, d, e, f, g, h] = lengths;
        let left = out.left().checked_sub(u32::from_be_bytes([a, b, c, d]).into());
        lz4(&mut (&mut rest).take(u32::from_be_bytes([e, f, g, h]).into()), out)?;
        if left != Some(out.left()) {
            return Err(fault("a block has another length than it claims"));
        }
    }
}
