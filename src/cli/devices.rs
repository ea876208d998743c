use clap::Args;

use super::drivers::Drivers;
use super::error::CliError;
use super::verbosity::Verbosity;
use super::{Outcome, print};
use crate::engine::Cpu;
use crate::engine::gpu::Listed;
use crate::report::{AdapterReport, DevicesReport};

/// Lists engines and adapters, and which one `auto` takes
#[derive(Debug, Args)]
#[command(after_help = "\
The environment variable WGPU_BACKEND (vulkan, gl, metal, dx12) limits the search to one API.
Drivers are first opened in a process of its own, once a boot. One that crashes there, or does not
answer within LINFIT_DRIVER_SECONDS (20), is listed as broken and not used; devices tries it again.

Example:
  linfit devices && linfit fit x.npy t.npy --adapter 0")]
pub(super) struct DevicesArguments {
    /// Print the list as JSON
    #[arg(long, help_heading = "Output")]
    json: bool,

    #[command(flatten)]
    verbosity: Verbosity,
}

pub(super) fn run(arguments: &DevicesArguments) -> Result<Outcome, CliError> {
    let mut drivers = Drivers::try_again(arguments.verbosity)?;
    let Listed { adapters, real_gpu } = drivers.list(arguments.verbosity);
    let auto = real_gpu.and_then(|number| adapters.get(number)).map_or_else(
        || format!("the CPU ({})", drivers.no_gpu_reason(None)),
        |adapter| format!("{} ({})", adapter.name, adapter.backend),
    );
    let adapters: Vec<AdapterReport> =
        adapters.into_iter().enumerate().map(|(number, adapter)| AdapterReport { number, adapter }).collect();
    let (cpu, broken) = (Cpu::describe(), drivers.broken().to_vec());
    let report = DevicesReport { cpu, adapters, broken, auto, auto_label: "--engine auto" };
    for AdapterReport { adapter, .. } in &report.adapters {
        let [least, most] = adapter.subgroup_size;
        let name = &adapter.name;
        arguments.verbosity.detail(&format_args!("{name}: subgroups of {least} to {most} invocations"));
    }
    print(&report, arguments.json)?;
    Ok(Outcome::Done)
}
