//! Good text files.

use super::*;

#[test]
fn columns_of_text_files() {
    type Case<'a> = (&'a str, &'a str, &'a [u8], Option<&'a str>, &'a [f64]);
    let plain = "a,b\n1,10\n2,20\n3,30\n";
    let mixed = "setosa,1,5.1\nvirginica,2,6.2\n";
    let cases: &[Case] = &[
        ("by name", "f.csv", plain.as_bytes(), Some("b"), &[10.0, 20.0, 30.0]),
        ("by number, with a header", "f.csv", plain.as_bytes(), Some("1"), &[10.0, 20.0, 30.0]),
        ("by number, no header", "f.csv", b"1,10\n2,20\n", Some("0"), &[1.0, 2.0]),
        ("no line feed at the end", "f.csv", b"1,10\n2,20", Some("1"), &[10.0, 20.0]),
        ("tabs", "f.tsv", b"a\tb, c\n1\t10\n2\t20\n", Some("b, c"), &[10.0, 20.0]),
        ("extension in capitals", "F.CSV", plain.as_bytes(), Some("a"), &[1.0, 2.0, 3.0]),
        ("only column, no header", "f.csv", b"1\n2\n", None, &[1.0, 2.0]),
        ("only column, header", "f.csv", b"a\n1\n2\n", None, &[1.0, 2.0]),
        ("only column, by name", "f.csv", b"a\n1\n2\n", Some("a"), &[1.0, 2.0]),
        ("only column, by number", "f.csv", b"a\n1\n2\n", Some("0"), &[1.0, 2.0]),
        ("only column, one row", "f.csv", b"7", None, &[7.0]),
        ("quoted", "f.csv", b"\"a\",\"b\"\n\"1\",\"10\"\n", Some("b"), &[10.0]),
        ("comma in quotes", "f.csv", b"n,b\n\"x, y\",10\n\",,\",20\n", Some("b"), &[10.0, 20.0]),
        ("quotes in quotes", "f.csv", b"n,b\n\"the \"\"x\"\"\",10\n", Some("b"), &[10.0]),
        ("line feed in quotes", "f.csv", b"n,b\n\"x\ny\",10\nz,20\n", Some("b"), &[10.0, 20.0]),
        ("quotes in a name", "f.csv", b"\"5\"\" disk\",b\n1,10\n", Some("5\" disk"), &[1.0]),
        ("comma in a name", "f.csv", b"\"a, of b\",b\n1,10\n", Some("a, of b"), &[1.0]),
        ("spaces in a name", "f.csv", b"sepal length (cm),b\n1,10\n", Some("sepal length (cm)"), &[1.0]),
        ("colon in a name", "f.csv", b"a:b,b\n1,10\n", Some("a:b"), &[1.0]),
        ("CRLF", "f.csv", b"a,b\r\n1,10\r\n2,20\r\n", Some("b"), &[10.0, 20.0]),
        ("CR alone", "f.csv", b"a,b\r1,10\r2,20\r", Some("b"), &[10.0, 20.0]),
        ("byte-order mark, header", "f.csv", b"\xEF\xBB\xBFa,b\n1,10\n", Some("a"), &[1.0]),
        ("byte-order mark, no header", "f.csv", b"\xEF\xBB\xBF1,10\n2,20\n", Some("0"), &[1.0, 2.0]),
        ("byte-order mark, quotes", "f.csv", b"\xEF\xBB\xBF\"a\",b\n1,10\n", Some("a"), &[1.0]),
        ("byte-order mark, comment", "f.csv", b"\xEF\xBB\xBF# c\na,b\n1,10\n", Some("a"), &[1.0]),
        ("comment before the header", "f.csv", b"# made by, \"x\n#\na,b\n1,10\n", Some("b"), &[10.0]),
        (
            "a hash after the first row",
            "f.csv",
            b"a,b\n# one,1\n#2,20\n3,30\n#,4",
            Some("b"),
            &[1.0, 20.0, 30.0, 4.0],
        ),
        ("empty lines", "f.csv", b"\n\na,b\n\n1,10\n\n\n2,20\n\n", Some("b"), &[10.0, 20.0]),
        ("spaces around fields", "f.csv", b" a , b \n 1 ,\t10 \n", Some("b"), &[10.0]),
        ("text in the first row, column 1", "f.csv", mixed.as_bytes(), Some("1"), &[2.0]),
        ("text in the first row, column 2", "f.csv", mixed.as_bytes(), Some("2"), &[6.2]),
        ("a name that reads like a number of a column", "f.csv", b"x,2,7\ny,3,8\n", Some("2"), &[3.0]),
        ("a year as a name", "f.csv", b"place,2020,2021\nx,1,2\n", Some("2021"), &[2.0]),
        (
            "a header without a name for the index",
            "f.csv",
            b",a,b\n0,1,10\n1,2,20\n",
            Some("b"),
            &[10.0, 20.0],
        ),
        ("Latin-1 elsewhere", "f.csv", b"\xE9t\xE9,b\nao\xFBt,10\n\xFF,20\n", Some("b"), &[10.0, 20.0]),
        ("Latin-1 elsewhere, by number", "f.csv", b"\xE9t\xE9,b\nao\xFBt,10\n", Some("1"), &[10.0]),
        ("nothing beside text in the first row", "f.csv", b"x,NA\ny,2\n", Some("1"), &[2.0]),
        ("nothing, then text in the first row", "f.csv", b",b\n1,2\n", Some("0"), &[1.0]),
        ("text elsewhere is not read", "f.csv", b"a,b\n,10\nNA,20\n", Some("b"), &[10.0, 20.0]),
        (
            "numbers as people write them",
            "f.csv",
            b"1e3\n-0.5\n+2\n1E-3\n.5\n5.\n-0\n1e+2\n007\n0.1\n123456789012345678\n",
            None,
            &[1000.0, -0.5, 2.0, 0.001, 0.5, 5.0, 0.0, 100.0, 7.0, 0.1, 123_456_789_012_345_678.0],
        ),
    ];
    assert!(!cases.is_empty());
    let directory = directory();
    for (case, name, text, key, expected) in cases {
        let path = directory.path().join(name);
        let matrix = open_bytes(&path, text, *key).unwrap_or_else(|e| panic!("{case}: {e}"));
        assert_eq!(values(&matrix), *expected, "{case}");
        assert_eq!(matrix.shape(), &Shape(vec![expected.len() as u64]), "{case}");
        let label = key.map_or(path.display().to_string(), |key| format!("{}:{key}", path.display()));
        assert_eq!(matrix.label(), label, "{case}");
    }
}

