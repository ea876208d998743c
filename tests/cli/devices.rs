use super::Bench;

#[test]
fn lists_adapters_and_what_auto_takes() {
    let bench = Bench::new();
    let json = bench.run(&["devices", "--json"]).ok().to_json();
    let adapters = json["adapters"].as_array().unwrap();
    let software = adapters.iter().find(|adapter| adapter["device_type"] == "software");
    let software = software.expect("no software Vulkan adapter: run tests/run.sh, which installs one");
    assert!(software["max_binding_bytes"].as_u64().unwrap() >= 128 << 20);
    assert!(software["max_workgroup_size"].as_u64().unwrap() >= 64);
    let text = bench.run(&["devices"]).ok().stdout;
    assert!(text.contains(software["name"].as_str().unwrap()), "{text}");
    assert!(text.contains("--engine auto takes: "), "{text}");
}

#[test]
fn a_machine_without_adapters_is_no_error() {
    let bench = Bench::new();
    let mut command = bench.command(&["devices"]);
    command.env("WGPU_BACKEND", "vulkan").env("VK_DRIVER_FILES", "/nonexistent.json");
    let text = super::finished(command.output().unwrap(), &["devices"]).ok().stdout;
    assert!(text.contains("no GPU adapters found") && text.contains("takes: the CPU"), "{text}");
}
