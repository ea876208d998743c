//! Pages that are decompressed as a stream, to memory or, where they are too
//! large for it, to a temporary file. Each gets exactly as many bytes as it
//! claims.

mod bytes;
mod lz4;
mod snappy;
mod unpacked;

use std::io::{self, BufRead};

use ::parquet::basic::Compression;

use bytes::fault;
use lz4::{lz4, lz4_of_hadoop};
use snappy::snappy;
pub(super) use unpacked::Unpacked;

/// Bytes of a Brotli page that are looked at at a time.
const BROTLI_BYTES: usize = 1 << 12;

/// The least and the greatest bound of the window of a Zstandard page, as a power
/// of two: the window of its levels up to 19, and the bound of the format's decoders.
const ZSTD_WINDOW: std::ops::RangeInclusive<u32> = 23..=27;

/// Decompresses all of `packed`, which was compressed by `compression` and of
/// which no decoder may take much more memory than that.
pub(super) fn unpack(
    compression: Compression,
    mut packed: impl BufRead,
    memory_bytes: u64,
    out: &mut Unpacked,
) -> io::Result<()> {
    match compression {
        Compression::UNCOMPRESSED => out.append(&mut packed),
        Compression::GZIP(_) => out.append(&mut flate2::bufread::MultiGzDecoder::new(packed)),
        Compression::BROTLI(_) => out.append(&mut brotli::Decompressor::new(packed, BROTLI_BYTES)),
        Compression::ZSTD(_) => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(packed)?;
            // The window of a page in memory may be all of it.
            let bytes = if out.file.is_some() { memory_bytes } else { memory_bytes.next_power_of_two() };
            decoder.window_log_max(zstd_window(bytes))?;
            out.append(&mut decoder)
        }
        Compression::SNAPPY => snappy(&mut packed, out),
        Compression::LZ4_RAW => lz4(&mut packed, out),
        Compression::LZ4 => lz4_of_hadoop(packed, out),
        Compression::LZO => Err(fault("it is compressed by LZO")),
    }
}

fn zstd_window(memory_bytes: u64) -> u32 {
    memory_bytes.max(1).ilog2().clamp(*ZSTD_WINDOW.start(), *ZSTD_WINDOW.end())
}

/// The memory that a page takes to be decompressed to a file, if that is more than
/// `memory_bytes`, and no more than any decoder would take.
pub(super) fn beyond_memory(compression: Compression, packed: &[u8], memory_bytes: u64) -> Option<u64> {
    let window = zstd_window_bytes(packed).filter(|_| matches!(compression, Compression::ZSTD(_)))?;
    let bytes = window.checked_next_power_of_two()?;
    (bytes.ilog2() > zstd_window(memory_bytes) && bytes.ilog2() <= *ZSTD_WINDOW.end()).then_some(bytes)
}

