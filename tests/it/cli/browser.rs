//! Reports in a browser, where there is one: Chromium lays the page out without a
//! network, and no text lies over another or leaves the page.

use std::path::PathBuf;
use std::process::Command;

use crate::cli::Lab;

/// The browser, if it is installed.
fn chromium() -> Option<PathBuf> {
    let directories: Vec<PathBuf> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let mut places = directories.iter().flat_map(|directory| names.map(|name| directory.join(name)));
    places.find(|place| place.is_file())
}

/// Counts what is wrong with the layout, for the test to read.
const MEASURE: &str = r#"<script>
  const boxes = [...document.querySelectorAll("svg")].map(svg =>
    [...svg.querySelectorAll("text")].filter(t => t.textContent.trim()).map(t => t.getBoundingClientRect()));
  let over = 0, outside = 0;
  document.querySelectorAll("svg").forEach((svg, k) => {
    const page = svg.getBoundingClientRect();
    boxes[k].forEach((a, i) => {
      if (a.left < page.left - 1 || a.right > page.right + 1 || a.top < page.top - 1 || a.bottom > page.bottom + 1)
        outside++;
      boxes[k].slice(i + 1).forEach(b => {
        if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 4 && b.top < a.bottom - 4) over++;
      });
    });
  });
  const root = document.documentElement;
  root.setAttribute("data-texts", boxes.flat().length);
  root.setAttribute("data-over", over);
  root.setAttribute("data-outside", outside);
  root.setAttribute("data-wider", Math.max(0, root.scrollWidth - root.clientWidth));
</script></body>"#;

/// The attributes that [`MEASURE`] sets.
fn measured(chromium: &PathBuf, lab: &Lab, page: &str, options: &[&str]) -> [u32; 4] {
    let html = lab.read(page);
    assert!(html.contains("</body>"));
    lab.write("measured.html", html.replace("</body>", MEASURE));
    let profile = format!("--user-data-dir={}", lab.path("profile").display());
    let mut command = Command::new(chromium);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--dump-dom", &profile]);
    command.args(["--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=2000"]);
    let output = command.args(options).arg(lab.path("measured.html")).output().unwrap();
    let dom = String::from_utf8_lossy(&output.stdout);
    let number = |name: &str| {
        let start = format!("data-{name}=\"");
        let text =
            dom.split_once(&start).and_then(|(_, rest)| rest.split_once('"')).map(|(number, _)| number);
        text.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no {name}: {output:?}"))
    };
    ["texts", "over", "outside", "wider"].map(number)
}

#[test]
fn a_browser_lays_reports_out() {
    let Some(chromium) = chromium() else {
        eprintln!("there is no Chromium: reports are not laid out");
        return;
    };
    let lab = Lab::without_adapters();
    let iris = format!("{}/examples/data/iris.csv", env!("CARGO_MANIFEST_DIR"));
    let pair = format!("{iris}:petal_length {iris}:petal_width");
    lab.run(&format!("fit {pair} --steps 200 --lr auto -q --report one.html")).exits(0);
    lab.run(&format!("fit {pair} --groups {iris}:species --solver exact -q --report many.html")).exits(0);
    for page in ["one.html", "many.html"] {
        for options in [&["--window-size=1200,900"][..], &["--window-size=500,900", "--force-dark-mode"]] {
            let [texts, over, outside, wider] = measured(&chromium, &lab, page, options);
            assert!(texts > 30, "{page}: {texts} texts");
            assert_eq!([over, outside, wider], [0; 3], "{page} {options:?}: over, outside, wider");
        }
    }
}
