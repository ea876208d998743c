//! Shards: `fit --save-moments`, and `merge`.

use linfit::array::ElementType;

use crate::cli::{Lab, number, values};
use crate::common::Number;

/// X and T = 2·X + 1 with noise, in `x.npy` and `t.npy`, and, row by row, in shards of
/// so many rows of 256 elements.
fn shards(lab: &Lab, rows: &[usize]) {
    let all: usize = rows.iter().sum();
    lab.run(&format!("generate -x x.npy -t t.npy --shape {all}x256 --seed 4")).succeeds();
    for file in ["x", "t"] {
        let numbers = values(&lab.read_npy(&format!("{file}.npy")));
        let mut start = 0;
        for (k, rows) in rows.iter().enumerate() {
            let end = start + rows * 256;
            let part: Vec<Number> = numbers[start..end].iter().map(|&value| Number::Float(value)).collect();
            lab.npy(&format!("{file}{}.npy", k + 1), ElementType::F32, &[*rows as u64, 256], &part);
            start = end;
        }
    }
    let count = rows.len();
    for k in 1..=count {
        let fit = format!(
            "fit x{k}.npy t{k}.npy --solver exact --save-moments part{k}.json --shard {k}/{count} -q"
        );
        lab.run(&fit).succeeds();
    }
}

/// Shards of 1, 3 and 2 chunks, and of a part of one.
#[test]
fn shards_have_the_bits_of_one_fit() {
    let lab = Lab::new();
    shards(&lab, &[256, 768, 512, 100]);
    let whole = lab.run("fit x.npy t.npy --solver exact --engine cpu --json").succeeds().json();
    let merged = lab.run("merge part3.json part1.json part4.json part2.json --json").succeeds().json();
    for field in ["weight", "bias", "n"] {
        assert_eq!(number(&whole, field).to_bits(), number(&merged, field).to_bits(), "{field}");
    }
    let (one, other) = (number(&whole, "loss"), number(&merged, "loss"));
    assert!((one / other - 1.0).abs() < 1e-9, "{one} {other}");
    assert_eq!(whole["statistics"]["r2"], merged["statistics"]["r2"]);
    assert_eq!(merged["stop_reason"], "exact");

    let stepped = lab
        .run("merge part1.json part2.json part3.json part4.json --solver moments --json")
        .succeeds()
        .json();
    assert!((number(&stepped, "weight") / number(&whole, "weight") - 1.0).abs() < 1e-9);
    lab.run("merge part1.json part2.json part3.json part4.json --save model.json -q").succeeds();
    lab.run("predict model.json x.npy -o y.npy").succeeds();
}

#[test]
fn what_is_not_one_whole_is_refused() {
    let lab = Lab::new();
    shards(&lab, &[256, 256, 100]);
    lab.run("merge part1.json part3.json").ends_refused(&["missing: 2"]);
    lab.run("merge part1.json part2.json part3.json part2.json").ends_refused(&["both shard 2/3"]);
    lab.run("fit x2.npy t2.npy --solver exact --save-moments part2.json --shard 2/4 -q").succeeds();
    lab.run("merge part1.json part2.json part3.json").ends_refused(&["another number of shards"]);
    lab.run("fit x2.npy t2.npy --solver exact --engine reference --save-moments part2.json --shard 2/3 -q")
        .succeeds();
    lab.run("merge part1.json part2.json part3.json").ends_refused(&["do not merge with"]);
    lab.run("merge x1.npy").ends_refused(&["x1.npy", "--save-moments"]);
    lab.run("merge none.json").ends_refused(&["none.json"]);
    lab.run("merge part1.json --lr 0.1").ends_refused(&["--lr", "--solver moments"]);
    lab.run("merge part1.json --save part1.json").ends_refused(&["--save"]);
    lab.run("fit x1.npy t1.npy --shard 1/2").ends_refused(&["--save-moments"]);
    lab.run("fit x1.npy t1.npy --save-moments p.json --shard 3/2").ends_refused(&["3/8"]);
}

/// A shard that ends within a chunk, and no numbers: merged in the order given.
#[test]
fn shards_of_any_size_merge_but_for_rounding() {
    let lab = Lab::new();
    shards(&lab, &[100, 300]);
    let whole = lab.run("fit x.npy t.npy --solver exact --json").succeeds().json();
    for k in [1, 2] {
        lab.run(&format!("fit x{k}.npy t{k}.npy --solver exact --save-moments part{k}.json -q")).succeeds();
    }
    let merged = lab.run("merge part1.json part2.json --json").exits(0);
    assert!(merged.stderr.contains("last digits"), "{merged:?}");
    let merged = merged.json();
    for field in ["weight", "bias", "loss"] {
        assert!((number(&merged, field) / number(&whole, field) - 1.0).abs() < 1e-12, "{field}");
    }
    lab.run("merge part1.json part1.json").ends_refused(&["the same moments"]);
}

