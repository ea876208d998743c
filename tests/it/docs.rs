//! README.md and the guide in docs/, held to the program.
//!
//! Every `sh` block of a page is run, in the order of the page, in a directory
//! with `examples` in it; `sh no-run` blocks are not. A `text` block right after
//! one is what it prints. In such a block, `…` stands for anything: the rest of a
//! number (`0.41…`, `…e-7`), part of a line or, alone in a line, lines. Times,
//! rates, threads and gradients that are only rounding may differ.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::common::adapter::{lavapipe, only_driver};
use crate::common::tolerances::{
    COMPENSATED_SUMS, CPU_SUMS, DEVICE_F64_SUMS, FAST_SUMS, FAST_SUMS_OF_A_MILLION,
};

/// Longer than any example takes; one that hangs fails.
const TIMEOUT: Duration = Duration::from_mins(2);

/// The relative difference between a printed number and that of another
/// processor: f64 sums in another order, a few 1e-16 each, of up to 1e5 elements.
const ANOTHER_PROCESSOR: f64 = 1e-12;

/// A gradient that is nothing but the rounding of a line found exactly.
const ROUNDING_OF_GRADIENTS: f64 = 1e-8;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README.md and the pages of docs/.
fn pages() -> Vec<PathBuf> {
    let guide = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<PathBuf> = guide.filter(|path| path.extension().is_some_and(|e| e == "md")).collect();
    pages.sort();
    pages.insert(0, root().join("README.md"));
    assert_eq!(pages.len(), 14, "README.md and thirteen pages: {pages:?}");
    pages
}

/// A fenced block of a page.
#[derive(Debug, Clone)]
struct Block {
    line: usize,
    info: String,
    text: String,
    /// Only blank lines are between it and the block before.
    follows: bool,
}

fn blocks(page: &str) -> Vec<Block> {
    let (mut blocks, mut open, mut follows) = (Vec::<Block>::new(), false, false);
    for (index, line) in page.lines().enumerate() {
        match (line.trim_end().strip_prefix("```"), open) {
            (Some(info), false) => {
                blocks.push(Block { line: index + 1, info: info.to_owned(), text: String::new(), follows });
                open = true;
            }
            (Some(_), true) => (open, follows) = (false, true),
            (None, true) => {
                let text = &mut blocks.last_mut().unwrap().text;
                text.push_str(line);
                text.push('\n');
            }
            (None, false) => follows &= line.trim().is_empty(),
        }
    }
    assert!(!open, "a block does not end");
    blocks
}

/// A block that is run, with the output that follows it.
struct Example {
    line: usize,
    script: String,
    output: Option<String>,
}

fn examples(blocks: &[Block]) -> Vec<Example> {
    let output = |next: Option<&Block>| {
        next.filter(|next| next.info == "text" && next.follows).map(|next| next.text.clone())
    };
    let run = blocks.iter().enumerate().filter(|(_, block)| block.info == "sh");
    run.map(|(k, block)| Example {
        line: block.line,
        // The program is built already.
        script: block.text.replace("cargo run --release -- ", "linfit "),
        output: output(blocks.get(k + 1)),
    })
    .collect()
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Number(String),
    Word(String),
    Anything,
}

/// The numbers, words and other characters of a line, what is measured made
/// alike.
fn tokens(line: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_part = |(k, c): (usize, char)| {
            let before = rest[..k].chars().next_back().unwrap_or(' ');
            let goes_on = rest[k + c.len_utf8()..].starts_with(|c: char| c.is_ascii_digit() || c == '…');
            match first {
                '0'..='9' | '…' => {
                    matches!(c, '0'..='9' | 'e' | '…')
                        || (matches!(c, '.' | ',') && goes_on)
                        || (matches!(c, '-' | '+') && before == 'e')
                }
                _ if first.is_alphabetic() => c.is_alphanumeric() || c == '_',
                _ => k == 0,
            }
        };
        let end = rest.char_indices().find(|&part| !is_part(part)).map_or(rest.len(), |(k, _)| k);
        tokens.push(match first {
            '…' if &rest[..end] == "…" => Token::Anything,
            '0'..='9' | '…' => Token::Number(rest[..end].to_owned()),
            _ => Token::Word(rest[..end].to_owned()),
        });
        rest = rest[end..].trim_start();
    }
    without_measurements(&tokens)
}