/// Empty fields are nulls, which read as 0.
#[test]
fn fields_without_a_number() {
    type Case<'a> = (&'a str, &'a str, Option<&'a str>, &'a [Option<f64>]);
    let cases: &[Case] = &[
        ("empty", "a,b\n1,2\n,4\n5,6\n", Some("a"), &[Some(1.0), None, Some(5.0)]),
        ("at the end", "a,b\n1,2\n3,\n", Some("b"), &[Some(2.0), None]),
        ("quoted", "a\n1\n\"\"\n", None, &[Some(1.0), None]),
        (
            "words",
            "a\nNA\n1\nnull\nNULL\n<NA>\nN/A\nNone\nn/a\n1.#IND\n-1.#QNAN\n",
            None,
            &[None, Some(1.0), None, None, None, None, None, None, None, None],
        ),
        ("blanks around", "a,b\n 1 , 2\n  ,\t3\nNA ,4\n", Some("a"), &[Some(1.0), None, None]),
        ("in the first row, beside a number", ",2\n3,4\n", Some("0"), &[None, Some(3.0)]),
        ("in the first row, alone", "NA\n1\n", None, &[None, Some(1.0)]),
        ("in the first row, under a name", "x,b\n,y\n1,z\n", Some("x"), &[None, Some(1.0)]),
        ("booleans", "a,b\nTrue,1\nfalse,2\n,3\n", Some("a"), &[Some(1.0), Some(0.0), None]),
        ("booleans in the first row", "True,1\nFALSE,2\n", Some("0"), &[Some(1.0), Some(0.0)]),
        ("a name like nothing", "NA,b\n1,2\n", Some("NA"), &[Some(1.0)]),
    ];
    let directory = directory();
    for (case, text, key, expected) in cases {
        let path = directory.path().join("f.csv");
        let matrix = open_bytes(&path, text.as_bytes(), *key).unwrap_or_else(|e| panic!("{case}: {e}"));
        let found: Vec<Option<f64>> = values(&matrix)
            .into_iter()
            .enumerate()
            .map(|(k, value)| if matrix.metadata().is_null(k) { None } else { Some(value) })
            .collect();
        assert_eq!(found, *expected, "{case}");
    }
    // A NaN is none.
    let matrix = open_bytes(&directory.path().join("f.csv"), b"a\n1\nnan\n", None).unwrap();
    assert!(!matrix.metadata().has_nulls() && matrix.check_finite().is_err());
}

