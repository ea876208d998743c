//! Data larger than the memory they may take, and files that change while
//! they are read.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use linfit::array::{Array, Batches, ElementType, Hint, Hinted, Order, Problem, Shape, Shuffle};
use linfit::engine::gpu::{Gpu, GpuSettings};
use linfit::engine::{Cpu, Engine, Reference};
use linfit::io::npy;
use linfit::math::Affine;
use tempfile::TempDir;

use crate::common::adapter::software_adapter;
use crate::common::tolerances::F32_SUMS;

fn write(path: &Path, values: &[f32]) {
    let shape = Shape(vec![values.len() as u64]);
    let mut file = npy::create(path, &shape, ElementType::F32, Order::C).unwrap();
    file.write(values).unwrap();
    file.finish().unwrap();
}

/// A pair on disk: irregular numbers, in a size that no chunk, window or
/// vector divides.
fn pair_on_disk(directory: &TempDir, n: usize) -> (PathBuf, PathBuf) {
    let (x_path, t_path) = (directory.path().join("x.npy"), directory.path().join("t.npy"));
    let x: Vec<f32> = (0..n).map(|k| (k as f32 * 0.618_034).fract() - 0.3).collect();
    let t: Vec<f32> = x.iter().enumerate().map(|(k, x)| 3.0 * x + (k as f32 * 0.414_2).fract()).collect();
    write(&x_path, &x);
    write(&t_path, &t);
    (x_path, t_path)
}

fn open((x, t): &(PathBuf, PathBuf)) -> (Array, Array) {
    (npy::open(x).unwrap(), npy::open(t).unwrap())
}

const AT: Affine = Affine::new(0.7, -0.2);

fn forward(engine: &mut dyn Engine) -> Vec<f32> {
    let mut all = Vec::new();
    engine
        .predict(AT, &mut |ys| {
            all.extend_from_slice(ys);
            Ok(())
        })
        .unwrap();
    all
}

#[test]
fn streamed_passes_give_the_bits_of_resident_ones() {
    let directory = TempDir::new().unwrap();
    let paths = pair_on_disk(&directory, 3 * (1 << 20) + 12_347);
    let (x, t) = open(&paths);
    let resident = Problem::pair(x, t).unwrap();
    let (x, t) = open(&paths);
    let streamed = Problem::builder(x).target(t).memory_bytes(1 << 20).build().unwrap();
    assert!(streamed.x().is_streamed() && !resident.x().is_streamed());

    let want = Cpu::new(&resident).loss_sums_at(AT).unwrap();
    let mut cpu = Cpu::new(&streamed);
    assert_eq!(cpu.loss_sums_at(AT).unwrap(), want);
    assert_eq!(cpu.loss_sums_at(AT).unwrap(), want, "a second pass reads the file again");
    assert!(forward(&mut cpu) == forward(&mut Cpu::new(&resident)));
    assert_eq!(
        Reference::new(&streamed).loss_sums_at(AT).unwrap(),
        Reference::new(&resident).loss_sums_at(AT).unwrap()
    );
    // On the GPU the parts differ, and with them the rounding.
    let adapter = software_adapter();
    let mut gpu = Gpu::open_with(&adapter, &streamed, &GpuSettings::within(1 << 20)).unwrap();
    for _ in 0..2 {
        let got = gpu.loss_sums_at(AT).unwrap();
        assert_eq!(got.n, want.n);
        for (got, want) in [(got.rr, want.rr), (got.rx, want.rx), (got.r, want.r)] {
            assert!((got - want).abs() <= F32_SUMS * want.abs(), "{got} {want}");
        }
    }
    assert!(forward(&mut gpu) == forward(&mut Gpu::open(&adapter, &resident).unwrap()));
}

#[test]
fn batches_of_streamed_data_have_the_bits_of_resident_ones() {
    let directory = TempDir::new().unwrap();
    let n = 700_001;
    let paths = pair_on_disk(&directory, n);
    let (x, t) = open(&paths);
    let resident = Problem::pair(x, t).unwrap();
    let (x, t) = open(&paths);
    let streamed = Problem::builder(x).target(t).memory_bytes(1 << 20).build().unwrap();
    assert!(streamed.x().is_streamed());
    for shuffle in Shuffle::ALL {
        let batches = Batches { elements: n as u64, batch: 300_000, shuffle, seed: 5, drop_last: false };
        let epoch = batches.epoch(3);
        for k in 0..batches.count() {
            let of = |data| Cpu::new(data).batch_sums(AT, &epoch.batch(k)).unwrap();
            assert_eq!(of(&streamed), of(&resident), "{shuffle}, {k}");
        }
    }
}

#[test]
fn text_is_not_streamed() {
    let column = |name| Array::from_vec(name, &[3], vec![1.0, 2.0, 3.0]);
    let problem = Problem::builder(column("a.csv:x")).target(column("a.csv:t")).memory_bytes(10);
    let error = problem.build().unwrap_err();
    assert!(error.to_string().contains("a.csv:x"), "{error}");
    assert_eq!(error.hints(), [Hint::Do("save it as .npy"), Hint::RaiseMemory]);
}

