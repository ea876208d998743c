//! Files at random.

use super::*;

fn any_npy() -> impl Strategy<Value = (Dtype, Endian, Npy, Vec<u64>, Order)> {
    let shape = prop::collection::vec(1..=4u64, 0..=5);
    let layout = (0..DTYPES.len(), any::<bool>(), any::<bool>(), 1..=3u8, 1..=64usize);
    (shape, layout).prop_flat_map(|(shape, (dtype, big, fortran, version, align))| {
        let dtype = DTYPES[dtype];
        let elements = shape.iter().product::<u64>() as usize;
        prop::collection::vec(any::<u8>(), elements * dtype.size).prop_map(move |data| {
            let endian = if big { Endian::Big } else { Endian::Little };
            let order = if fortran { Order::Fortran } else { Order::C };
            let header = header(&dtype.descr(endian), order, &shape);
            let npy = Npy { version, align, data, ..Npy::with_header(&header) };
            (dtype, endian, npy, shape.clone(), order)
        })
    })
}

/// Texts that might stand in a header.
fn header_soup() -> impl Strategy<Value = String> {
    let words = [
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        "'",
        "\"",
        ",",
        ":",
        " ",
        "\\",
        "-",
        "+",
        ".",
        "\n",
        "é",
        "\0",
        "0",
        "1",
        "7",
        "99999999999",
        "L",
        "0x1",
        "1e9",
        "'shape'",
        "'descr'",
        "'fortran_order'",
        "shape",
        "True",
        "False",
        "None",
        "'<f8'",
        "<f8",
        "(2,)",
        "(2, 3)",
        "'shape': (2,), ",
        "'descr': '<f8', ",
        "'fortran_order': False, ",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..40).prop_map(|words| words.concat())
}

/// Numbers to be compared bit by bit, all NaNs as one.
fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }).collect()
}

fn refused_or_read(bytes: &[u8]) -> Result<(), TestCaseError> {
    let directory = directory();
    match open_bytes(&directory.path().join("x.npy"), bytes, None) {
        Ok(matrix) => prop_assert_eq!(values(&matrix).len(), matrix.len()),
        Err(error) => assert_message("random bytes", &error, "x.npy", &[": "]),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_npy_reads_back((dtype, endian, npy, shape, order) in any_npy()) {
        let directory = directory();
        let matrix = open_bytes(&directory.path().join("x.npy"), &npy.bytes(), None).unwrap();
        let stored = npy.data.chunks(dtype.size).map(|bytes| dtype.decode(bytes, endian));
        let mut expected: Vec<f64> = stored.map(|number| dtype.as_f64(number)).collect();
        let mut found = vec![0.5; expected.len()];
        matrix.read(order, 0, &mut found);
        prop_assert_eq!(bits(&found), bits(&expected));

        // And in the other order.
        let columns = column_major(&shape);
        let stored = expected.clone();
        for (place, &k) in columns.iter().enumerate() {
            match order {
                Order::C => expected[place] = stored[k],
                Order::Fortran => expected[k] = stored[place],
            }
        }
        let other = if order == Order::C { Order::Fortran } else { Order::C };
        matrix.read(other, 0, &mut found);
        prop_assert_eq!(bits(&found), bits(&expected));
        let wrong = found.iter().filter(|value| !value.is_finite()).count() as u64;
        match matrix.check_finite() {
            Ok(()) => prop_assert_eq!(wrong, 0),
            Err(DataError::NotFinite { count, n, .. }) => {
                prop_assert_eq!((count, n), (wrong, found.len() as u64));
            }
            Err(error) => prop_assert!(false, "{}", error),
        }
    }

    #[test]
    fn bytes_after_the_signature_never_panic(rest in prop::collection::vec(any::<u8>(), 0..300)) {
        refused_or_read(&[&b"\x93NUMPY"[..], &rest].concat())?;
    }

    #[test]
    fn bytes_in_the_header_never_panic(version in 1..=3u8, text in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = Npy { version, ..Npy::with_header(&" ".repeat(text.len())) }.bytes();
        let start = if version == 1 { 10 } else { 12 };
        bytes[start..start + text.len()].copy_from_slice(&text);
        refused_or_read(&bytes)?;
    }

    #[test]
    fn words_in_the_header_never_panic(soup in header_soup(), braces in any::<bool>()) {
        let header = if braces { format!("{{{soup}}}") } else { soup };
        refused_or_read(&Npy { data: vec![0; 48], ..Npy::with_header(&header) }.bytes())?;
    }

    #[test]
    fn any_text_is_read_or_refused(
        text in "[0-9a,\"#\n\r .e+-]{0,60}",
        key in prop::sample::select(vec![None, Some("0"), Some("a"), Some("1")]),
    ) {
        let directory = directory();
        match open_bytes(&directory.path().join("f.csv"), text.as_bytes(), key) {
            Ok(matrix) => prop_assert_eq!(values(&matrix).len(), matrix.len()),
            Err(error) => assert_message(&text, &error, "f.csv", &[": "]),
        }
    }
}