#[test]
fn pairs_of_columns() {
    type Case<'a> = (&'a str, &'a str, [&'a str; 2], [&'a [f64]; 2]);
    let directory = directory();
    let path = directory.path().join("f.csv");
    let cases: &[Case] = &[
        ("names", "a,b\n1,10\n2,20\n", ["a", "b"], [&[1.0, 2.0], &[10.0, 20.0]]),
        ("names, the later one first", "a,b\n1,10\n2,20\n", ["b", "a"], [&[10.0, 20.0], &[1.0, 2.0]]),
        ("a name and a number", "a,b\n1,10\n2,20\n", ["0", "b"], [&[1.0, 2.0], &[10.0, 20.0]]),
        ("numbers under a header", "a,b\n1,10\n2,20\n", ["0", "1"], [&[1.0, 2.0], &[10.0, 20.0]]),
        ("numbers, no header", "1,10\n2,20\n", ["1", "0"], [&[10.0, 20.0], &[1.0, 2.0]]),
        ("numbers, the first row has text", "x,7,10\ny,2,20\n", ["1", "2"], [&[2.0], &[20.0]]),
        ("one column twice", "a,b\n1,10\n2,20\n", ["b", "b"], [&[10.0, 20.0], &[10.0, 20.0]]),
        ("a name and a year", "a,2020\n1,10\n2,20\n", ["a", "2020"], [&[1.0, 2.0], &[10.0, 20.0]]),
        ("a name and the number of a year", "a,2020\n1,10\n", ["a", "1"], [&[1.0], &[10.0]]),
        ("the nameless index", ",b\n0,10\n1,20\n", ["0", "1"], [&[0.0, 1.0], &[10.0, 20.0]]),
    ];
    assert!(!cases.is_empty());
    for (case, text, [x, t], expected) in cases {
        fs::write(&path, text).unwrap();
        let (x, t) = open_pair(&source(&path, Some(x)), &source(&path, Some(t)))
            .unwrap_or_else(|e| panic!("{case}: {e}"));
        assert_eq!([values(&x), values(&t)], expected.map(<[f64]>::to_vec), "{case}");
    }

    // Keys that mean one column in two ways, or a name and a number of which
    // nobody knows whether both are meant as numbers.
    for (text, [x, t], words) in [
        ("a,b\n1,10\n2,20\n", ["b", "1"], "both mean column number 1"),
        ("a,b\n1,10\n2,20\n", ["0", "00"], "both mean column number 0"),
        (",0,1\n0,1,10\n1,2,20\n", ["1", "2"], "\"1\" is the name of column number 2, and \"2\" is no name"),
        ("i,1,2\n0,1,10\n1,2,20\n", ["0", "1"], ""),
        ("i,0,2\n0,1,10\n1,2,20\n", ["1", "0"], "\"0\" is the name of column number 1, and \"1\" is no name"),
    ] {
        fs::write(&path, text).unwrap();
        let read = open_pair(&source(&path, Some(x)), &source(&path, Some(t)));
        match read {
            Ok((x, t)) => assert!(words.is_empty() && values(&x) != values(&t), "{text}"),
            Err(e) => assert!(!words.is_empty() && e.to_string().contains(words), "{text}: {e}"),
        }
    }

    // From two files, of two formats; and one file by two of its names.
    let (tsv, npy) = (directory.path().join("t.tsv"), directory.path().join("t.npy"));
    fs::write(&path, "a,b\n1,10\n2,20\n").unwrap();
    fs::write(&tsv, "c\td\n3\t30\n4\t40\n").unwrap();
    fs::write(&npy, Npy::of_f64(&[2], &[5.0, 6.0]).bytes()).unwrap();
    let same = directory.path().join(".").join("f.csv");
    let others =
        [(&tsv, Some("d"), [30.0, 40.0]), (&npy, None, [5.0, 6.0]), (&same, Some("b"), [10.0, 20.0])];
    for (other, key, expected) in others {
        let (x, t) = open_pair(&source(&path, Some("a")), &source(other, key)).unwrap();
        assert_eq!((values(&x), values(&t)), (vec![1.0, 2.0], expected.to_vec()));
    }
}