/// Without the guard, each of these would end the test program with SIGBUS.
#[cfg(unix)]
#[test]
fn a_file_that_shrinks_is_an_error() {
    let directory = TempDir::new().unwrap();
    let paths = pair_on_disk(&directory, 1 << 20);
    let adapter = software_adapter();
    for memory in [u64::MAX, 1 << 16] {
        let (x, t) = open(&paths);
        let data = Problem::builder(x).target(t).memory_bytes(memory).build().unwrap();
        let content = std::fs::read(&paths.1).unwrap();
        assert!(Cpu::new(&data).loss_sums_at(AT).is_ok());
        File::options().write(true).open(&paths.1).unwrap().set_len(1000).unwrap();
        let errors = [
            Cpu::new(&data).loss_sums_at(AT).unwrap_err(),
            Reference::new(&data).loss_sums_at(AT).unwrap_err(),
            Gpu::open_with(&adapter, &data, &GpuSettings::within(memory))
                .and_then(|mut gpu| gpu.loss_sums_at(AT))
                .unwrap_err(),
        ];
        for error in errors {
            let error = error.to_string();
            assert!(error.contains("t.npy") && error.contains("shrank"), "{error}");
        }
        File::create(&paths.1).unwrap().write_all(&content).unwrap();
    }
}

/// A sparse `.npy` of zeros: it takes no disk.
fn sparse(path: &Path, elements: u64) {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({elements},), }}");
    let header = format!("{header:<117}\n");
    let mut file = File::create(path).unwrap();
    file.write_all(b"\x93NUMPY\x01\x00").unwrap();
    file.write_all(&u16::try_from(header.len()).unwrap().to_le_bytes()).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.set_len(128 + elements * 4).unwrap();
}

/// The most memory a process had in use at a time, in MiB, asked until it
/// ends (VmHWM only grows).
#[cfg(target_os = "linux")]
fn peak_mib(mut command: Command) -> (u64, std::process::Output) {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let waiter = std::thread::spawn(move || child.wait_with_output().unwrap());
    let mut peak = 0;
    while !waiter.is_finished() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) / 1024);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    (peak, waiter.join().unwrap())
}

#[cfg(target_os = "linux")]
#[test]
fn six_gigabytes_pass_through_256_mib() {
    let directory = TempDir::new().unwrap();
    let (x, t) = (directory.path().join("x.npy"), directory.path().join("t.npy"));
    sparse(&x, 750_000_000);
    sparse(&t, 750_000_000);
    for engine in ["cpu", "gpu"] {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("linfit"));
        command.arg("fit").arg(&x).arg(&t);
        command.args(["--memory", "256MiB", "--steps", "1", "--b0", "1", "--json", "-q", "--engine", engine]);
        let (peak, output) = peak_mib(command);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        // All residuals are b: after a step from b = 1, b = 0.98.
        assert_eq!(json["bias"], 0.98);
        assert_eq!(json["n"], 750_000_000);
        assert!(peak > 1 && peak <= 256 + 64, "{engine}: {peak} MiB");
    }
}

/// Fits a pair of the same numbers whose decoded size is several times what
/// may be in memory.
#[cfg(target_os = "linux")]
fn decodes_within(x: &str, t: &str, n: u64, memory_mib: u64) {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("linfit"));
    command.args(["fit", x, t, "--memory", &format!("{memory_mib}MiB")]);
    command.args(["--steps", "1", "--lr", "0.125", "--json", "-v", "--engine", "cpu"]);
    let (peak, output) = peak_mib(command);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stderr.matches("decoded to a temporary file").count(), 2, "{stderr}");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    // x = t = 2 everywhere: after a step from 0, W = 0.125·2·2·2 and b = 0.125·2·2.
    assert_eq!(
        (json["n"].as_u64(), json["weight"].as_f64(), json["bias"].as_f64()),
        (Some(n), Some(1.0), Some(0.5))
    );
    assert!(peak > 1 && peak <= memory_mib + 64, "{x}: {peak} MiB");
}

#[cfg(all(target_os = "linux", feature = "tiff"))]
#[test]
fn a_compressed_image_is_decoded_within_the_bound() {
    use tiff::encoder::{Compression, DeflateLevel, TiffEncoder, colortype::Gray32Float};
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("x.tif");
    let file = std::io::BufWriter::new(File::create(&path).unwrap());
    let mut encoder =
        TiffEncoder::new(file).unwrap().with_compression(Compression::Deflate(DeflateLevel::Fast));
    let (width, height) = (8192, 4096);
    let mut image = encoder.new_image::<Gray32Float>(width, height).unwrap();
    image.rows_per_strip(16).unwrap();
    image.write_data(&vec![2f32; width as usize * height as usize]).unwrap();
    drop(encoder);
    let path = path.to_str().unwrap();
    decodes_within(path, path, u64::from(width) * u64::from(height), 32);
}

