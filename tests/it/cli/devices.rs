//! `linfit devices`: the places that passes can be computed on.

use crate::cli::{Lab, fields};

#[test]
fn lists_the_software_adapter_as_software() {
    let lab = Lab::new();
    let report = lab.run("devices --json").succeeds().json();
    assert_eq!(fields(&report), ["adapters", "auto", "broken", "cpu"]);
    let adapters = report["adapters"].as_array().unwrap();
    assert_eq!(adapters.len(), 1, "{report}");
    let adapter = &adapters[0];
    assert_eq!(
        fields(adapter),
        [
            "backend",
            "device_type",
            "driver",
            "features",
            "max_binding_bytes",
            "max_buffer_bytes",
            "max_workgroup_size",
            "name",
            "number",
            "subgroup_size"
        ]
    );
    assert_eq!(adapter["number"], 0);
    assert!(adapter["name"].as_str().unwrap().contains("llvmpipe"), "{report}");
    assert_eq!((&adapter["device_type"], &adapter["backend"]), (&"software".into(), &"vulkan".into()));
    assert!(adapter["driver"].as_str().unwrap().contains("Mesa"), "{report}");
    // What WebGPU guarantees everywhere.
    for (field, least) in
        [("max_buffer_bytes", 256 << 20), ("max_binding_bytes", 128 << 20), ("max_workgroup_size", 256)]
    {
        assert!(adapter[field].as_u64().unwrap() >= least, "{field}: {report}");
    }
    assert!(adapter["features"].is_array() && adapter["subgroup_size"].as_array().unwrap().len() == 2);
    assert!(report["cpu"].as_str().unwrap().contains("thread"), "{report}");
    assert!(report["auto"].as_str().unwrap().starts_with("the CPU (no real GPU found"), "{report}");
}

#[test]
fn the_table_says_the_same() {
    let lab = Lab::new();
    let report = lab.run("devices --json").succeeds().json();
    let text = lab.run("devices").succeeds().stdout;
    assert!(text.starts_with(&format!("cpu engine: {}\n", report["cpu"].as_str().unwrap())), "{text}");
    let row = text.lines().find(|line| line.contains("llvmpipe")).unwrap().trim_start();
    assert!(row.starts_with("0 ") && row.contains(" software ") && row.contains(" vulkan "), "{row}");
    assert!(row.contains(" MiB "), "{row}");
    let auto = format!("\n--engine auto takes: {}\n", report["auto"].as_str().unwrap());
    assert!(text.ends_with(&auto), "{text}");
}

#[test]
fn says_where_there_is_none() {
    let lab = Lab::without_adapters();
    let report = lab.run("devices --json").succeeds().json();
    assert_eq!(report["adapters"], serde_json::json!([]));
    assert_eq!(report["auto"], "the CPU (no GPU found)");
    let text = lab.run("devices").succeeds().stdout;
    assert!(text.contains("\nno GPU adapters found\n"), "{text}");
    assert!(text.ends_with("\n--engine auto takes: the CPU (no GPU found)\n"), "{text}");
    lab.run("devices extra").ends_refused(&["extra"]);
}

/// The first list comes from the process that tried the drivers, later ones
/// from this one's own.
#[test]
fn the_first_list_of_a_boot_is_that_of_later_ones() {
    let mut lab = Lab::new();
    lab.set("XDG_CACHE_HOME", lab.path("cache").display().to_string());
    let run = || {
        let ran = lab.run("devices --json -v").exits(0);
        (ran.stderr.contains("drivers were tried in another process"), ran.stdout)
    };
    let (first, second) = (run(), run());
    assert!(first.0 && !second.0);
    assert!(first.1.contains("llvmpipe") && first.1 == second.1, "{}\n{}", first.1, second.1);
}