/// Whole numbers that f64 does not hold stay whole; where some are not, what
/// f64 loses of them is counted.
#[test]
fn whole_numbers_beyond_f64() {
    type Case<'a> = (&'a str, ElementType, &'a [i128], Option<(u64, u64)>);
    use ElementType::{F64, I64, U64};
    const ODD: i128 = (1 << 53) + 1;
    let (most, most_unsigned) = (i128::from(i64::MAX), i128::from(u64::MAX));
    let cases: &[Case] = &[
        ("9007199254740993\n1\n", I64, &[ODD, 1], None),
        ("-9223372036854775808\n9223372036854775807\n", I64, &[-most - 1, most], None),
        ("1\n\n9007199254740993\n", I64, &[1, 0, ODD], None),
        ("9007199254740993\nNA\n5.0\ntrue\n-2e3\n", I64, &[ODD, 0, 5, 1, -2000], None),
        ("\"9007199254740993\"\n +7 \n", I64, &[ODD, 7], None),
        ("18446744073709551615\n0\n", U64, &[most_unsigned, 0], None),
        ("1\n9223372036854775807\n18446744073709551615\n", U64, &[1, most, most_unsigned], None),
        ("9007199254740992\n-9007199254740992\n", F64, &[1 << 53, -(1 << 53)], None),
        ("-1\n18446744073709551615\n", F64, &[-1, 1 << 64], Some((1, 2))),
        ("18446744073709551615\n-1\n", F64, &[1 << 64, -1], Some((1, 1))),
        (
            "0.0\n9007199254740993\n1e17\n99999999999999999999\n",
            F64,
            &[0, 1 << 53, 10i128.pow(17), 10i128.pow(20)],
            Some((2, 2)),
        ),
        ("18446744073709551616\n36893488147419103232\n", F64, &[1 << 64, 1 << 65], None),
    ];
    let directory = directory();
    for (text, element, expected, lost) in cases {
        let matrix = open_bytes(&directory.path().join("f.csv"), text.as_bytes(), None).unwrap();
        assert_eq!(matrix.element(), *element, "{text}");
        let found: Vec<i128> = match element {
            I64 => copied::<i64>(&matrix).into_iter().map(i128::from).collect(),
            U64 => copied::<u64>(&matrix).into_iter().map(i128::from).collect(),
            _ => values(&matrix).into_iter().map(|value| value as i128).collect(),
        };
        assert_eq!(found, *expected, "{text}");
        let n = expected.len() as u64;
        let noted = matrix.metadata().notes().iter().find(|note| matches!(note, Note::DigitsLost { .. }));
        let expected = lost.map(|(count, first_line)| Note::DigitsLost { count, n, first_line });
        assert_eq!(noted, expected.as_ref(), "{text}");
    }
    // A fraction after whole numbers, and one column of two.
    let path = directory.path().join("f.csv");
    fs::write(&path, "a,b\n9007199254740993,9007199254740993\n0.5,1\n").unwrap();
    let (a, b) = open_pair(&source(&path, Some("a")), &source(&path, Some("b"))).unwrap();
    assert_eq!((a.element(), values(&a)), (F64, vec![9_007_199_254_740_992.0, 0.5]));
    assert_eq!((b.element(), copied::<i64>(&b)), (I64, vec![(1 << 53) + 1, 1]));
    assert_eq!((a.metadata().notes().len(), b.metadata().notes().len()), (1, 0));
}

