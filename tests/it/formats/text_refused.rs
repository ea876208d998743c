//! Bad and damaged text files.

use super::*;

#[test]
#[expect(clippy::too_many_lines, reason = "a line for each file")]
fn bad_text_files() {
    let text = |text: &str| text.as_bytes().to_vec();
    let wide = (0..1000).map(|k| format!("c{k}")).collect::<Vec<_>>().join(",") + "\n";
    assert_refused(&[
        ("empty", "f.csv", vec![], None, &["empty"]),
        ("only a byte-order mark", "f.csv", text("\u{feff}"), None, &["empty"]),
        ("only comments", "f.csv", text("# a\n# b\n"), None, &["empty"]),
        ("only empty lines", "f.csv", text("\n\r\n\n"), None, &["empty"]),
        ("only a header", "f.csv", text("a,b\n"), Some("a"), &["no elements"]),
        ("row too short", "f.csv", text("a,b\n1,2\n3\n"), Some("a"), &["f.csv:3:", "fields: 1", "2"]),
        (
            "row too short after a mark and comments",
            "f.csv",
            text("\u{feff}#\r\na,b\r\n\r\n \r\n1\r\n"),
            Some("a"),
            &["f.csv:5:", "fields: 1"],
        ),
        ("row too long", "f.csv", text("1,2\n3,4,5\n"), Some("0"), &["f.csv:2:", "fields: 3", "2"]),
        ("text", "f.csv", text("a,b\n1,2\nthree,4\n"), Some("a"), &["f.csv:3:", "\"three\"", "not a number"]),
        ("text after a comment", "f.csv", text("#\na\n1\n\nx\n"), None, &["f.csv:5:", "\"x\""]),
        ("a hash after the first row", "f.csv", text("a\n1\n#\n"), None, &["f.csv:3:", "\"#\""]),
        ("text after CRLF", "f.csv", text("a\r\n1\r\nx\r\n"), None, &["f.csv:3:", "\"x\""]),
        (
            "text after a line feed in quotes",
            "f.csv",
            text("a,b\n\"1\n\",1\n\"\n\",x\n"),
            Some("b"),
            &["f.csv:4:", "\"x\""],
        ),
        ("a decimal comma", "f.tsv", text("1,5\t2\n1,6\t3\n"), Some("0"), &["f.tsv:2:", "\"1,6\""]),
        ("a unit", "f.csv", text("a\n5 cm\n"), None, &["f.csv:2:", "\"5 cm\" in column 0"]),
        ("hexadecimal", "f.csv", text("a\n0x10\n"), None, &["f.csv:2:", "\"0x10\""]),
        ("bytes that aren't text", "f.csv", b"a\n\xff\xfe\n".to_vec(), None, &["f.csv:2:", "not a number"]),
        ("long text", "f.csv", text(&format!("a\n{}\n", "x".repeat(100_000))), None, &["f.csv:2:", "xxx"]),
        ("control characters", "f.csv", b"a\n\x1b[31m\x07\n".to_vec(), None, &["f.csv:2:", "not a number"]),
        (
            "two of one name",
            "f.csv",
            text("a,b,a\n1,2,3\n"),
            Some("a"),
            &["several columns", "\"a\"", ": 0, 2"],
        ),
        ("blanks", "f.csv", text("a b\n1 2\n"), Some("b"), &["f.csv:1:", "\"b\"", "separated by blanks"]),
        ("commas", "f.tsv", text("a,b\n1,2\n"), Some("b"), &["f.tsv:1:", "separated by commas"]),
        ("semicolons in some rows", "f.csv", text("a;b\n1,2\n"), Some("b"), &["f.csv:1:", "semicolons"]),
        (
            "decimal commas",
            "f.csv",
            text("a;b\n1,5;2\n"),
            Some("a"),
            &["f.csv:2:", "\"1,5\"", "decimal comma"],
        ),
        ("only a decimal comma", "f.csv", text("a;b\n1,5;2,5\n"), Some("c"), &["a (0), b (1)"]),
        (
            "rows of blanks of different lengths",
            "f.txt",
            text("1 2\n3\n"),
            Some("0"),
            &["f.txt:2:", "fields: 1"],
        ),
        ("a word between blanks", "f.txt", text("1 2\n3 x\n"), Some("1"), &["f.txt:2:", "\"x\" in column 1"]),
        (
            "a quote between blanks",
            "f.txt",
            text("1 2\n\"3\"4 5\n"),
            Some("1"),
            &["f.txt:2:", "closing quote"],
        ),
        ("a name with a blank", "f.csv", text("a b\n1\n"), Some("c"), &["no column \"c\"", "a b (0)"]),
        ("semicolons later", "f.csv", text("1\n2\n3;4\n"), None, &["f.csv:3:", "semicolons"]),
        ("text column", "f.csv", text("a,b\nx,1\n"), Some("a"), &["f.csv:2:", "\"x\""]),
        ("no such name", "f.csv", text("a,b c\n1,2\n"), Some("d"), &["\"d\"", "a (0), b c (1)"]),
        ("names are exact", "f.csv", text("a,b\n1,2\n"), Some("A"), &["\"A\"", "a (0), b (1)"]),
        ("no such number", "f.csv", text("1,2,3\n"), Some("3"), &["\"3\"", "0, 1, 2"]),
        ("no such number under a header", "f.csv", text("a,b\n1,2\n"), Some("2"), &["\"2\"", "a (0), b (1)"]),
        ("negative number", "f.csv", text("1,2\n"), Some("-1"), &["\"-1\"", "0, 1"]),
        ("name without a header", "f.csv", text("1,2\n3,4\n"), Some("a"), &["\"a\"", "0, 1"]),
        ("a value is not a name", "f.csv", text("11,12\n13,14\n"), Some("12"), &["\"12\"", "0, 1"]),
        ("number beyond usize", "f.csv", text("1,2\n"), Some("99999999999999999999999"), &["0, 1"]),
        ("which column", "f.csv", text("a,b\n1,2\n"), None, &["2 columns", "f.csv:COLUMN", "a (0), b (1)"]),
        ("which of many", "f.csv", text(&wide), None, &["1000 columns", "c0 (0)", "c19 (19)", "980 more"]),
        (
            "which of two, long ones",
            "f.csv",
            text(&format!("{0}a,{0}b\n1,2\n", "x".repeat(9999))),
            None,
            &["xxx"],
        ),
        ("which of two, odd ones", "f.csv", text("\"a\n\nb\",\"\x1b[31m\"\n1,2\n"), None, &["2 columns"]),
        ("half a unit of UTF-16", "f.csv", b"\xff\xfea\0\n\x001".to_vec(), None, &["UTF-16", "truncated"]),
        (
            "half a character of UTF-16",
            "f.csv",
            b"\xfe\xff\0a\0\n\xdc\x00\0\n".to_vec(),
            None,
            &["UTF-16", "half of a character"],
        ),
        ("UTF-32", "f.csv", b"\xff\xfe\0\0a\0\0\0".to_vec(), None, &["UTF-32", "UTF-8"]),
        ("no gzip", "f.csv.gz", b"\x1f\x8b\x08 no".to_vec(), None, &["gzip"]),
        ("no Zstandard", "f.csv.zst", b"\x28\xb5\x2f\xfd\xff\xff\xff".to_vec(), None, &["Zstandard"]),
        (
            "gzip of something else",
            "f.npy.gz",
            b"\x1f\x8b\x08".to_vec(),
            None,
            &["gzip", "decompress it first"],
        ),
        ("UTF-16 without a mark", "f.csv", b"a\0\n\x001\0\n\0".to_vec(), None, &["NUL", "UTF-8"]),
        ("a NUL later", "f.csv", b"a\n1\n2\0\n".to_vec(), None, &["f.csv:3:", "not a number"]),
        ("unknown extension", "f.text", text("1\n2\n"), None, &["unknown kind", ".npy", ".csv", ".tsv"]),
        ("no extension", "f", text("1\n2\n"), None, &["unknown kind", ".csv"]),
        ("extension that isn't one", ".csv", text("1\n2\n"), None, &["unknown kind", ".csv"]),
    ]);
}

