//! Text files as other programs write them: every line is a row, a missing
//! value, a header, skipped with a note, or an error.

use crate::cli::{Lab, number};
use crate::common::tolerances::F64_RESULTS;
use crate::common::{Endian, Npy};

/// Fits by the CPU and checks W, b and n.
#[track_caller]
fn check(lab: &Lab, arguments: &str, [weight, bias, n]: [f64; 3], notes: &[&str]) {
    let ran = lab.run(&format!("fit {arguments} --solver exact --json --engine cpu")).exits(0);
    let report = ran.json();
    let is_near =
        |field: &str, want: f64| (number(&report, field) - want).abs() <= F64_RESULTS * want.abs().max(1.0);
    assert!(is_near("weight", weight) && is_near("bias", bias), "fit {arguments}: {report}");
    assert_eq!(number(&report, "n"), n, "fit {arguments}");
    assert_eq!(ran.notes().len(), notes.len(), "fit {arguments}: {}", ran.stderr);
    for (line, words) in ran.notes().into_iter().zip(notes) {
        assert!(line.starts_with("note: ") && line.contains(words), "fit {arguments}: {line}");
    }
}

/// As polars writes nulls: T is 10·X.
#[test]
fn an_empty_line_of_one_column_is_missing() {
    let lab = Lab::new();
    lab.write("m.json", r#"{"weight": 2, "bias": 0}"#);
    let (x, t) =
        ("x\n1.0\n2.0\n\n4.0\n5.0\n6.0\n7.0\n8.0\n", "t\n10.0\n20.0\n30.0\n40.0\n50.0\n\n70.0\n80.0\n");
    for ends in ["\n", "\r\n", "\r"] {
        for name in ["x.csv", "x.tsv"] {
            lab.write(name, x.replace('\n', ends)).write("t.csv", t.replace('\n', ends));
            check(
                &lab,
                &format!("{name} t.csv"),
                [10.0, 0.0, 6.0],
                &["1 empty line is read as missing, line 4", "1 empty line is read as missing, line 7"],
            );
            lab.run(&format!("predict m.json {name} -o y.csv -q")).succeeds();
            assert_eq!(lab.read("y.csv"), "y\n2.0\n4.0\n\"\"\n8.0\n10.0\n12.0\n14.0\n16.0\n");
        }
    }
    // A row more in one than in the other is an error, and the note says why.
    lab.write("x.csv", format!("{x}\n"));
    let ran = lab.run("fit x.csv t.csv --solver exact").exits(2);
    ran.complains(&["2 empty lines are read as missing, the first is line 4", "differ in shape"]);
}

#[test]
fn an_empty_line_of_a_mask_or_weights_is_missing() {
    let lab = Lab::new();
    lab.write("x.csv", "x\n1\n2\n3\n4\n5\n").write("t.csv", "t\n10\n20\n99\n40\n50\n");
    lab.write("w.csv", "w\n1\n2\n\n1\n3\n").write("m.csv", "1\n1\n\"\"\n1\n1\n");
    check(&lab, "x.csv t.csv --weights w.csv", [10.0, 0.0, 4.0], &["w.csv: 1 empty line"]);
    check(&lab, "x.csv t.csv --mask m.csv", [10.0, 0.0, 4.0], &[]);
}

#[test]
fn empty_lines_between_rows_of_several_fields_are_skipped() {
    let lab = Lab::new();
    lab.write("d.csv", "\na,b\n1,10\n\n \n2,20\n,30\n\n");
    check(
        &lab,
        "d.csv:a d.csv:b",
        [10.0, 0.0, 2.0],
        &["d.csv:a: 4 empty lines skipped, the first is line 1"],
    );
}

/// pandas, polars and DuckDB read five rows.
#[test]
fn a_hash_begins_a_comment_only_before_the_first_row() {
    let lab = Lab::new();
    lab.write("data.csv", "code,x,t\nA1,1,10\n#FF00,2,25\nB3,3,30\n#N/A,4,45\nC5,5,50\n");
    check(&lab, "data.csv:x data.csv:t", [10.0, 2.0, 5.0], &[]);
    let skipped = "data.csv:x: 2 lines skipped as comments, the first is line 3";
    check(&lab, "data.csv:x data.csv:t --comment #", [10.0, 0.0, 3.0], &[skipped]);
    // As numpy.savetxt writes a header, which names the columns.
    lab.write("savetxt.csv", "# x,t\n1,10\n2,20\n");
    check(&lab, "savetxt.csv:x savetxt.csv:t", [10.0, 0.0, 2.0], &[]);
    check(&lab, "savetxt.csv:0 savetxt.csv:1", [10.0, 0.0, 2.0], &[]);
    lab.write("remark.csv", "# of 2 May\n1,10\n2,20\n");
    check(&lab, "remark.csv:0 remark.csv:1", [10.0, 0.0, 2.0], &["1 line skipped as comments, line 1"]);
    // And what is no comment, because it is an error of a spreadsheet.
    lab.write("first.csv", "#REF!,7\n1,10\n2,20\n");
    check(&lab, "first.csv:0 first.csv:1", [10.0, 0.0, 2.0], &[]);
    lab.write("percent.csv", "% x\n#1,t\n1,10\n% x\n2,20\n");
    check(&lab, "percent.csv:#1 percent.csv:t --comment %", [10.0, 0.0, 2.0], &["2 lines skipped"]);
    lab.write("excel.csv", "x,t\n1,10\n2,25\n#N/A,30\n#DIV/0!,45\n5,50\n")
        .write("m.json", r#"{"weight": 2, "bias": 0}"#);
    lab.run("predict m.json excel.csv:x -o y.csv").succeeds();
    assert_eq!(lab.read("y.csv"), "y\n2.0\n4.0\n\"\"\n\"\"\n10.0\n");
    lab.run("fit x t --comment ab").ends_refused(&["--comment", "one character"]);
    lab.run("fit x t --comment 1").ends_refused(&["--comment", "one character"]);
}

#[test]
fn a_first_row_with_text_is_a_header() {
    let lab = Lab::new();
    lab.write("years.csv", "site,2019,2020,2021\na,5,11,12\nb,6,13,15\nc,8,16,19\n");
    let (weight, bias) = (16.0 / 7.0, 6.0 / 7.0);
    check(&lab, "years.csv:2019 years.csv:2021", [weight, bias, 3.0], &[]);
    let why = "has text in another column; use --header yes if the first row names the columns, --header no if it is \
               data";
    check(&lab, "years.csv:1 years.csv:3", [weight, bias, 3.0], &[why, why]);
    check(&lab, "years.csv:1 years.csv:3 --header yes", [weight, bias, 3.0], &[]);
    // With the row of years as data, by numpy.polyfit.
    let ran = lab.run("fit years.csv:1 years.csv:3 --header no --solver exact --json").exits(0);
    assert_eq!(number(&ran.json(), "n"), 4.0);
}

#[test]
fn true_and_false_above_numbers_are_names() {
    let lab = Lab::new();
    lab.write("pred.csv", "true,false\n1,1\n2,2.2\n4,4\n");
    let why = "has true or false above numbers";
    check(&lab, "pred.csv:0 pred.csv:1", [69.0 / 70.0, 0.1, 3.0], &[why, why]);
    lab.write("late.csv", "true,1\n,2\n3,3\n");
    lab.run("fit late.csv:0 late.csv:1").ends_refused(&["late.csv:3", "true or false", "--header"]);
    lab.write("data.csv", "true,1\nfalse,0\n,2\n");
    check(&lab, "data.csv:0 data.csv:1", [1.0, 0.0, 2.0], &[]);
}

/// A table of pandas without names, with and without its index.
#[test]
fn a_key_is_a_name_first() {
    let lab = Lab::new();
    lab.write("pandas.csv", ",0,1\n0,5.0,11.0\n1,6.0,13.0\n2,7.0,15.5\n");
    let (line, pandas) = ([2.25, -1.0 / 3.0, 3.0], "as pandas writes them");
    let named = "read as the name of a column";
    check(&lab, "pandas.csv:0 pandas.csv:1", line, &[pandas, named, pandas, named]);
    // Read as a number, like the other, the first would be another column.
    let both = ["the key \"1\" is the name of column number 2", "\"2\" is no name", "give names of both"];
    lab.run("fit pandas.csv:1 pandas.csv:2").ends_refused(&both);
    lab.run("fit pandas.csv:2 pandas.csv:1 --header yes").ends_refused(&both);
    lab.run("fit pandas.csv:0 pandas.csv:1 --weights pandas.csv:2").ends_refused(&["\"2\" is no name"]);
    // The first row is data then, and a key a number.
    let ran = lab.run("fit pandas.csv:1 pandas.csv:2 --header no --solver exact --json").exits(0);
    assert_eq!(number(&ran.json(), "n"), 4.0);
    check(&lab, "pandas.csv:0 pandas.csv:1 --header yes", line, &[named, named]);
    lab.write("bare.csv", "0,1\n5.0,11.0\n6.0,13.0\n7.0,15.5\n");
    check(&lab, "bare.csv:0 bare.csv:1 --header yes", line, &[]);
    let ran = lab.run("fit bare.csv:0 bare.csv:1 --solver exact --json").exits(0);
    assert_eq!(number(&ran.json(), "n"), 4.0);
    assert!(ran.stderr.contains("they are 0, 1, 2, …") && ran.notes().len() == 1, "{}", ran.stderr);
}

#[test]
fn numbers_that_may_be_names_are_noted() {
    let lab = Lab::new();
    let first_row = |text: &str, keys: [&str; 2]| {
        lab.write("d.csv", text);
        let [x, t] = keys;
        let ran = lab.run(&format!("fit d.csv{x} d.csv{t} --solver exact --json")).exits(0);
        let quiet = lab.run(&format!("fit d.csv{x} d.csv{t} --solver exact --json --header no")).exits(0);
        assert_eq!(
            (quiet.json()["weight"].clone(), quiet.stderr.as_str()),
            (ran.json()["weight"].clone(), "")
        );
        ran.stderr
    };
    for (text, keys, words) in [
        ("350.0,351.0\n0.1,0.2\n0.2,0.35\n0.3,0.5\n", [":0", ":1"], "whole numbers above fractions"),
        ("2019,2020,2021\n5,11,12\n6,13,15\n", [":0", ":2"], "years"),
        ("0,1,2\n5,11,12\n6,13,15\n", [":0", ":2"], "0, 1, 2"),
        ("10,20\n5.0,11.0\n6.0,13.0\n", [":0", ":1"], "whole numbers above fractions"),
        ("0\n5.25\n6.5\n", ["", ""], "whole numbers above fractions"),
        ("7\n5.0\n6.5\n", ["", ""], "whole numbers above fractions"),
        ("450\n0.11\n0.12\n0.14\n", ["", ""], "whole numbers above fractions"),
        ("10,20\n0.5,2.5\n1.5,3\n2.25,4.5\n", [":0", ":1"], "whole numbers above fractions"),
        ("450,550\n0.11,12\n0.12,13\n0.14,15\n", [":0", ":1"], "whole numbers above fractions"),
        ("450,550\n12,0.11\n13,0.12\n15,0.14\n", [":0", ":1"], "whole numbers above fractions"),
        ("1,2\n1.5,3\n2.5,5\n3,6.5\n4,7\n", [":0", ":1"], "whole numbers above fractions"),
        ("2021,2020,2019\n5,11,12\n6,13,15\n7,15,19\n", [":0", ":2"], "years"),
        ("2020,2019,2021\n5,11,12\n6,13,15\n", [":2", ":1"], "years"),
        ("450,550\n12,13\n13,15\n14,19\n", [":0", ":1"], "far from the numbers below"),
    ] {
        let stderr = first_row(text, keys);
        assert!(stderr.contains(words) && stderr.contains("--header yes"), "{text}: {stderr}");
    }
    // Data like any other.
    for (text, keys) in [
        ("1,2\n2,4\n3,7\n", [":0", ":1"]),
        ("1,2\n1.5,3.2\n2,4\n2.5,5\n", [":0", ":1"]),
        ("2001,2003\n2002,2004\n2003,2005\n", [":0", ":1"]),
        ("1\n1.5\n2.25\n", ["", ""]),
        ("0\n1\n2\n", ["", ""]),
        ("0.5,1.5\n1.5,2.5\n2.25,3\n", [":0", ":1"]),
        ("1,2\n2,2.5\n3,3.5\n4,4.5\n", [":0", ":1"]),
        ("12,100\n17,95.5\n15,130.25\n19,99.1\n", [":0", ":1"]),
        ("0.0,1.0\n0.1,1.3\n0.2,1.4\n0.3,1.7\n", [":0", ":1"]),
        ("0,0\n0.1,0.3\n0.2,0.5\n", [":0", ":1"]),
        ("2021,1990\n2020,1991\n2019,1995\n", [":0", ":1"]),
        ("2000,1900\n2300,2150\n1700,1750\n", [":0", ":1"]),
        ("1000,500\n100,50\n10,5\n1,0.5\n", [":0", ":1"]),
        ("5,7\n3,4\n8,9\n1,2\n", [":0", ":1"]),
        ("255,0\n254,1\n250,3\n0,200\n", [":0", ":1"]),
        ("100\n101\n105\n", ["", ""]),
    ] {
        assert_eq!(first_row(text, keys), "", "{text}");
    }
    // What a first row is called, it is asked for.
    lab.write("d.csv", "2019,2020\n5,6\n7,9\n");
    lab.run("fit d.csv:2019 d.csv:2020").ends_refused(&["no column \"2019\"", "--header yes"]);
    check(&lab, "d.csv:2019 d.csv:2020 --header yes", [1.5, -1.5, 2.0], &[]);
}

/// Whether it is a name or a missing value, no reader knows.
#[test]
fn a_mark_in_the_first_row_is_noted() {
    let lab = Lab::new();
    let why = "because it has a mark that is no number, and no other text; use --header yes if the first row names \
               the columns, --header no if it is data";
    for mark in ["-", "--", ".", "?", "\u{2013}"] {
        lab.write("one.csv", format!("{mark}\n1\n2\n3\n")).write("t.csv", "t\n2\n4\n6\n");
        check(&lab, "one.csv t.csv", [2.0, 0.0, 3.0], &[why]);
        check(&lab, &format!("one.csv:{mark} t.csv"), [2.0, 0.0, 3.0], &[]);
        check(&lab, "one.csv t.csv --header yes", [2.0, 0.0, 3.0], &[]);
        lab.run("fit one.csv t.csv --header no").ends_refused(&["one.csv:1", "is not a number"]);
        lab.write("two.csv", format!("{mark},5\n1,2\n2,4\n"));
        check(&lab, "two.csv:0 two.csv:1", [2.0, 0.0, 2.0], &[why, why]);
        lab.write("three.csv", format!("x,{mark}\n1,2\n2,4\n"));
        check(&lab, "three.csv:x three.csv:1", [2.0, 0.0, 2.0], &["it has text in another column"]);
    }
    lab.write("names.csv", "x,y (%)\n1,2\n2,4\n");
    check(&lab, "names.csv:0 names.csv:1", [2.0, 0.0, 2.0], &[]);
    // What pandas reads as missing is data.
    for missing in ["n/a", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"] {
        lab.write("na.csv", format!("{missing},5\n1,2\n2,4\n"));
        check(&lab, "na.csv:0 na.csv:1", [2.0, 0.0, 2.0], &[]);
    }
}

/// A key means one column, whatever the command's other arguments are.
#[test]
fn a_key_means_the_same_column_everywhere() {
    let lab = Lab::new();
    lab.write("m.json", r#"{"weight": 1, "bias": 0}"#).write("k.csv", "idx,0,1\n7,1,3\n8,2,5\n9,4,9\n");
    let number = |ran: &crate::cli::Ran| ran.stderr.matches("read as the name of a column").count();
    let mut files = vec!["k.csv".to_owned()];
    if cfg!(feature = "parquet") {
        for name in ["numbers-as-names.parquet", "numbers-as-names.feather"] {
            files.push(format!("{}/tests/foreign/data/{name}", env!("CARGO_MANIFEST_DIR")));
        }
    }
    for k in files {
        let ran = lab.run(&format!("predict m.json {k}:1 -o y.csv")).exits(0);
        assert_eq!((lab.read("y.csv").as_str(), number(&ran)), ("y\n3.0\n5.0\n9.0\n", 1), "{k}");
        lab.run(&format!("predict m.json {k}:2 -o y.csv")).exits(0);
        assert_eq!(lab.read("y.csv"), "y\n3.0\n5.0\n9.0\n", "{k}");
        let ran = lab.run(&format!("fit {k}:0 {k}:1 --solver exact --json")).exits(0);
        assert_eq!((crate::cli::number(&ran.json(), "weight"), number(&ran)), (2.0, 2), "{k}");
        let no_name = "\"2\" is no name but the number of a column";
        for command in ["fit", "compare", "explain"] {
            lab.run(&format!("{command} {k}:1 {k}:2")).ends_refused(&[no_name]);
            lab.run(&format!("{command} {k}:2 {k}:1")).ends_refused(&[no_name]);
        }
        lab.run(&format!("fit {k}:0 {k}:idx --weights {k}:2")).ends_refused(&[no_name]);
        lab.run(&format!("fit {k}:0 {k}:idx --mask {k}:2")).ends_refused(&[no_name]);
        let same = "both mean column number 2";
        lab.run(&format!("fit {k}:idx {k}:2 --weights {k}:+2")).ends_refused(&[same]);
        // The same key twice is meant.
        lab.run(&format!("fit {k}:1 {k}:1 --solver exact")).exits(0);
    }
    lab.write("a.csv", "x,t\n1,3\n2,5\n");
    lab.run("fit a.csv:x a.csv:0")
        .ends_refused(&["a.csv: the keys \"x\" and \"0\" both mean column number 0"]);
    lab.run("fit a.csv:x ./a.csv:0").ends_refused(&["both mean column number 0"]);
    lab.run("fit a.csv:x a.csv:t --weights a.csv:0").ends_refused(&["both mean column number 0"]);
    check(&lab, "a.csv:x a.csv:x", [1.0, 0.0, 2.0], &[]);
}

/// pandas, polars and Python's strict reader refuse them, too.
#[test]
fn a_stray_quote_swallows_no_rows() {
    let lab = Lab::new();
    lab.write("note.csv", "x,t,note\n1,2,ok\n2,4,\"unterminated\n3,7,ok\n4,9,ok\n5,11,ok\n");
    lab.run("fit note.csv:x note.csv:t").ends_refused(&["note.csv:3: a quote opens", "file ends"]);
    lab.write("note.tsv", "x\tt\tn\n1\t2\ta\n2\t4\t\"b\n3\t7\tc\n4\t8\td\n");
    lab.run("fit note.tsv:x note.tsv:t").ends_refused(&["note.tsv:3: a quote opens"]);
    lab.write("inch.csv", "n,x,t\na,1,2\n\"5 pipe,2,4\nc,3,7\nd,4,8\n6\" pipe,5,11\ne,6,13\n");
    lab.run("fit inch.csv:x inch.csv:t").ends_refused(&["inch.csv:6: text follows a closing quote"]);
    // Far from its end.
    let rows = (0..200_000).map(|k| format!("{k},{k},ok\n")).collect::<Vec<_>>().concat();
    lab.write("far.csv", format!("x,t,note\n1,2,\"open\n{rows}"));
    lab.run("fit far.csv:x far.csv:t").ends_refused(&["far.csv:2: a quote opens", "1 MiB"]);
    // Closed by the next one, and a field of text.
    lab.write("pairs.csv", "x,t,s\n1,2,\"a\n2,4,\"\n3,7,c\n4,8,\"\n5,9,\"\n");
    let long = "pairs.csv:x: 2 rows take 4 lines, the first beginning in line 2";
    check(&lab, "pairs.csv:x pairs.csv:t", [29.0 / 14.0, 1.0 / 7.0, 3.0], &[long]);
    lab.write("name.csv", "x,\"t\r\n(cm)\",s\n1,2,a\n2,4,b\n");
    check(&lab, "name.csv:x name.csv:1", [2.0, 0.0, 2.0], &["1 row takes 2 lines, beginning in line 1"]);
    // Quotes that swallow nothing: within a field, and closed over lines.
    lab.write(
        "fine.csv",
        "n,x,t\n6\" pipe,1,10\n\"two\r\nlines, \"\"one\"\" field\" , \"2\" ,20\n \"a,b\",3,30\n",
    );
    check(&lab, "fine.csv:x fine.csv:t", [10.0, 0.0, 3.0], &["1 row takes 2 lines, beginning in line 3"]);
}

#[test]
fn what_is_beyond_f64_is_said() {
    let lab = Lab::new();
    lab.write("x.csv", "x\n1\n1e400\n").write("t.csv", "t\n1\n2\n");
    lab.run("fit x.csv t.csv").ends_refused(&["x.csv:3: 1e400 in column 0 is beyond the range of f64"]);
    lab.write("x.csv", "x\n1700000000.123456789\n1700000000.5\n0.1\n0.30000000000000004\n1e-400\n");
    lab.write("t.csv", "t\n1\n2\n3\n4\n5\n");
    let ran = lab.run("fit x.csv t.csv --solver exact --engine cpu").exits(0);
    let words = "note: x.csv: 2 of 5 numbers have more digits than f64 holds, the first in line 2";
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
}

/// X is 1.7e18 and steps of 50: as whole numbers of 64 bits, whatever an engine
/// makes of them.
#[test]
fn time_stamps_are_read_as_they_are() {
    let lab = Lab::new();
    let rows = |separator: &str| -> String {
        (0..40i64)
            .map(|k| format!("{}{separator}{}\n", 1_700_000_000_000_000_000 + 50 * k, 7 + 3 * k))
            .collect::<Vec<_>>()
            .concat()
    };
    let stamps: Vec<_> =
        (0..40i128).map(|k| crate::cli::Number::Int(1_700_000_000_000_000_000 + 50 * k)).collect();
    lab.write("ns.csv", format!("ts,y\n{}", rows(",")));
    lab.write(
        "ns.npy",
        Npy::of(
            crate::cli::dtype(crate::cli::ElementType::I64),
            Endian::Little,
            crate::cli::Order::C,
            &[40],
            &stamps,
        )
        .bytes(),
    );
    let fit = |x: &str| lab.run(&format!("fit {x} ns.csv:y --solver exact --json --engine cpu")).exits(0);
    let (text, npy) = (fit("ns.csv:ts"), fit("ns.npy"));
    assert_eq!(text.stderr.replace("ns.csv:ts", "ns.npy"), npy.stderr);
    for field in ["weight", "bias", "loss", "n"] {
        assert_eq!(text.json()[field], npy.json()[field], "{field}");
    }
}
