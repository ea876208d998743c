//! Damaged files, which must be refused or read, whatever is wrong with them.

use super::*;

/// Small good files, with a key where one is needed.
const GOOD: [(&str, Option<&str>); 65] = [
    ("bits-1-tiles.tif", Some("2")),
    ("bits-4-planes.tif", Some("3")),
    ("mask-tiles.tif", Some("2")),
    ("mask-pages.tif", Some("3")),
    ("stack.tif", Some("3")),
    ("lzw-predictor.tif", None),
    ("tiles-u1-deflate.tif", None),
    ("deflate-float-predictor.tif", None),
    ("packbits.tif", None),
    ("strips-u1.tif", None),
    ("bigtiff.tif", None),
    ("zstd.tif", None),
    ("geo.tif", None),
    ("rgb.tif", Some("2")),
    ("pages.tif", Some("3")),
    ("rgb-4.tif", Some("4")),
    ("rgb-4-lzw.tif", Some("4")),
    ("rgba-deflate.tif", Some("4")),
    ("rgb-6-float.tif", Some("5")),
    ("rgb-5-planar-tiles.tif", Some("5")),
    ("rgb-4-big.tif", Some("4")),
    ("colours-and-grey.tif", Some("5")),
    ("white-is-zero-lzw.tif", None),
    ("nodata-nan.tif", None),
    ("bits-4.png", None),
    ("rgb16.png", Some("2")),
    ("interlaced.png", None),
    ("decimals-int.parquet", Some("d9")),
    ("kinds.parquet", Some("s.p")),
    ("one-v2.parquet", None),
    ("snappy.parquet", Some("i32")),
    ("nulls.parquet", Some("x")),
    ("nulls-v2.parquet", Some("u8")),
    ("attributes.parquet", Some("fill")),
    ("brotli.parquet", Some("f64")),
    ("gzip.parquet", Some("f64")),
    ("kinds.feather", Some("dictionary")),
    ("kinds.feather", Some("s.q.r")),
    ("lz4.feather", Some("i32")),
    ("zstd.feather", Some("f64")),
    ("nulls.feather", Some("t")),
    ("twice.arrow", Some("1")),
    ("nulls.arrow", Some("mask")),
    ("delta.arrow", None),
    ("beside-lz4.arrow", Some("s.x")),
    ("beside-plain.arrow", Some("x")),
    ("plain.arrows", Some("f64")),
    ("zstd.arrows", Some("gaps")),
    ("replaced.arrows", None),
    ("new-types.safetensors", Some("x")),
    ("one.safetensors", None),
    ("attributes.safetensors", Some("a")),
    ("one.npz", None),
    ("deflated.npz", Some("columns")),
    ("stored.npz", Some("big")),
    ("userblock.h5", None),
    ("groups-new.h5", Some("a/b c/d/x")),
    ("indices-more.h5", Some("long")),
    ("paged.h5", Some("paged")),
    ("little.h5", Some("f8")),
    ("groups.nc", Some("model/run 1/depth")),
    ("xarray.nc", Some("t2m")),
    ("records.nc", Some("odd")),
    ("xarray-3.zarr.zip", Some("t2m")),
    ("xarray-2.zarr.zip", Some("raw")),
];

/// The files whose formats this build reads.
fn good() -> Vec<(&'static str, Option<&'static str>)> {
    let formats = [
        (cfg!(feature = "tiff"), &[".tif"][..]),
        (cfg!(feature = "png"), &[".png"]),
        (cfg!(feature = "hdf5"), &[".h5", ".nc"]),
        (cfg!(feature = "zarr"), &[".zarr.zip"]),
        (cfg!(feature = "parquet"), &[".parquet", ".feather", ".arrow", ".arrows"]),
    ];
    let is_read = |name: &str| {
        formats.iter().all(|(is_read, names)| *is_read || !names.iter().any(|end| name.ends_with(end)))
    };
    let good: Vec<_> = GOOD.into_iter().filter(|(name, _)| is_read(name)).collect();
    assert!(good.len() >= 6, "{good:?}");
    good
}