fn without_measurements(tokens: &[Token]) -> Vec<Token> {
    let word = |k: usize| match tokens.get(k) {
        Some(Token::Word(word)) => word.as_str(),
        _ => "",
    };
    let alike = |what: &str| Token::Word(what.to_owned());
    let (mut out, mut k) = (Vec::new(), 0);
    while let Some(token) = tokens.get(k) {
        let number = match token {
            Token::Number(text) => text.parse::<f64>().ok(),
            _ => None,
        };
        if number.is_some() && matches!(word(k + 1), "ns" | "µs" | "ms" | "s") {
            out.push(alike("time"));
            k += 2;
        } else if number.is_some() && word(k + 1) == "GB" && word(k + 2) == "/" {
            out.push(alike("rate"));
            k += 4;
        } else if number.is_some() && matches!(word(k + 1), "thread" | "threads") {
            // With what follows to the end of the parentheses: `2 threads, AVX-512`.
            out.push(alike("threads"));
            k += tokens[k..].iter().take_while(|token| **token != alike(")")).count();
        } else if number.is_some_and(|value| value <= ROUNDING_OF_GRADIENTS)
            && k >= 2
            && word(k - 2) == "gradient"
        {
            out.pop();
            out.push(alike("0"));
            k += 1;
        } else {
            out.push(token.clone());
            k += 1;
        }
    }
    out
}

fn is_same(want: &Token, got: &Token) -> bool {
    let (Token::Number(want_text), Token::Number(got_text)) = (want, got) else { return want == got };
    if let Some((start, end)) = want_text.split_once('…') {
        return got_text.len() >= start.len() + end.len()
            && got_text.starts_with(start)
            && got_text.ends_with(end);
    }
    let value = |text: &str| text.replace(',', "").parse::<f64>();
    let is_whole = !want_text.contains(['.', 'e']);
    match (value(want_text), value(got_text)) {
        (Ok(want), Ok(got)) if !is_whole => (want - got).abs() <= ANOTHER_PROCESSOR * want.abs(),
        _ => want_text == got_text,
    }
}

/// Whether a sequence is the documented one, of which some parts stand for
/// anything.
fn matches<W, G>(want: &[W], got: &[G], is_any: fn(&W) -> bool, is_same: fn(&W, &G) -> bool) -> bool {
    match (want, got) {
        ([], got) => got.is_empty(),
        ([any, rest @ ..], _) if is_any(any) => {
            (0..=got.len()).any(|k| matches(rest, &got[k..], is_any, is_same))
        }
        ([_, ..], []) => false,
        ([want, wants @ ..], [got, gots @ ..]) => is_same(want, got) && matches(wants, gots, is_any, is_same),
    }
}

fn prints(documented: &str, output: &str) -> bool {
    let want: Vec<Vec<Token>> = documented.lines().map(tokens).collect();
    // On a slow machine a descent is told that it could be faster.
    let is_told = |line: &&str| !(line.starts_with("note: the ") && line.contains(" steps took "));
    let got: Vec<Vec<Token>> = output.lines().filter(is_told).map(tokens).collect();
    matches(
        &want,
        &got,
        |line| *line == [Token::Anything],
        |want, got| matches(want, got, |token| *token == Token::Anything, is_same),
    )
}