/// The bytes that a Zstandard frame's decoder must keep, as the frame's header says
/// (RFC 8878, 3.1.1.1).
fn zstd_window_bytes(frame: &[u8]) -> Option<u64> {
    let [descriptor, rest @ ..] = frame.strip_prefix(&[0x28, 0xb5, 0x2f, 0xfd])? else { return None };
    let is_single_segment = descriptor & 0x20 != 0;
    if !is_single_segment {
        let window = *rest.first()?;
        let base = 1u64 << (10 + (window >> 3));
        return Some(base + base / 8 * u64::from(window & 7));
    }
    // All of its content, whose size follows a dictionary's number.
    let size = rest.get([0, 1, 2, 4][usize::from(descriptor & 3)]..)?;
    let mut bytes = [0; 8];
    let count = 1 << (descriptor >> 6);
    bytes[..count].copy_from_slice(size.get(..count)?);
    Some(u64::from_le_bytes(bytes) + if count == 2 { 256 } else { 0 })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use ::parquet::basic::{BrotliLevel, GzipLevel, ZstdLevel};

    use super::*;

    fn bytes() -> Vec<u8> {
        (0..3_000_000u64).map(|k| (k * k / 128).to_le_bytes()[0]).collect()
    }

    fn packed(compression: Compression, bytes: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        match compression {
            Compression::GZIP(_) => {
                let mut gzip = flate2::write::GzEncoder::new(&mut packed, flate2::Compression::fast());
                gzip.write_all(bytes).unwrap();
                gzip.finish().unwrap();
            }
            Compression::BROTLI(_) => {
                brotli::CompressorWriter::new(&mut packed, 4096, 1, 22).write_all(bytes).unwrap();
            }
            Compression::ZSTD(_) => packed = zstd::bulk::compress(bytes, 1).unwrap(),
            Compression::LZ4_RAW => packed = lz4_flex::block::compress(bytes),
            Compression::LZ4 => {
                for bytes in bytes.chunks(1 << 20) {
                    let block = lz4_flex::block::compress(bytes);
                    packed.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
                    packed.extend(u32::try_from(block.len()).unwrap().to_be_bytes());
                    packed.extend(block);
                }
            }
            _ => packed.extend(bytes),
        }
        packed
    }

    fn all() -> [Compression; 6] {
        [
            Compression::UNCOMPRESSED,
            Compression::GZIP(GzipLevel::default()),
            Compression::BROTLI(BrotliLevel::default()),
            Compression::ZSTD(ZstdLevel::default()),
            Compression::LZ4_RAW,
            Compression::LZ4,
        ]
    }

    fn unpacked(compression: Compression, packed: &[u8], mut out: Unpacked) -> io::Result<Vec<u8>> {
        unpack(compression, packed, 1 << 20, &mut out)?;
        written(out)
    }

    fn written(mut out: Unpacked) -> io::Result<Vec<u8>> {
        out.end()?;
        let (mut bytes, file) = out.into_parts();
        if let Some(mut file) = file {
            use std::io::{Seek, SeekFrom};
            file.seek(SeekFrom::Start(0))?;
            bytes.clear();
            file.read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    }

    fn in_file(bytes: u64) -> Unpacked {
        Unpacked::in_file(bytes, tempfile::tempfile().unwrap())
    }

    #[test]
    fn a_page_has_as_many_bytes_as_it_claims() {
        let bytes = bytes();
        for compression in all() {
            let page = packed(compression, &bytes);
            let length = bytes.len() as u64;
            assert!(unpacked(compression, &page, in_file(length)).unwrap() == bytes, "{compression}");
            let in_memory = Unpacked::in_memory(length).unwrap();
            assert!(unpacked(compression, &page, in_memory).unwrap() == bytes, "{compression}");
            for claimed in [1, length - 1, length + 1, 1 << 30] {
                assert!(unpacked(compression, &page, in_file(claimed)).is_err(), "{compression} {claimed}");
            }
            assert!(unpacked(compression, &page[..page.len() / 2], in_file(length)).is_err());
        }
    }

    /// Small pages of many bytes, of which no more are made than are claimed.
    #[test]
    fn a_page_expands_no_further_than_it_claims() {
        for compression in all() {
            let page = packed(compression, &vec![0; 1 << 26]);
            let mut out = in_file(1000);
            let error = unpack(compression, &*page, 1 << 20, &mut out).unwrap_err();
            assert!(out.left() <= 1000 && out.recent.len() <= 1000, "{compression}: {error}");
        }
    }

    /// A copy takes no more memory than its window, however long it is; and its
    /// bytes are those of the format, however short its distance.
    #[test]
    fn a_long_copy_is_written_out_as_it_grows() {
        let mut out = in_file(1 << 28);
        out.take(&mut &[0u8][..], 1).unwrap();
        out.copy(1, (1 << 28) - 1).unwrap();
        assert!(out.recent.capacity() < 4 << 20, "{} bytes", out.recent.capacity());
        out.end().unwrap();
        assert_eq!(out.into_parts().1.unwrap().metadata().unwrap().len(), 1 << 28);

        let bytes = bytes();
        for back in [1, 2, 3, 5, 1000, 32_768, 32_769, 65_535] {
            let (start, count) = (&bytes[..70_000], 2_500_000);
            let mut want = start.to_vec();
            (0..count).for_each(|_| want.push(want[want.len() - back]));
            let mut out = in_file(want.len() as u64);
            out.take(&mut &*start, start.len() as u64).unwrap();
            out.copy(back, count).unwrap();
            assert!(out.recent.capacity() < 4 << 20, "{back}");
            assert!(written(out).unwrap() == want, "{back}");
        }
    }

    /// A header tells the window that the decoder will need.
    #[test]
    fn a_window_is_as_large_as_its_header_says() {
        let zstd = Compression::ZSTD(ZstdLevel::default());
        let bytes = bytes();
        for (window, contents) in [(20, false), (22, false), (25, false), (27, false), (27, true)] {
            let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
            encoder.window_log(window).unwrap();
            encoder.include_contentsize(contents).unwrap();
            encoder.set_pledged_src_size(contents.then_some(bytes.len() as u64)).unwrap();
            encoder.write_all(&bytes).unwrap();
            let page = encoder.finish().unwrap();
            let want = if contents { bytes.len() as u64 } else { 1 << window };
            assert_eq!(zstd_window_bytes(&page), Some(want));
            for memory_bytes in [1 << 20, 1 << 24, 1 << 25, 1 << 30] {
                let beyond = beyond_memory(zstd, &page, memory_bytes);
                let mut out = in_file(bytes.len() as u64);
                assert_eq!(unpack(zstd, &*page, memory_bytes, &mut out).is_err(), beyond.is_some());
                assert!(beyond.is_none_or(|bytes| bytes == 1 << window));
            }
        }
        for content in [1, 200, 300, 70_000] {
            let page = zstd::bulk::compress(&bytes[..content], 1).unwrap();
            assert_eq!(zstd_window_bytes(&page), Some(content as u64));
        }
        assert_eq!(zstd_window_bytes(&packed(zstd, &bytes)[..5]), None);
        assert_eq!(zstd_window_bytes(b"PAR1"), None);
    }

    /// Literals of every length of length, and copies of every kind.
    #[test]
    fn snappy_is_read_as_its_format_says() {
        let literal = |bytes: &[u8]| {
            let count = u32::try_from(bytes.len() - 1).unwrap().to_le_bytes();
            let wide = if bytes.len() <= 60 { 0 } else { 1 + usize::from(bytes.len() > 256) };
            let tag = if wide == 0 { count[0] << 2 } else { (59 + u8::try_from(wide).unwrap()) << 2 };
            [&[tag], &count[..wide], bytes].concat()
        };
        let bytes = &bytes()[..1000];
        let mut want = [&bytes[..50], &bytes[..200], bytes].concat();
        let mut body = [literal(&bytes[..50]), literal(&bytes[..200]), literal(bytes)].concat();
        // (distance, count): 1, 2 and 4 bytes of distance, and a copy of itself.
        for (back, count, tag) in [
            (300usize, 11usize, vec![0b001 << 5 | 7 << 2 | 1, 44]),
            (1200, 64, vec![63 << 2 | 2, 0xb0, 0x04]),
            (1100, 1, vec![3, 0x4c, 0x04, 0, 0]),
            (3, 60, vec![59 << 2 | 2, 3, 0]),
        ] {
            (0..count).for_each(|_| want.push(want[want.len() - back]));
            body.extend(tag);
        }
        let length = want.len();
        let page =
            [&[u8::try_from(length % 128).unwrap() | 0x80, u8::try_from(length / 128).unwrap()][..], &body]
                .concat();
        let unpacked = |page: &[u8]| unpacked(Compression::SNAPPY, page, in_file(length as u64));
        assert_eq!(unpacked(&page).unwrap(), want);
        assert!(unpacked(&page[..page.len() - 1]).is_err());
        assert!(unpacked(&[&page[..], &[0, 7]].concat()).is_err(), "a byte more");
        let before_all = [&page[..2], &[0, 7, 2 << 2 | 2, 2, 0]].concat();
        assert!(unpacked(&before_all).is_err());
    }
}