fn copied<E: linfit::array::Element>(matrix: &Array) -> Vec<E> {
    let mut elements = vec![E::zeroed(); matrix.len()];
    matrix.copy(Order::C, 0, &mut elements);
    elements
}

/// Whatever the place of a record in the reader's blocks.
#[test]
fn rows_across_blocks() {
    let directory = directory();
    for ends in ["\n", "\r\n", "\r"] {
        for shift in 0..5 {
            let head = format!("{}{ends}a,b{ends}", "#".repeat(1 + shift));
            let row = |k: u32| format!("\"{k}\",\"x\"\"{ends},\"{ends}");
            let text = [vec![head], (0..60_000).map(row).collect()].concat().concat();
            let matrix = open_bytes(&directory.path().join("f.csv"), text.as_bytes(), Some("a")).unwrap();
            assert!(values(&matrix).into_iter().enumerate().all(|(k, value)| value == k as f64));
            assert_eq!(matrix.len(), 60_000);
        }
    }
}

#[test]
fn a_row_beyond_all_bounds_is_refused() {
    let wide = |bytes: usize| format!("1{}\n", ",1".repeat(bytes / 2)).into_bytes();
    let cases: &[(&str, Vec<u8>)] = &[
        ("f.csv:1:", wide(17 << 20)),
        ("f.csv:2:", [b"1,2\n", &wide(17 << 20)[..]].concat()),
        ("f.csv:1:", vec![b'7'; 17 << 20]),
        ("f.csv:1:", vec![b'#'; 17 << 20]),
    ];
    let directory = directory();
    for (line, text) in cases {
        let error = open_bytes(&directory.path().join("f.csv"), text, Some("0")).unwrap_err();
        assert_message("long", &error, line, &["16 MiB"]);
    }
    let matrix = open_bytes(&directory.path().join("f.csv"), &wide(3 << 20), Some("1000000")).unwrap();
    assert_eq!(values(&matrix), [1.0]);
}

/// The published regression of petal width on petal length, over Fisher's own
/// values.
#[test]
fn the_irises() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/iris.csv");
    let column = |key| values(&open(&source(&path, Some(key))).unwrap());
    let columns: Vec<Vec<f64>> =
        ["sepal_length", "sepal_width", "petal_length", "petal_width"].map(column).to_vec();
    let row = |number: usize| columns.iter().map(|column| column[number - 1]).collect::<Vec<_>>();
    assert_eq!(row(35), [4.9, 3.1, 1.5, 0.2]);
    assert_eq!(row(38), [4.9, 3.6, 1.4, 0.1]);

    let (x, t) = (&columns[2], &columns[3]);
    assert_eq!((x.len(), t.len()), (150, 150));
    let mean = |values: &[f64]| values.iter().sum::<f64>() / 150.0;
    let (mean_x, mean_t) = (mean(x), mean(t));
    let products: f64 = x.iter().zip(t).map(|(x, t)| (x - mean_x) * (t - mean_t)).sum();
    let weight = products / x.iter().map(|x| (x - mean_x).powi(2)).sum::<f64>();
    let bias = mean_t - weight * mean_x;
    assert_eq!(format!("{weight:.5} {bias:.5}"), "0.41576 -0.36308");
}
