//! The adapter that GPU tests run on.

use linfit::engine::gpu::{Adapter, Adapters};

/// A software adapter: every machine that runs the tests has one, or the
/// tests fail and say how to get it.
pub fn software_adapter() -> Adapter {
    let adapters = Adapters::enumerate();
    let software = adapters.iter().find(|adapter| adapter.is_software());
    software.expect("no software Vulkan adapter: run tests/run.sh, which installs one").clone()
}