#[test]
fn bad_pairs_of_columns() {
    type Case<'a> = (&'a str, &'a str, [Option<&'a str>; 2], &'a [&'a str]);
    let cases: &[Case] = &[
        ("X is missing", "a,b\n1,2\n", [Some("c"), Some("b")], &["\"c\"", "a (0), b (1)"]),
        ("T is missing", "a,b\n1,2\n", [Some("a"), Some("c")], &["\"c\"", "a (0), b (1)"]),
        ("T isn't named", "a,b\n1,2\n", [Some("a"), None], &["2 columns", "a (0), b (1)"]),
        ("text below a header", "a,1\nb,2\n", [Some("0"), Some("1")], &["f.csv:2:", "\"b\" in column 0"]),
        ("text in T", "a,b\n1,2\n3,x\n", [Some("a"), Some("b")], &["f.csv:3:", "\"x\"", "column 1"]),
    ];
    assert!(!cases.is_empty());
    let directory = directory();
    let path = directory.path().join("f.csv");
    for (case, text, [x, t], words) in cases {
        fs::write(&path, text).unwrap();
        let error = open_pair(&source(&path, *x), &source(&path, *t)).expect_err(case);
        assert_message(case, &error, "f.csv", words);
    }
}

#[test]
fn every_prefix_of_a_text_file_is_read_or_refused() {
    let directory = directory();
    let path = directory.path().join("f.csv");
    let text = b"\xEF\xBB\xBF# note\r\n\"name, full\",\"b \"\"x\"\"\",c\r\n\"x\r\ny\",-1.5e3,2\r\n\r\n\xE9,+2.5,3\r\n";
    let whole = open_bytes(&path, text, Some("b \"x\"")).unwrap();
    assert_eq!(values(&whole), [-1500.0, 2.5]);
    let (mut read, mut refused) = (0, 0);
    for key in [None, Some("b \"x\""), Some("1")] {
        for prefix in prefixes(text) {
            match open_bytes(&path, prefix, key) {
                Ok(matrix) => {
                    assert!(matrix.len() <= 2);
                    read += 1;
                }
                Err(error) => {
                    assert_message("prefix", &error, "f.csv", &[": "]);
                    refused += 1;
                }
            }
        }
    }
    assert!(read > 0 && refused > 0, "{read} read, {refused} refused");
}
