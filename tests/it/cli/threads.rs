//! Files that all cores decode: the same numbers, notes and errors on any number of
//! threads, within any memory, as of one piece after another.

use std::fmt::Write;

use crate::cli::Lab;

const THREADS: [&str; 4] = ["1", "2", "3", "8"];

/// Rows of a text of some megabytes, so that it is cut into blocks: blanks, quotes,
/// missing values, comments and empty lines among plain rows.
fn rows(count: usize) -> String {
    let mut text = String::from("x,label,t,w,m\n");
    for k in 0..count {
        let x = (k as f64 * 0.618_033_988_749_894_9).fract();
        let t = 3.0 * x + (k as f64 * 0.414_213_562_373_095).fract();
        let (w, m) = (k % 7 + 1, usize::from(k % 11 > 0));
        let written = match k % 5_000 {
            17 => writeln!(text, " {x:?} ,\"a, \"\"b\"\"\",{t:?},{w},{m}"),
            99 => writeln!(text, ",,{t:?},{w},{m}"),
            100 => writeln!(text, "{x:?},\"two\nlines\",{t:?},{w},{m}"),
            2_000 => writeln!(text, "\n{x:e},,{t:?},{w},{m}"),
            3_000 => writeln!(text, "# no\n{x:?},b,NA,{w},{m}"),
            _ => writeln!(text, "{x:?},b,{t:?},{w},{m}"),
        };
        written.unwrap();
    }
    text
}

/// What fitting says but for how long it took.
fn fit(lab: &mut Lab, arguments: &str, threads: &str) -> (String, String) {
    lab.set("RAYON_NUM_THREADS", threads);
    let ran = lab.run(&format!("fit {arguments} --solver exact --engine cpu --json")).exits(0);
    let mut json = ran.json();
    json.as_object_mut().unwrap().remove("timings");
    (json.to_string(), ran.stderr)
}

#[test]
fn text_is_the_same_on_any_number_of_threads() {
    let mut lab = Lab::new();
    let text = rows(60_000);
    assert!(text.len() > 2 << 20);
    lab.write("d.csv", &text).write("crlf.csv", text.replace('\n', "\r\n"));
    let all = "d.csv:x d.csv:t --weights d.csv:w --mask d.csv:m --comment #";
    let want = fit(&mut lab, all, "1");
    for word in
        ["12 empty lines skipped, the first is line 2003", "12 lines skipped as comments", "12 rows take"]
    {
        assert!(want.1.contains(word), "{word}: {}", want.1);
    }
    for threads in THREADS {
        assert_eq!(fit(&mut lab, all, threads), want, "{threads}");
        assert_eq!(fit(&mut lab, &format!("{all} --memory 3MB"), threads).0, want.0, "{threads}");
        let crlf = fit(&mut lab, &all.replace("d.csv", "crlf.csv"), threads);
        assert_eq!(crlf.1.replace("crlf.csv", "d.csv"), want.1, "{threads}");
    }
    // A comment that nothing skips, in each of the last blocks: the first counts.
    for threads in THREADS {
        lab.set("RAYON_NUM_THREADS", threads);
        lab.run("fit d.csv:x d.csv:t").ends_refused(&["d.csv:3004: number of fields: 1"]);
    }
    let line = text.lines().count();
    lab.write("bad.csv", format!("{text}1,2,3,4\n1,b,x,1,1\n"));
    for threads in THREADS {
        lab.set("RAYON_NUM_THREADS", threads);
        let place = format!("bad.csv:{}: number of fields: 4", line + 1);
        lab.run("fit bad.csv:x bad.csv:t --comment #").ends_refused(&[&place]);
    }
}

/// What other formats hold of an array is the array, whatever decodes it.
#[test]
#[cfg(all(feature = "parquet", feature = "tiff", feature = "png"))]
fn decoded_files_are_the_same_on_any_number_of_threads() {
    use std::fs;

    use crate::cli::number;

    let mut lab = Lab::new();
    lab.write("m.json", r#"{"weight": 2, "bias": 1}"#).write("same.json", r#"{"weight": 1, "bias": 0}"#);
    let values: Vec<f64> = (0..1_200_000).map(|k| f64::from(k) * 0.5 - 7.0).collect();
    lab.f64s("x.npy", &values);
    for name in ["y.parquet", "y.arrow"] {
        lab.run(&format!("predict m.json x.npy -o {name} -q")).succeeds();
    }
    lab.run("generate -x image.npy -t t.npy --shape 1500x700 --dtype f32 -q").succeeds();
    lab.run("predict m.json image.npy -o y.tif -q").succeeds();
    lab.run("predict m.json x.npy -o y.npy -q").succeeds();
    lab.run("predict m.json image.npy -o z.npy -q").succeeds();
    let (line, image) = (fs::read(lab.path("y.npy")).unwrap(), fs::read(lab.path("z.npy")).unwrap());
    for threads in THREADS {
        lab.set("RAYON_NUM_THREADS", threads);
        for memory in ["", "--memory 1MB", "--memory 1KiB"] {
            for (name, want) in [("y.parquet", &line), ("y.arrow", &line), ("y.tif", &image)] {
                lab.run(&format!("predict same.json {name} -o again.npy -q {memory}")).succeeds();
                assert!(fs::read(lab.path("again.npy")).unwrap() == *want, "{name} {threads} {memory}");
            }
        }
        // Both from one file: T is X.
        let ran = lab.run("fit y.parquet y.parquet --solver exact --engine cpu --json").exits(0);
        assert_eq!((number(&ran.json(), "weight"), number(&ran.json(), "bias")), (1.0, 0.0));
    }
}