/// Runs the examples of a page; what is wrong with them.
fn run(page: &Path) -> Vec<String> {
    let text = fs::read_to_string(page).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let programs = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(root().join("examples"), directory.path().join("examples")).unwrap();
    let program = assert_cmd::cargo::cargo_bin!("linfit");
    std::os::unix::fs::symlink(program, programs.path().join("linfit")).unwrap();
    let path = format!("{}:{}", programs.path().display(), std::env::var("PATH").unwrap());
    let mut wrong = Vec::new();
    for Example { line, script, output } in examples(&blocks(&text)) {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec 2>&1\nset -eu\n{script}")]).current_dir(directory.path());
        shell.env("PATH", &path).env("NO_COLOR", "1").envs(only_driver(&lavapipe().display().to_string()));
        let ran = assert_cmd::Command::from_std(shell).timeout(TIMEOUT).output().unwrap();
        let printed = String::from_utf8(ran.stdout).unwrap();
        let place = format!("{}:{line}", page.file_name().unwrap().display());
        if !ran.status.success() {
            wrong.push(format!("{place} fails:\n{script}{printed}"));
        } else if let Some(output) = output.filter(|output| !prints(output, &printed)) {
            wrong.push(format!("{place} is said to print\n{output}but prints\n{printed}"));
        }
    }
    wrong
}

#[test]
fn every_example_prints_what_its_page_says() {
    let pages = pages();
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let running: Vec<_> = pages.iter().map(|page| scope.spawn(|| run(page))).collect();
        running.into_iter().flat_map(|page| page.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Or the test above would check nothing.
#[test]
fn every_page_has_examples_and_no_output_is_unchecked() {
    for page in pages() {
        let name = page.file_name().unwrap().display().to_string();
        let text = fs::read_to_string(&page).unwrap();
        let blocks = blocks(&text);
        let kinds = ["sh", "sh no-run", "text", "rust", "rust,no_run", "python"];
        for (k, block) in blocks.iter().enumerate() {
            assert!(kinds.contains(&block.info.as_str()), "{name}:{}: {:?}", block.line, block.info);
            let before = k.checked_sub(1).map_or("", |k| blocks[k].info.as_str());
            let is_output = block.follows && matches!(before, "sh" | "sh no-run" | "python");
            assert!(block.info != "text" || is_output, "{name}:{}: the output of nothing", block.line);
        }
        let checked = examples(&blocks).iter().filter(|example| example.output.is_some()).count();
        let compiled = blocks.iter().filter(|block| block.info == "rust").count();
        // The tests of the Python package run these.
        let of_python = blocks.iter().filter(|block| block.info == "python").count();
        assert!(checked + compiled + of_python > 0, "{name} has no example that is checked");
    }
    let front = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(front.lines().count() <= 150, "README.md is a front page");
    assert!(examples(&blocks(&front)).len() >= 3);
}

#[test]
fn a_wrong_output_is_noticed() {
    let printed = "Y = X·0.5 - 2\n\n  steps  5,476   learning rate 0.01\n  \
                   weight 0.4157554157099456  gradient -2.204e-10\n  \
                   engine cpu (2 threads, AVX-512); no GPU found\n  time   load 795.4 µs (6.5 µs a step, 0.4 GB/s)\n";
    for right in [
        printed,
        "Y = X·0.5 - 2\n…\n  time load 1 s (2 ns a step, 7 GB/s)\n",
        "…\n  engine cpu (64 threads, NEON); …\n…\n",
        "…\n  weight 0.4157554157099457 gradient +1e-15\n…",
        "Y = X·… - 2\n…",
        "Y = X·0.… - 2\n…\n weight 0.4157… gradient …\n…",
    ] {
        assert!(prints(right, printed), "{right}");
    }
    for wrong in [
        "",
        "Y = X·0.5 - 2\n",
        "Y = X·0.5 + 2\n…\n",
        "Y = X·0.500001 - 2\n…\n",
        "Y = X·0.6… - 2\n…\n",
        "…\n weight 0.4158… gradient …\n…",
        "…\n weight …e-7 gradient …\n…",
        "…\n  steps  5,477   learning rate 0.01\n…\n",
        "…\n  steps  5,476   learning rate 0.02\n…\n",
        "…\n  weight 0.4157554157199456  gradient -2.204e-10\n…\n",
        "…\n  weight 0.4157554157099456  gradient -2.204e-7\n…\n",
        "…\n  engine gpu (2 threads, AVX-512); no GPU found\n…\n",
        "…\n  time   load 795.4 µs (0.4 GB/s)\n",
        "…\n  engine cpu (2 threads, AVX-512); no GPU found\n",
    ] {
        assert!(!prints(wrong, printed), "{wrong}");
    }
}

/// The accuracy that the guide states is the one that the tests hold.
#[test]
fn the_guide_states_the_bounds_of_the_tests() {
    let page = fs::read_to_string(root().join("docs/precision-and-reproducibility.md")).unwrap();
    for (engine, bounds) in [
        ("| `cpu`", &[CPU_SUMS][..]),
        ("| `gpu`, `--precision fast`", &[FAST_SUMS_OF_A_MILLION, FAST_SUMS]),
        ("| `gpu`, `--precision compensated`", &[COMPENSATED_SUMS]),
        ("| `gpu`, `--precision f64`", &[DEVICE_F64_SUMS]),
    ] {
        let row = page.lines().find(|line| line.starts_with(engine)).unwrap_or_else(|| panic!("{engine}"));
        let stated = row.rsplit('|').nth(1).unwrap();
        let numbers = stated.split([' ', ',']).filter_map(|word| word.parse::<f64>().ok());
        assert_eq!(numbers.collect::<Vec<_>>(), bounds, "{row}");
    }
}

/// GitHub's name for a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

#[test]
fn links_and_paths_lead_somewhere() {
    let others = ["CHANGELOG.md", "examples/data/README.md", "benches/peers/README.md"];
    let mut links = 0;
    for page in pages().into_iter().chain(others.map(|name| root().join(name))) {
        let text = fs::read_to_string(&page).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with("http") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(file.exists(), "{}: {target}", page.display());
            if !heading.is_empty() {
                let there = fs::read_to_string(&file).unwrap();
                let mut headings = there.lines().filter(|line| line.starts_with('#'));
                let is_there = headings.any(|line| anchor(line.trim_start_matches('#')) == heading);
                assert!(is_there, "{}: {target}", page.display());
            }
            links += 1;
        }
        for quoted in text.split('`').skip(1).step_by(2) {
            let path = quoted.split([':', ' ']).next().unwrap_or_default();
            let folders = ["src/", "tests/", "shaders/", "docs/", "benches/", "examples/", "fuzz/", ".ci/"];
            if folders.iter().any(|folder| path.starts_with(folder)) {
                assert!(root().join(path).exists(), "{}: {path}", page.display());
            }
        }
    }
    assert!(links > 20, "{links} links");
}

/// The options in a text: two hyphens, and words between single ones.
fn options(text: &str) -> BTreeSet<String> {
    let names = text.split("--").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(rest.len());
        rest[..end].trim_end_matches('-').to_owned()
    });
    names.filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase())).collect()
}

