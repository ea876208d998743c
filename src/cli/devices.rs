use clap::Args;

use super::drivers::Drivers;
use super::error::CliError;
use super::verbosity::Verbosity;
use super::{Outcome, print};
use crate::engine::Cpu;
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
    let adapters = drivers.adapters();
    drivers.update(&adapters, arguments.verbosity);
    let auto = adapters.real_gpu().map_or_else(
        || format!("the CPU ({})", drivers.no_gpu_reason(Some(&adapters))),
        |adapter| format!("{} ({})", adapter.name(), adapter.backend()),
    );
    let report = DevicesReport {
        cpu: Cpu::describe(),
        adapters: adapters
            .iter()
            .enumerate()
            .map(|(number, adapter)| {
                let limits = adapter.limits();
                AdapterReport {
                    number,
                    name: adapter.name().to_owned(),
                    backend: adapter.backend(),
                    driver: adapter.driver(),
                    device_type: adapter.device_type(),
                    max_buffer_bytes: limits.max_buffer_size,
                    max_binding_bytes: limits.max_storage_buffer_binding_size,
                    max_workgroup_size: limits.max_compute_invocations_per_workgroup,
                    subgroup_size: adapter.subgroup_size(),
                    features: adapter.features(),
                }
            })
            .collect(),
        broken: drivers.broken().to_vec(),
        auto,
    };
    for adapter in &report.adapters {
        let [least, most] = adapter.subgroup_size;
        let name = &adapter.name;
        arguments.verbosity.detail(&format_args!("{name}: subgroups of {least} to {most} invocations"));
    }
    print(&report, arguments.json)?;
    Ok(Outcome::Done)
}
