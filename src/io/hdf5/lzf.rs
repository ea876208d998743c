//! LZF as Marc Lehmann's liblzf and h5py write it: runs of bytes as they are, and
//! copies of what came before.

/// Decodes all of `to`; `None` if there are fewer bytes, or more.
pub(super) fn decode(mut from: &[u8], to: &mut [u8]) -> Option<()> {
    let mut filled = 0;
    while let Some((&head, rest)) = from.split_first() {
        from = rest;
        let head = usize::from(head);
        if head < 32 {
            let (bytes, rest) = from.split_at_checked(head + 1)?;
            to.get_mut(filled..filled + bytes.len())?.copy_from_slice(bytes);
            filled += bytes.len();
            from = rest;
            continue;
        }
        let mut count = head >> 5;
        if count == 7 {
            let (&more, rest) = from.split_first()?;
            count += usize::from(more);
            from = rest;
        }
        let (&low, rest) = from.split_first()?;
        from = rest;
        let back = ((head & 0x1f) << 8 | usize::from(low)) + 1;
        filled.checked_sub(back)?;
        let end = filled + count + 2;
        if end > to.len() {
            return None;
        }
        // A copy may reach into itself.
        for k in filled..end {
            to[k] = to[k - back];
        }
        filled = end;
    }
    (filled == to.len()).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_and_copies_are_decoded() {
        let mut to = [0; 8];
        // `ab`, then 6 bytes from 2 before on.
        assert_eq!(decode(&[1, b'a', b'b', 4 << 5, 1], &mut to), Some(()));
        assert_eq!(&to, b"abababab");
        // 7 + 2 + 2 bytes, of a length that has a byte of its own.
        let mut to = [0; 12];
        assert_eq!(decode(&[0, b'z', 7 << 5, 2, 0], &mut to), Some(()));
        assert_eq!(&to, b"zzzzzzzzzzzz");
    }

    #[test]
    fn damage_is_found() {
        let mut to = [0; 4];
        for from in [&[1, b'a'][..], &[1 << 5, 0], &[0, b'a', 7 << 5], &[0, b'a', 6 << 5, 0], &[0, b'a'], &[]]
        {
            assert_eq!(decode(from, &mut to), None, "{from:?}");
        }
    }
}