#[cfg(all(target_os = "linux", feature = "parquet"))]
#[test]
fn a_compressed_table_is_decoded_within_the_bound() {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, RecordBatch};
    use parquet::arrow::ArrowWriter;
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("xt.parquet");
    let column: ArrayRef = Arc::new(Float64Array::from(vec![2.0; 1 << 20]));
    let batch = RecordBatch::try_from_iter([("x", Arc::clone(&column)), ("t", column)]).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
    (0..16).for_each(|_| writer.write(&batch).unwrap());
    writer.close().unwrap();
    let path = path.to_str().unwrap();
    decodes_within(&format!("{path}:x"), &format!("{path}:t"), 16 << 20, 32);
}

#[cfg(target_os = "linux")]
#[test]
fn text_is_decoded_within_the_bound() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("xt.csv");
    std::fs::write(&path, "x,t\n".to_owned() + &"2,2\n".repeat(4 << 20)).unwrap();
    let path = path.to_str().unwrap();
    decodes_within(&format!("{path}:x"), &format!("{path}:t"), 4 << 20, 8);
}

/// A matrix in a file, 4 bytes an element, without being in memory whole.
#[cfg(target_os = "linux")]
fn large(path: &Path, (rows, columns): (u64, u64), order: Order, value: impl Fn(u64, u64) -> f32) {
    let shape = Shape(vec![rows, columns]);
    let mut file = npy::create(path, &shape, ElementType::F32, order).unwrap();
    let (outer, inner) = if order == Order::C { (rows, columns) } else { (columns, rows) };
    for o in 0..outer {
        let line = (0..inner).map(|i| if order == Order::C { value(o, i) } else { value(i, o) });
        file.write(&line.collect::<Vec<_>>()).unwrap();
    }
    file.finish().unwrap();
}

/// Matrices of 96 MB in one order and the other pass through 16 MiB, by
/// every engine, with the numbers that they have in memory.
#[cfg(target_os = "linux")]
#[test]
fn files_in_different_orders_pass_through_little_memory() {
    const MEMORY_MIB: u64 = 16;
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let shape = (4_000u64, 6_000u64);
    let x = |i: u64, j: u64| ((i * 6_007 + j * 31) % 1_021) as f32;
    // T = 3·X − 7 in places where a mistaken element changes it.
    let t = |i: u64, j: u64| 3.0 * x(i, j) - 7.0;
    let weight = |i: u64, j: u64| ((i + 2 * j) % 5) as f32 + 1.0;
    for (name, order) in [("c", Order::C), ("f", Order::Fortran)] {
        large(Path::new(&path(&format!("x{name}.npy"))), shape, order, x);
        large(Path::new(&path(&format!("t{name}.npy"))), shape, order, t);
    }
    large(Path::new(&path("w.npy")), shape, Order::Fortran, weight);
    std::fs::write(path("m.json"), r#"{"weight": 3, "bias": -7}"#).unwrap();
    let run = |line: &str| {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("linfit"));
        command.current_dir(directory.path()).args(line.split(' ')).args(["--memory", "16MiB", "-q"]);
        let (peak, output) = peak_mib(command);
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        (peak, output.stdout)
    };
    // What a software adapter takes with nothing to do.
    large(Path::new(&path("s.npy")), (2, 1), Order::C, x);
    let driver = run("fit s.npy s.npy --engine gpu --solver exact --json").0;
    for (line, base) in [
        ("fit xf.npy tc.npy --engine cpu --solver exact", 64),
        ("fit xc.npy tc.npy --weights w.npy --engine cpu --solver exact", 64),
        ("fit xc.npy tc.npy --mask w.npy --engine cpu --solver exact", 64),
        ("fit xf.npy tc.npy --engine reference --solver exact", 64),
        ("fit xc.npy tf.npy --engine gpu --solver exact", driver + 64),
    ] {
        let (peak, output) = run(&format!("{line} --json"));
        let json: serde_json::Value = serde_json::from_slice(&output).unwrap();
        let found = [&json["weight"], &json["bias"]].map(|number| number.as_f64().unwrap());
        assert!((found[0] - 3.0).abs() < 1e-6 && (found[1] + 7.0).abs() < 1e-3, "{line}: {found:?}");
        assert!(peak <= MEMORY_MIB + base, "{line}: {peak} MiB, {driver} of them the driver's");
    }
    let (peak, _) = run("predict m.json xf.npy -o y.raw --engine cpu");
    assert!(peak <= MEMORY_MIB + 64, "predict: {peak} MiB");
    let y = std::fs::read(path("y.raw")).unwrap();
    for (i, j) in [(0, 0), (0, 5_999), (3_999, 0), (1_234, 4_321), (3_999, 5_999)] {
        let at = 4 * usize::try_from(i * shape.1 + j).unwrap();
        assert_eq!(f32::from_le_bytes(y[at..at + 4].try_into().unwrap()), t(i, j), "{i}, {j}");
    }
    let (peak, _) = run("compare xc.npy tc.npy --json");
    assert!(peak <= driver + MEMORY_MIB + 64, "compare: {peak} MiB, {driver} of them the driver's");
}