/// The guide tells every option that a command has, and no other.
#[test]
fn the_guide_tells_the_options_that_there_are() {
    let commands = [
        "fit",
        "predict",
        "compare",
        "bench",
        "devices",
        "explain",
        "generate",
        "merge",
        "completions",
        "man",
    ];
    let help = commands.map(|command| {
        let mut program = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin!("linfit"));
        String::from_utf8(program.args([command, "--help"]).output().unwrap().stdout).unwrap()
    });
    let known = options(&help.concat());
    let told = options(&pages().iter().map(|page| fs::read_to_string(page).unwrap()).collect::<String>());
    let of_others =
        ["release", "features", "no-default-features", "path", "open", "locked", "example", "help"];
    // Slurm's, and GNU parallel's.
    let of_others = [of_others.as_slice(), &["array", "sshlogin"]].concat();
    let of_others: BTreeSet<String> = of_others.into_iter().map(str::to_owned).collect();
    assert!(known.len() > 40, "{known:?}");
    let untold: Vec<_> = known.difference(&told).filter(|name| !of_others.contains(*name)).collect();
    let unknown: Vec<_> = told.difference(&known).filter(|name| !of_others.contains(*name)).collect();
    assert!(untold.is_empty() && unknown.is_empty(), "not told: {untold:?}; no options: {unknown:?}");
}
