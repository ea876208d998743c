//! `fit --plot` and `--report`, `bench --plot`: what is in the files.

use std::fs;

use crate::cli::{Lab, number};
use serde_json::Value;

/// Iris, and the directory of examples beside it.
fn iris(name: &str) -> String {
    format!("{}/examples/data/iris.csv:{name}", env!("CARGO_MANIFEST_DIR"))
}

/// An element of SVG or HTML: its name, attributes, and the text right behind it.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) name: String,
    attributes: Vec<(String, String)>,
    pub(super) text: String,
}

impl Element {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(super) fn number(&self, name: &str) -> f64 {
        self.get(name).and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name}: {self:?}"))
    }
}

fn unescaped(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    text.replace("&apos;", "'").replace("&amp;", "&")
}

/// Parses SVG or HTML, all of whose elements but `meta` are closed, in order.
#[track_caller]
pub(super) fn parse(markup: &str) -> Vec<Element> {
    let (mut elements, mut open) = (Vec::new(), Vec::<String>::new());
    let markup = markup.strip_prefix("<!doctype html>").unwrap_or(markup);
    for tag in markup.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').unwrap_or_else(|| panic!("an open tag: {tag}"));
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "closed out of order");
            continue;
        }
        let (tag, is_closed) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let name = tag.split_whitespace().next().unwrap().to_owned();
        let mut attributes = Vec::new();
        let mut rest = tag[name.len()..].trim();
        while let Some((key, after)) = rest.split_once("=\"") {
            let (value, after) = after.split_once('"').unwrap_or_else(|| panic!("no end: {tag}"));
            attributes.push((key.trim().to_owned(), unescaped(value)));
            rest = after.trim();
        }
        assert_eq!(rest, "", "{tag}");
        if !is_closed && name != "meta" {
            open.push(name.clone());
        }
        elements.push(Element { name, attributes, text: unescaped(text.trim()) });
    }
    assert!(open.is_empty(), "never closed: {open:?}");
    elements
}

/// The texts of a picture, with the boxes that they take at most.
fn boxes(elements: &[Element]) -> Vec<(String, [f64; 4])> {
    let texts = elements.iter().filter(|element| element.name == "text" && !element.text.is_empty());
    let boxed = texts.map(|element| {
        let size = element.number("font-size");
        let (x, y) = (element.number("x"), element.number("y"));
        let width = element.text.chars().count() as f64 * size * 0.56;
        let start = match element.get("text-anchor") {
            Some("middle") => -width / 2.0,
            Some("end") => -width,
            _ => 0.0,
        };
        let (top, height) = match element.get("dy") {
            Some("0.76em") => (0.0, size),
            Some("0.5ex") => (-size / 2.0, size),
            _ => (-size, size),
        };
        // Turned to the left, what is below is on the right.
        let place = match element.get("transform") {
            Some(turned) if turned.starts_with("rotate(270") => {
                [x + top, y - width - start, x + top + height, y - start]
            }
            Some(_) => [x - top - height, y + start, x - top, y + start + width],
            None => [x + start, y + top, x + start + width, y + top + height],
        };
        (element.text.clone(), place)
    });
    boxed.collect()
}

/// Labels lie within the picture and over no other.
#[track_caller]
pub(super) fn check_labels(elements: &[Element], what: &str) {
    let svg = elements.iter().find(|element| element.name == "svg").unwrap();
    let (width, height) = (svg.number("width"), svg.number("height"));
    let boxes = boxes(elements);
    assert!(boxes.len() > 8, "{what}: {boxes:?}");
    for (k, (text, [left, top, right, bottom])) in boxes.iter().enumerate() {
        let is_in = *left >= -2.0 && *top >= -2.0 && *right <= width + 2.0 && *bottom <= height + 2.0;
        assert!(is_in, "{what}: {text:?} leaves the picture: {left} {top} {right} {bottom}");
        assert!(!text.contains("NaN") && !text.contains("inf"), "{what}: {text}");
        for (other, [l, t, r, b]) in &boxes[k + 1..] {
            let is_apart = right <= l || r <= left || bottom <= t || b <= top;
            assert!(is_apart, "{what}: {text:?} lies over {other:?}");
        }
    }
}

