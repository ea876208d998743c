//! `fit --plot` and `--report` of many fits, `compare --plot`: what is in the files.

use std::fs;

use linfit::array::ElementType;

use crate::cli::pictures::{Element, check_labels, parse, reported};
use crate::cli::{Lab, number};
use crate::common::Number;

/// Three layers of `rows`×`columns`, the times 1, 2, 3: at pixel k, T = (k + 1)·X − k.
fn pixels(lab: &Lab, [rows, columns]: [u64; 2]) {
    let pixels = (rows * columns) as usize;
    let x: Vec<Number> = (0..3 * pixels).map(|k| Number::Float((k / pixels + 1) as f64)).collect();
    let line = |k: usize| {
        let (time, pixel) = (k / pixels + 1, k % pixels);
        Number::Float(((pixel + 1) * time) as f64 - pixel as f64)
    };
    let t: Vec<Number> = (0..3 * pixels).map(line).collect();
    lab.npy("x.npy", ElementType::F64, &[3, rows, columns], &x);
    lab.npy("t.npy", ElementType::F64, &[3, rows, columns], &t);
}

/// The rectangles of a colour, by their left upper corners.
fn of_color(elements: &[Element], color: &str) -> Vec<(f64, f64)> {
    let filled = elements.iter().filter(|element| element.get("fill") == Some(color));
    filled
        .filter(|element| element.name == "rect")
        .map(|element| (element.number("x"), element.number("y")))
        .collect()
}

fn texts(elements: &[Element]) -> Vec<&str> {
    elements.iter().map(|element| element.text.as_str()).collect()
}

/// The least W is that of the first pixel and the greatest that of the last. b falls
/// where W rises.
#[test]
fn fits_in_two_dimensions_are_maps() {
    let lab = Lab::without_adapters();
    pixels(&lab, [2, 3]);
    lab.run("fit x.npy t.npy --axis 0 --solver exact --plot a.svg").succeeds();
    let svg = lab.read("a.svg");
    let elements = parse(&svg);
    check_labels(&elements, "maps");
    let texts = texts(&elements);
    for text in ["6 fits of Y = X·W + b, in shape 2×3", "W", "b", "R²", "column", "row"] {
        assert!(texts.contains(&text), "no {text}: {texts:?}");
    }
    assert!(texts.contains(&"18 pairs, median W 3.5, median b -2.5, median R² 1"), "{texts:?}");
    // The ends of viridis: its first is also the lowest step of each bar.
    let (lowest, highest) = (of_color(&elements, "#440154"), of_color(&elements, "#FEE825"));
    let half = |places: &[(f64, f64)], is_left: bool| {
        let mut here: Vec<(f64, f64)> =
            places.iter().copied().filter(|place| (place.0 < 430.0) == is_left && place.1 < 384.0).collect();
        here.sort_by(|a, b| a.0.total_cmp(&b.0));
        here.first().copied().unwrap_or_else(|| panic!("{places:?}"))
    };
    // On the left the map of W, on the right that of b.
    let ((low_x, low_y), (high_x, high_y)) = (half(&lowest, true), half(&highest, true));
    assert!(low_x < high_x && low_y < high_y, "W grows to the right and down");
    let ((low_x, low_y), (high_x, high_y)) = (half(&lowest, false), half(&highest, false));
    assert!(low_x > high_x && low_y > high_y, "b falls to the right and down");
}

#[test]
fn fits_by_label_are_histograms_and_the_worst_is_named() {
    let lab = Lab::without_adapters();
    let mut table = "site,x,t\n".to_owned();
    for (site, noise) in [("alpha", 0.1), ("beta", 2.0), ("gamma", 0.3), ("delta <&>", 0.0)] {
        for k in 0..20 {
            let t = 2.0 * f64::from(k) + noise * f64::from(k * 7 % 5 - 2);
            table.extend([format!("{site},{k},{t}\n")]);
        }
    }
    lab.write("t.csv", table);
    let line = "fit t.csv:x t.csv:t --groups t.csv:site --solver exact --plot a.svg --report a.html --json";
    let json = lab.run(line).succeeds().json();
    let elements = parse(&lab.read("a.svg"));
    check_labels(&elements, "histograms");
    let all = texts(&elements);
    assert_eq!(all.iter().filter(|text| **text == "fits").count(), 3, "an axis of each histogram: {all:?}");
    let place = |name: &str| {
        all.iter().position(|text| *text == name).unwrap_or_else(|| panic!("no {name}: {all:?}"))
    };
    assert!(place("beta") < place("gamma") && place("gamma") < place("alpha"), "{all:?}");
    assert!(place("alpha") < place("delta <&>"), "{all:?}");
    assert!(all.contains(&"The 4 fits with the lowest R²"), "{all:?}");
    assert!(all.iter().all(|text| !text.contains("outside")), "{all:?}");
    let page = lab.read("a.html");
    let elements = parse(&page);
    let mut fields = 0;
    for element in &elements {
        if let Some(field) = element.get("data-field") {
            let shown: f64 = element.text.replace(',', "").parse().unwrap();
            assert_eq!(shown, reported(&json, field), "{field}");
            fields += 1;
        }
    }
    assert_eq!(fields, 18);
    let headings: Vec<&str> =
        elements.iter().filter(|element| element.name == "h2").map(|element| &element.text[..]).collect();
    assert_eq!(headings, ["Numbers", "The fits", "The 4 fits with the lowest R²", "Data", "Made by"]);
    assert!(page.contains("beta") && page.contains("delta &lt;&amp;&gt;") && page.contains("linfit fit "));
    assert!(elements.iter().all(|element| element.name != "script"));
}

