//! BloscLZ, Blosc's own compression: FastLZ's second level, in which runs of bytes and
//! copies of what came before follow one another (c-blosc, blosclz.c).

/// The distance of copies that is not counted where two more bytes give it.
const NEAR: usize = 8191;

/// Decodes all of `to`; `None` if there are fewer bytes, or more.
pub(super) fn decode(mut from: &[u8], to: &mut [u8]) -> Option<()> {
    let mut filled = 0;
    // The first run is of bytes as they are.
    let mut control = next(&mut from)? & 31;
    loop {
        if control < 32 {
            let (bytes, rest) = from.split_at_checked(control + 1)?;
            to.get_mut(filled..filled + bytes.len())?.copy_from_slice(bytes);
            filled += bytes.len();
            from = rest;
        } else {
            let mut count = (control >> 5) - 1;
            let mut back = (control & 31) << 8;
            if count == 6 {
                loop {
                    let more = next(&mut from)?;
                    count += more;
                    if more < 255 {
                        break;
                    }
                }
            }
            let low = next(&mut from)?;
            if low == 255 && back == 31 << 8 {
                back = (next(&mut from)? << 8) + next(&mut from)? + NEAR;
            } else {
                back += low;
            }
            let end = filled + count + 3;
            filled.checked_sub(back + 1)?;
            if end > to.len() {
                return None;
            }
            // A copy may reach into itself.
            for k in filled..end {
                to[k] = to[k - back - 1];
            }
            filled = end;
        }
        match next(&mut from) {
            Some(next) => control = next,
            None => return (filled == to.len()).then_some(()),
        }
    }
}

fn next(from: &mut &[u8]) -> Option<usize> {
    let (&first, rest) = from.split_first()?;
    *from = rest;
    Some(first.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_and_copies_are_decoded() {
        let mut to = [0; 9];
        // `ab`, 6 bytes from 2 before on, `c`.
        assert_eq!(decode(&[1, b'a', b'b', 4 << 5, 1, 0, b'c'], &mut to), Some(()));
        assert_eq!(&to, b"abababab\x63");
        // 6 + 255 + 1 + 3 copies of a byte.
        let mut to = [0; 267];
        assert_eq!(decode(&[0, b'z', 7 << 5, 255, 1, 0, 0, b'y'], &mut to), Some(()));
        assert!(to[..266].iter().all(|&byte| byte == b'z') && to[266] == b'y');
    }

    #[test]
    fn damage_is_found() {
        let mut to = [0; 4];
        for from in [
            &[1, b'a'][..],
            &[0, b'a', 1 << 5, 9],
            &[0, b'a', 7 << 5],
            &[0, b'a', 6 << 5, 0],
            &[0, b'a'],
            &[],
        ] {
            assert_eq!(decode(from, &mut to), None, "{from:?}");
        }
    }
}
