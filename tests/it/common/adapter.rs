//! The adapter that GPU tests run on.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::LazyLock;

use linfit::engine::gpu::{Adapter, AdapterChoice, Adapters};

/// The message of a test that has no adapter to run on.
pub const NO_SOFTWARE_ADAPTER: &str = "no software Vulkan adapter: run tests/run.sh, which installs one";

/// The adapter that `LINFIT_TEST_ADAPTER` names, or else a software adapter: every
/// machine that runs the tests has one, or the tests fail and say how to get it.
pub fn software_adapter() -> Adapter {
    let adapters = Adapters::enumerate();
    if let Ok(name) = std::env::var("LINFIT_TEST_ADAPTER") {
        let Ok(choice) = name.parse::<AdapterChoice>();
        return adapters.choose(Some(&choice)).expect("LINFIT_TEST_ADAPTER names no adapter").clone();
    }
    let software = adapters.iter().find(|adapter| adapter.is_software());
    software.expect(NO_SOFTWARE_ADAPTER).clone()
}

/// The manifest of Mesa's software Vulkan driver.
pub fn lavapipe() -> &'static PathBuf {
    static LAVAPIPE: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        let named = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].into_iter().filter_map(std::env::var_os);
        let named = named.flat_map(|list| std::env::split_paths(&list).collect::<Vec<_>>());
        let folders = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"];
        let usual = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
        let usual = usual.filter_map(|entry| Some(entry.ok()?.path()));
        named.chain(usual).find(|path| {
            let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            name.starts_with("lvp_icd") && path.is_file()
        })
    });
    LAVAPIPE.as_ref().expect(NO_SOFTWARE_ADAPTER)
}

/// The environment in which the program sees this driver and no other, so that
/// `auto` and the numbers of adapters are the same on every machine, and no
/// launch configuration of the user's.
pub fn only_driver(manifest: &str) -> Vec<(&'static str, String)> {
    vec![
        ("VK_DRIVER_FILES", manifest.to_owned()),
        ("VK_ICD_FILENAMES", manifest.to_owned()),
        ("WGPU_BACKEND", "vulkan".to_owned()),
        ("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR").to_owned()),
    ]
}
