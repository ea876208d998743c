//! Brings every kernel through the back ends of all graphics APIs, also those of
//! other systems:
//!
//!     LINFIT_KERNELS=FILE cargo test --lib every_kernel_has_what_the_host_says
//!     cargo run --manifest-path tests/drivers/naga/Cargo.toml FILE [FOLDER]
//!
//! The file has a kernel a line. The SPIR-V goes to the folder, if one is named,
//! for `spirv-val` and for drivers that say what they make of it.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::Path;
use std::process::ExitCode;

use naga::back::{hlsl, msl, pipeline_constants, spv};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{Module, ShaderStage};

#[derive(serde::Deserialize)]
struct Kernel {
    name: String,
    text: String,
    constants: BTreeMap<String, f64>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(file) = arguments.first() else {
        eprintln!("linfit-naga FILE [FOLDER]");
        return ExitCode::from(2);
    };
    let lines = std::io::BufReader::new(std::fs::File::open(file).expect("the file of kernels")).lines();
    let (mut passed, mut failed) = (BTreeMap::<&str, usize>::new(), 0);
    for (number, line) in lines.enumerate() {
        let kernel: Kernel = serde_json::from_str(&line.expect("a line")).expect("a kernel");
        match all_back_ends(&kernel) {
            Ok((written, words)) => {
                written.into_iter().for_each(|name| *passed.entry(name).or_default() += 1);
                if let Some(folder) = arguments.get(1) {
                    let path = Path::new(folder).join(format!("{number:05}.{}.spv", kernel.name));
                    let bytes: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
                    std::fs::write(path, bytes).expect("SPIR-V is written");
                }
            }
            Err(error) => {
                failed += 1;
                eprintln!("{} with {:?}: {error}", kernel.name, kernel.constants);
            }
        }
    }
    for (name, count) in &passed {
        println!("{name}: {count} kernels");
    }
    // A file of no kernels proves nothing.
    if failed == 0 && passed.len() == 3 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The back ends that wrote a kernel, and its SPIR-V.
fn all_back_ends(kernel: &Kernel) -> Result<(Vec<&'static str>, Vec<u32>), String> {
    let module = naga::front::wgsl::parse_str(&kernel.text).map_err(|error| error.emit_to_string(&kernel.text))?;
    let info = validated(&module)?;
    let mut values = naga::back::PipelineConstants::default();
    values.extend(kernel.constants.iter().map(|(name, value)| (name.clone(), *value)));
    let entry_point = Some((ShaderStage::Compute, kernel.name.as_str()));
    let (module, info) = pipeline_constants::process_overrides(&module, &info, entry_point, &values)
        .map_err(|error| format!("overrides: {error:?}"))?;

    // As the program has them: without checks, and without zeros in shared memory.
    let options = spv::Options {
        force_loop_bounding: false,
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        ..Default::default()
    };
    let entry = spv::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: kernel.name.clone() };
    let words = spv::write_vec(&module, &info, &options, Some(&entry)).map_err(|error| format!("SPIR-V: {error}"))?;
    let mut written = vec!["SPIR-V"];

    // Metal has no f64.
    if !kernel.text.contains("f64") {
        let options = msl::Options { lang_version: (2, 4), fake_missing_bindings: true, ..Default::default() };
        let entry = msl::PipelineOptions::default();
        msl::write_string(&module, &info, &options, &entry).map_err(|error| format!("MSL: {error}"))?;
        written.push("MSL");
    }

    let options =
        hlsl::Options { shader_model: hlsl::ShaderModel::V6_0, fake_missing_bindings: true, ..Default::default() };
    let (mut text, entry) = (String::new(), hlsl::PipelineOptions::default());
    hlsl::Writer::new(&mut text, &options, &entry)
        .write(&module, &info, None)
        .map_err(|error| format!("HLSL: {error}"))?;
    written.push("HLSL");
    Ok((written, words))
}

fn validated(module: &Module) -> Result<ModuleInfo, String> {
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::all());
    validator.validate(module).map_err(|error| format!("{error:?}"))
}