#[test]
fn odd_fits_have_pictures_of_a_bounded_size() {
    let lab = Lab::without_adapters();
    // 300×260 pixels, one of a hundred without a line, and one far from all others.
    let (rows, columns) = (300usize, 260usize);
    let pixels = rows * columns;
    let x: Vec<Number> = (0..3 * pixels)
        .map(|k| Number::Float(if k % pixels % 100 == 0 { 1.0 } else { (k / pixels) as f64 }))
        .collect();
    let t: Vec<Number> = (0..3 * pixels)
        .map(|k| {
            let (time, pixel) = (k / pixels, k % pixels);
            let slope = if pixel == 777 { 1e6 } else { 1.0 + (pixel % 260) as f64 / 260.0 };
            Number::Float(slope * time as f64 + (k * 7919 % 1009) as f64 / 5000.0)
        })
        .collect();
    let shape = [3, rows as u64, columns as u64];
    lab.npy("x.npy", ElementType::F32, &shape, &x).npy("t.npy", ElementType::F32, &shape, &t);
    let line = "fit x.npy t.npy --axis 0 --solver exact -q";
    lab.run(&format!("{line} --plot a.svg --report a.html")).exits(0);
    let elements = parse(&lab.read("a.svg"));
    check_labels(&elements, "odd");
    let texts = texts(&elements);
    assert!(texts.contains(&"W, 1 beyond the colours, means of 7×5"), "{texts:?}");
    assert!(lab.read("a.html").len() < 3 << 20, "{} bytes", lab.read("a.html").len());
    let before = fs::read(lab.path("a.svg")).unwrap();
    let mut again = lab.command(&format!("{line} --plot a.svg"));
    assert!(again.env("RAYON_NUM_THREADS", "3").output().unwrap().status.success());
    assert!(before == fs::read(lab.path("a.svg")).unwrap(), "other bytes on another number of threads");
    // A single fit of many is a histogram of one, and a group whose T is constant has
    // no R².
    lab.write("t.csv", "g,x,t\n1,1,5\n1,2,5\n");
    lab.run("fit t.csv:x t.csv:t --groups t.csv:g --solver exact -q --plot b.svg").exits(0);
    let elements = parse(&lab.read("b.svg"));
    check_labels(&elements, "one");
    let texts: Vec<&str> = elements.iter().map(|element| &element.text[..]).collect();
    assert!(texts.contains(&"R²: no fit has one"), "{texts:?}");
}

#[test]
fn a_comparison_is_drawn_with_the_errors_of_the_json() {
    let lab = Lab::new();
    lab.run("generate -x x.npy -t t.npy --shape 123x45 --noise 0.5 --seed 9").succeeds();
    let json = lab.run("compare x.npy t.npy --plot c.svg --json").exits(0).json();
    let elements = parse(&lab.read("c.svg"));
    check_labels(&elements, "comparison");
    let results = json["results"].as_array().unwrap();
    assert!(results.len() >= 3, "{json}");
    let all = texts(&elements);
    assert!(all.contains(&"cpu") && all.iter().any(|text| text.ends_with(", compensated")), "{all:?}");
    let circles: Vec<f64> = elements
        .iter()
        .filter(|element| element.name == "circle")
        .map(|element| element.number("cx"))
        .collect();
    assert_eq!(circles.len(), 4 * results.len());
    // The tolerance, in its colour: dashes from top to bottom at one place.
    let dashes =
        elements.iter().filter(|e| e.name == "polyline" && e.get("stroke") == Some("#D55E00")).count();
    assert!(dashes > 4, "{dashes}");
    // Two dots apart by decades as their errors are: the scale from the first two that differ.
    let fields = ["rel_error_loss", "rel_error_grad_weight", "rel_error_grad_bias", "rel_error_moments"];
    let errors: Vec<f64> = results
        .iter()
        .flat_map(|result| fields.map(|field| number(result, field).max(1e-17).log10()))
        .collect();
    let (first, last) = (0, errors.iter().position(|error| (error - errors[0]).abs() > 3.0).unwrap());
    let scale = (circles[last] - circles[first]) / (errors[last] - errors[first]);
    for (circle, error) in circles.iter().zip(&errors) {
        let want = circles[first] + scale * (error - errors[first]);
        assert!((circle - want).abs() <= 3.0, "{circle} for {want}: {error}");
    }
    lab.run("compare x.npy t.npy --plot c.gif").ends_refused(&["--plot", ".svg and .png"]);
    lab.run("compare x.npy t.npy --plot x.npy").ends_refused(&["--plot"]);
}