/// X = 1, 2, 3, 4 with T = 3, 5, 7, 10: through the origin, W = Σxt/Σx² = 74/30; with
/// σt²/σx² = 26.75/5, the reduced major axis has W = √5.35.
#[test]
fn merge_fits_every_line() {
    let lab = Lab::new();
    lab.write("a.csv", "x,t\n1,3\n2,5\n");
    lab.write("b.csv", "x,t\n3,7\n4,10\n");
    for part in ["a", "b"] {
        lab.run(&format!("fit {part}.csv:x {part}.csv:t --solver exact --save-moments {part}.json -q"))
            .succeeds();
    }
    let weight = |options: &str| {
        number(&lab.run(&format!("merge a.json b.json --json -q {options}")).succeeds().json(), "weight")
    };
    assert!((weight("--line through-origin") - 74.0 / 30.0).abs() < 1e-14);
    assert!((weight("--line rma") - 5.35f64.sqrt()).abs() < 1e-14);
    let offset = lab.run("merge a.json b.json --json -q --line offset --w0 3").succeeds().json();
    assert!((number(&offset, "bias") - (6.25 - 3.0 * 2.5)).abs() < 1e-14);
    assert!((weight("--solver moments --line through-origin --steps 5000") - 74.0 / 30.0).abs() < 1e-9);
    lab.run("merge a.json b.json --line rma --solver moments").ends_refused(&["--solver exact"]);
    lab.run("merge a.json b.json --w0 3").ends_refused(&["--w0"]);
}

/// The second of three shards has nothing valid, and the third a single pair: neither
/// has a line, and all of them have one.
#[test]
fn shards_without_a_line_are_parts_all_the_same() {
    let lab = Lab::new();
    lab.write("1.csv", "x,t\n1,3\n2,5\n3,7\n");
    lab.write("2.csv", "x,t\n-9,1\n-9,2\n");
    lab.write("3.csv", "x,t\n4,10\n");
    for part in 1..=3 {
        let fit =
            format!("fit {part}.csv:x {part}.csv:t --nodata -9 --solver exact --save-moments {part}.json");
        let done = lab.run(&format!("{fit} --shard {part}/3")).exits(0);
        let note = ["", "adds nothing", "no line of its own"][part - 1];
        assert!(done.stderr.contains(note), "{done:?}");
    }
    let merged = lab.run("merge 1.json 2.json 3.json --json -q").succeeds().json();
    assert_eq!(number(&merged, "n"), 4.0);
    assert!((number(&merged, "weight") - 2.3).abs() < 1e-14);
}

#[test]
fn groups_merge_by_their_labels() {
    let lab = Lab::new();
    lab.write("all.csv", "x,t,g\n1,3,a\n2,5,a\n1,1,b\n2,3,a\n3,2,b\n5,4,b\n7,9,c\n");
    lab.write("1.csv", "x,t,g\n1,3,a\n2,5,a\n1,1,b\n");
    lab.write("2.csv", "x,t,g\n2,3,a\n3,2,b\n5,4,b\n7,9,c\n");
    for part in 1..=2 {
        let fit = format!("fit {part}.csv:x {part}.csv:t --groups {part}.csv:g --solver exact");
        lab.run(&format!("{fit} --save-moments {part}.json --shard {part}/2 -q")).succeeds();
    }
    let whole =
        lab.run("fit all.csv:x all.csv:t --groups all.csv:g --solver exact --json -q").succeeds().json();
    let merged = lab.run("merge 2.json 1.json --json -q --save fits.csv").succeeds().json();
    assert_eq!(merged["fits"]["count"], 3);
    for (one, other) in whole["results"].as_array().unwrap().iter().zip(merged["results"].as_array().unwrap())
    {
        assert_eq!((&one["group"], &one["n"]), (&other["group"], &other["n"]));
        for field in ["weight", "bias"] {
            let [one, other] = [one, other].map(|fit| fit[field].as_f64());
            assert!(
                one.zip(other).is_none_or(|(one, other)| (one - other).abs() < 1e-12),
                "{one:?} {other:?}"
            );
        }
    }
    lab.run("fit 1.csv:x 1.csv:t --solver exact --save-moments 1.json --shard 1/2 -q").succeeds();
    lab.run("merge 2.json 1.json").ends_refused(&["other groups"]);
}
