//! Written `.npy` files.

use super::*;

/// Writes the numbers 0, 1, … of a type, two elements at a time.
fn write_npy(path: &Path, dtype: Dtype, shape: &[u64], order: Order) -> Vec<u8> {
    let elements = shape.iter().product::<u64>() as u32;
    let bytes: Vec<u8> = (0..elements).flat_map(|k| dtype.encode(dtype.number(k), Endian::NATIVE)).collect();
    let mut writer = npy_file::create(path, &Shape(shape.to_vec()), dtype.element, order).unwrap();
    for chunk in bytes.chunks(2 * dtype.size) {
        with_element!(dtype.element, E => {
            let values: Vec<E> = bytemuck::pod_collect_to_vec(chunk);
            writer.write(&values).unwrap();
        });
    }
    writer.finish().unwrap();
    bytes
}

#[test]
fn npy_writer_against_an_independent_parser() {
    let directory = directory();
    let path = directory.path().join("y.npy");
    // Also an empty array, and extents of many digits.
    let shapes = SHAPES.into_iter().chain([&[0][..], &[3, 0], &[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]]);
    for (dtype, shape) in shapes.flat_map(|shape| DTYPES.map(|dtype| (dtype, shape))) {
        for order in ORDERS {
            let data = write_npy(&path, dtype, shape, order);
            let descr = dtype.descr(Endian::NATIVE);
            let expected =
                Parsed { descr, fortran: order == Order::Fortran, shape: shape.to_vec(), data: data.clone() };
            assert_eq!(parse_npy(&fs::read(&path).unwrap()), expected);
            if data.is_empty() {
                continue;
            }
            let matrix = open(&source(&path, None)).unwrap();
            let mut stored = vec![f64::NAN; matrix.len()];
            matrix.read(order, 0, &mut stored);
            let numbers: Vec<f64> = (0..matrix.len() as u32).map(|k| dtype.as_f64(dtype.number(k))).collect();
            assert_eq!(stored, numbers, "{} {shape:?} {order:?}", dtype.element);
        }
    }
    assert_eq!(names(directory.path()), ["y.npy"]);
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn an_unfinished_npy_leaves_nothing() {
    let directory = directory();
    let path = directory.path().join("y.npy");
    let shape = Shape(vec![1000, 1000]);
    let start = || {
        let mut writer = npy_file::create(&path, &shape, linfit::array::ElementType::F64, Order::C).unwrap();
        writer.write(&vec![1.0f64; 999_999]).unwrap();
        writer
    };

    drop(start());
    assert_eq!(names(directory.path()), Vec::<String>::new());
    let error = start().finish().unwrap_err();
    assert_message("one element short", &error, "y.npy", &["8 bytes", "missing"]);
    assert_eq!(names(directory.path()), Vec::<String>::new());

    fs::write(&path, "what was there").unwrap();
    drop(start());
    start().finish().unwrap_err();
    let mut writer = start();
    let error = writer.write(&[1.0f64, 2.0]).unwrap_err();
    assert_message("one element too many", &writer.failed(error), "y.npy", &["more elements than the shape"]);
    drop(writer);
    assert_eq!(names(directory.path()), ["y.npy"]);
    assert_eq!(fs::read(&path).unwrap(), b"what was there");

    let mut writer = start();
    writer.write(&[2.0f64]).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"what was there");
    writer.finish().unwrap();
    assert_eq!(names(directory.path()), ["y.npy"]);
    assert_eq!(parse_npy(&fs::read(&path).unwrap()).data.len(), 8_000_000);
}

#[test]
fn places_where_no_npy_can_be_written() {
    let directory = directory();
    fs::create_dir(directory.path().join("folder.npy")).unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    let before = names(directory.path());
    let huge = 1 << 40;
    let cases: &[(&str, &[u64], &str)] = &[
        ("y.csv", &[2], ".npy"),
        ("y", &[2], ".npy"),
        ("folder.npy", &[2], "directory"),
        ("absent/y.npy", &[2], "cannot be written"),
        ("file/y.npy", &[2], "cannot be written"),
        ("y.npy", &[huge, huge], "larger than any memory"),
        ("y.npy", &[huge, 1 << 23], "larger than any memory"),
    ];
    assert!(!cases.is_empty());
    for (name, shape, word) in cases {
        let element = linfit::array::ElementType::F64;
        let path = directory.path().join(name);
        let error = npy_file::create(&path, &Shape(shape.to_vec()), element, Order::C).err();
        assert_message(name, &error.unwrap_or_else(|| panic!("{name} was created")), name, &[word]);
        assert_eq!(names(directory.path()), before, "{name}");
    }
}

#[cfg(unix)]
#[test]
fn a_device_is_written_to_and_not_replaced() {
    use std::os::unix::fs::FileTypeExt;
    let directory = directory();
    let path = directory.path().join("null.npy");
    std::os::unix::fs::symlink("/dev/null", &path).unwrap();
    write_npy(&path, DTYPES[1], &[3], Order::C);
    assert!(fs::metadata(&path).unwrap().file_type().is_char_device());
    assert_eq!(names(directory.path()), ["null.npy"]);
}