#[test]
fn a_plot_has_the_line_the_cells_and_the_numbers() {
    let lab = Lab::new();
    let pair = format!("{} {}", iris("petal_length"), iris("petal_width"));
    let line = format!("fit {pair} --solver exact --engine cpu --plot a.svg");
    let json = lab.run(&format!("{line} --json")).succeeds().json();
    let svg = lab.read("a.svg");
    let elements = parse(&svg);
    check_labels(&elements, "iris");
    let texts: Vec<&str> = elements.iter().map(|element| element.text.as_str()).collect();
    assert!(texts.contains(&"Y = X·0.415755 - 0.363076"), "{texts:?}");
    assert_eq!(format!("{:.6}", number(&json, "weight")), "0.415755");
    assert!(texts.contains(&"150 pairs, loss 0.0420673, R² 0.92711"), "{texts:?}");
    assert!(texts.contains(&"iris.csv:petal_length"), "{texts:?}");
    let filled = elements.iter().filter(|element| element.name == "rect").count();
    assert!((60..1000).contains(&filled), "{filled} rectangles");
    assert!(svg.len() < 100_000, "{} bytes", svg.len());
    // The line from end to end, in its colour: it rises, so y falls.
    let line = elements
        .iter()
        .find(|element| element.name == "polyline" && element.get("stroke") == Some("#D55E00"));
    let points: Vec<f64> = line
        .unwrap()
        .get("points")
        .unwrap()
        .split([',', ' '])
        .filter_map(|number| number.parse().ok())
        .collect();
    assert!(
        points.len() == 4 && points[2] > points[0] + 400.0 && points[3] < points[1] - 200.0,
        "{points:?}"
    );
    // Petals are from 1.0 to 6.9 long.
    let tick = |text: &str| elements.iter().any(|element| element.name == "text" && element.text == text);
    assert!(["2", "3", "4", "5", "6"].into_iter().all(tick), "{texts:?}");
}

#[test]
fn pictures_are_the_same_bytes_for_the_same_fit() {
    let lab = Lab::new();
    let pair = format!("{} {}", iris("petal_length"), iris("petal_width"));
    let mut before = None;
    for threads in ["1", "2", "5"] {
        let mut command = lab.command(&format!(
            "fit {pair} --engine cpu --solver moments --lr auto --plot a.png --report a.html --quiet"
        ));
        let output = command.env("RAYON_NUM_THREADS", threads).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        // The page names the engine, with its threads.
        let page = lab
            .read("a.html")
            .replace(&format!("({threads} thread"), "(N thread")
            .replace("threads", "thread");
        let now = (fs::read(lab.path("a.png")).unwrap(), page);
        assert!(before.as_ref().is_none_or(|before| *before == now), "on {threads} threads");
        before = Some(now);
    }
}

#[test]
fn a_png_is_twice_as_large_and_not_empty() {
    let lab = Lab::new();
    lab.worked_example();
    lab.run("fit x.npy t.npy --engine cpu --solver exact --plot a.PNG").succeeds();
    let bytes = fs::read(lab.path("a.PNG")).unwrap();
    assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"));
    let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!((word(16), word(20)), (1720, 1280));
    assert!(bytes.len() > 10_000 && bytes.len() < 200_000, "{} bytes", bytes.len());
}

/// A number of the report of the same name.
pub(super) fn reported(json: &Value, field: &str) -> f64 {
    field.split('.').fold(json, |json, name| &json[name]).as_f64().unwrap()
}

#[test]
fn a_report_has_the_numbers_of_the_json_and_needs_no_other_file() {
    let lab = Lab::new();
    let pair = format!("{} {}", iris("petal_length"), iris("petal_width"));
    let line = format!("fit {pair} --engine cpu --steps 300 --valid-range 0.1,6.5 --report r.html --json");
    let json = lab.run(&line).exits(0).json();
    let page = lab.read("r.html");
    let elements = parse(&page);
    let mut fields = 0;
    for element in &elements {
        if let Some(field) = element.get("data-field") {
            let shown: f64 = element.text.replace(',', "").parse().unwrap();
            assert_eq!(shown, reported(&json, field), "{field}");
            fields += 1;
        }
    }
    assert!(fields >= 14, "{fields} numbers");
    assert_eq!(elements.iter().filter(|element| element.name == "svg").count(), 3);
    let headings: Vec<&str> =
        elements.iter().filter(|element| element.name == "h2").map(|element| &element.text[..]).collect();
    assert_eq!(headings, ["Numbers", "The line over the data", "Residuals", "Descent", "Data", "Made by"]);
    for part in [
        "linfit fit ",
        "--valid-range 0.1,6.5",
        "150, f64",
        "outside the valid range",
        env!("CARGO_PKG_VERSION"),
        "prefers-color-scheme: dark",
        "@media print",
    ] {
        assert!(page.contains(part), "no {part}");
    }
    let names: Vec<&str> = elements.iter().map(|element| &element.name[..]).collect();
    for name in ["script", "link", "img", "iframe", "object"] {
        assert!(!names.contains(&name), "{name}");
    }
    let links = page.match_indices("http").count();
    assert_eq!(links, page.match_indices("xmlns=\"http://www.w3.org/2000/svg\"").count());
    assert!(page.len() < 300_000, "{} bytes", page.len());
    for svg in page.split("<svg ").skip(1) {
        let svg = format!("<svg {}", svg.split("</svg>").next().unwrap()) + "</svg>";
        check_labels(&parse(&svg), "the report");
    }
}