/// Reads a damaged file, if it can be read, to the end, and says whether it is
/// refused. Whatever the file holds, this must return.
fn is_refused(path: &Path, bytes: &[u8], key: Option<&str>) -> bool {
    // Some file systems wait for the disk when a file is written over.
    let _ = fs::remove_file(path);
    fs::write(path, bytes).unwrap();
    let reading = Reading { memory_bytes: 1 << 20, ..Reading::default() };
    match reading.open(&Source { path: path.to_owned(), key: key.map(str::to_owned) }) {
        // A damaged shape may promise more than a test should read.
        Ok(matrix) if matrix.len() < 1 << 20 => {
            let nulls = (0..matrix.len()).filter(|&k| matrix.metadata().is_null(k)).count();
            assert_eq!(nulls > 0, matrix.metadata().has_nulls());
            drop(values(&matrix));
            // Some sums are of what is read, and known at its end.
            matrix.check_intact().is_err()
        }
        Ok(_) => false,
        Err(error) => {
            let text = error.to_string();
            assert!(!text.contains('\n') && text.contains("damaged"), "{text}");
            true
        }
    }
}

#[test]
fn damaged_files_are_refused_or_read() {
    let directory = tempfile::tempdir().unwrap();
    for (name, key) in good() {
        let good = fs::read(data().join(name)).unwrap();
        let path = directory.path().join(format!("damaged-{name}"));
        let (mut prefixes, mut short, mut changes, mut changed) = (0, 0, 0, 0);
        // Every prefix of the first and the last bytes, where headers and
        // directories are, and some in between.
        let near_an_end = |at: usize| at < 300 || at + 300 > good.len();
        for at in (0..good.len()).filter(|&at| near_an_end(at) || at % 61 == 0) {
            prefixes += 1;
            short += usize::from(is_refused(&path, &good[..at], key));
            for change in [0x01, 0xff] {
                let mut bytes = good.clone();
                bytes[at] ^= change;
                changes += 1;
                changed += usize::from(is_refused(&path, &bytes, key));
            }
        }
        assert!(prefixes + changes > 500, "{name}: {prefixes} prefixes, {changes} changes");
        // A part of a file is no file, unless all that it lacks is an end that
        // nobody reads. A changed byte may be one of the data, but a file has
        // others: of `mask-pages.tif`, with the most data, 6 % are refused.
        assert!(20 * short >= 19 * prefixes, "{name}: {short} of {prefixes} prefixes are refused");
        assert!(20 * changed >= changes, "{name}: {changed} of {changes} changes are refused");
        assert!(
            Reading::default()
                .open(&source(&format!("{name}{}", key.map(|key| format!(":{key}")).unwrap_or_default())))
                .is_ok()
        );
    }
}

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        // Knuth's MMIX.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// Nothing but an error or numbers, in a time that is bounded.
#[test]
fn files_with_random_changes_are_refused_or_read() {
    const CHANGED: usize = 300;
    let directory = tempfile::tempdir().unwrap();
    let mut random = Random(11);
    for (name, key) in good() {
        let good = fs::read(data().join(name)).unwrap();
        let whole = open_bytes(&directory, name, &good, key).unwrap();
        let mut refused = 0;
        for _ in 0..CHANGED {
            let mut bytes = good.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(bytes.len());
                match random.below(4) {
                    0 => bytes[at] ^= 1 << random.below(8),
                    1 => bytes[at] = random.below(256) as u8,
                    2 => bytes[at..].iter_mut().take(4).for_each(|byte| *byte = 0xff),
                    _ => bytes.truncate(at.max(1)),
                }
            }
            let begun = Instant::now();
            match open_bytes(&directory, name, &bytes, key) {
                Ok(values) if name.contains(".npz") => assert_eq!(values, whole, "{name}"),
                Ok(_) => {}
                Err(_) => refused += 1,
            }
            assert!(begun.elapsed() < Duration::from_secs(5), "{name}: {:?}", begun.elapsed());
        }
        assert!(refused > CHANGED / 20, "{name}: {refused}");
    }
}