#[test]
fn odd_data_have_pictures() {
    let lab = Lab::new();
    let n = 3000usize;
    let line: Vec<f64> = (0..n).map(|k| k as f64).collect();
    let noise = |k: usize| (k * 7919 % 1009) as f64 / 1009.0 - 0.5;
    let of = |each: &dyn Fn(usize) -> f64| (0..n).map(each).collect::<Vec<f64>>();
    let all_but_three = of(&|k| if k % 1000 == 5 { k as f64 } else { -1.0 });
    let cases: [(&str, Vec<f64>, Vec<f64>, &str); 11] = [
        ("two points", vec![1.0, 2.0], vec![3.0, 5.0], "exact"),
        ("constant T", line.clone(), vec![4.0; n], "exact"),
        ("constant X", vec![4.0; n], line.clone(), "moments --lr 0.01"),
        ("one pair", vec![4.0], vec![5.0], "moments"),
        ("W = 0", of(&noise), of(&|k| noise(k * k % 3001)), "exact"),
        ("far", of(&|k| 1e9 + noise(k)), of(&|k| 1e12 + 3.0 * noise(k)), "exact"),
        ("huge", of(&|k| 1e160 * noise(k)), of(&|k| -1e149 * noise(k * k % 3001)), "exact"),
        ("tiny", of(&|k| 1e-160 * noise(k)), of(&|k| 1e-150 * noise(k)), "exact"),
        ("masked", all_but_three, of(&|k| 2.0 * k as f64 + noise(k)), "exact --x-nodata -1"),
        ("an outlier", of(&|k| if k == 7 { 1e6 } else { noise(k) }), of(&noise), "exact"),
        ("a perfect line", line.clone(), of(&|k| 2.0 * k as f64 + 1.0), "exact"),
    ];
    for (name, x, t, solver) in cases {
        lab.f64s("x.npy", &x).f64s("t.npy", &t);
        let command =
            format!("fit x.npy t.npy --engine cpu --solver {solver} --plot a.svg --report a.html -q");
        lab.run(&command).exits(0);
        let svg = lab.read("a.svg");
        check_labels(&parse(&svg), name);
        let page = lab.read("a.html");
        parse(&page);
        for svg in page.split("<svg ").skip(1) {
            let svg = format!("<svg {}", svg.split("</svg>").next().unwrap()) + "</svg>";
            check_labels(&parse(&svg), name);
        }
        assert!(!page.contains("NaN"), "{name}");
        assert!(page.len() < 3 << 20, "{name}: {} bytes", page.len());
    }
}

#[test]
fn names_are_escaped_and_outputs_checked() {
    let lab = Lab::new();
    lab.worked_example();
    fs::copy(lab.path("x.npy"), lab.path("<b>&\".npy")).unwrap();
    lab.run("fit <b>&\".npy t.npy --engine cpu --solver exact --report a.html --plot a.svg").succeeds();
    let (page, svg) = (lab.read("a.html"), lab.read("a.svg"));
    parse(&svg);
    assert!(parse(&page).iter().all(|element| element.name != "b"));
    for (line, parts) in [
        ("fit x.npy t.npy --plot a.pdf", ["--plot", ".svg and .png"]),
        ("fit x.npy t.npy --report a.pdf", ["--report", ".html"]),
        ("fit x.npy t.npy --plot a.svg --report nowhere/a.html", ["nowhere", "a.html"]),
        ("fit x.npy t.npy --plot a.svg --history a.svg", ["--plot", "--history"]),
        ("bench --plot a.gif --engine cpu", ["--plot", ".svg and .png"]),
    ] {
        lab.run(line).ends_refused(&parts);
    }
}

#[test]
fn a_benchmark_is_drawn() {
    let lab = Lab::new();
    // However long a loaded machine takes.
    let line = "bench --engine cpu --sizes 4K,16K,64K --passes step,forward --time 0 --plot b.svg --json";
    let output = lab.command(line).output().unwrap();
    let json = lab.judge(line, &output).exits(0).json();
    let elements = parse(&lab.read("b.svg"));
    check_labels(&elements, "bench");
    let lines = elements.iter().filter(|element| element.name == "polyline").count();
    assert!(lines >= 2, "{lines}");
    let texts: Vec<&str> = elements.iter().map(|element| &element.text[..]).collect();
    assert!(texts.contains(&"— cpu, step") && texts.contains(&"— cpu, forward"), "{texts:?}");
    assert_eq!(json["results"].as_array().unwrap().len(), 6);
}
