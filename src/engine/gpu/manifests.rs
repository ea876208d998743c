//! The files by which drivers and layers name themselves to the loaders of
//! Vulkan and EGL, found where these look for them. Where drivers are named
//! otherwise (Windows, macOS), there are none.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The variables that name the only Vulkan drivers to load: by their name of
/// today, and that of loaders before 1.3.207.
pub(super) const ONLY_VULKAN: &[&str] = &["VK_DRIVER_FILES", "VK_ICD_FILENAMES"];

/// The variable that names the only EGL drivers to load.
pub(super) const ONLY_EGL: &[&str] = &["__EGL_VENDOR_LIBRARY_FILENAMES"];

/// The variable that switches off layers, by name, and its value for all of
/// them.
pub(super) const LAYERS_OFF: (&str, &str) = ("VK_LOADER_LAYERS_DISABLE", "~all~");

/// The longest file that is read; those of all drivers known are below 1 KiB.
const MOST_BYTES: u64 = 1 << 20;

/// The directories of libraries that are given without one, after
/// `LD_LIBRARY_PATH`.
const LIBRARIES: [&str; 8] = [
    "/usr/local/lib",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/lib64",
];

/// The file of a driver or layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) path: PathBuf,
    /// Its library, as the file gives it.
    pub(super) library: Option<String>,
    /// A layer's name.
    pub(super) name: Option<String>,
}

impl Manifest {
    fn read(path: PathBuf) -> Self {
        let contents = contents(&path);
        let part = |part: &str| {
            let value = contents.as_ref()?;
            let value = ["ICD", "layer"]
                .into_iter()
                .find_map(|kind| value.get(kind))
                .or_else(|| value.get("layers")?.get(0))?;
            value.get(part)?.as_str().map(str::to_owned)
        };
        Self { library: part("library_path"), name: part("name"), path }
    }

    /// The path of its library, if it is where libraries usually are.
    pub(super) fn library_file(&self) -> Option<PathBuf> {
        let library = Path::new(self.library.as_deref()?);
        if library.components().count() > 1 {
            return Some(self.path.parent().unwrap_or(Path::new(".")).join(library));
        }
        find_library(library)
    }
}

fn contents(path: &Path) -> Option<Value> {
    use std::io::Read;
    // Opening a pipe would wait for its writer.
    let is_file = path.metadata().is_ok_and(|metadata| metadata.is_file());
    let file = is_file.then(|| std::fs::File::open(path))?.ok()?;
    let mut text = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

fn find_library(name: &Path) -> Option<PathBuf> {
    let named = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let named: Vec<PathBuf> = std::env::split_paths(&named).filter(|path| path.is_absolute()).collect();
    let usual = LIBRARIES.iter().map(PathBuf::from);
    named.into_iter().chain(usual).map(|directory| directory.join(name)).find(|path| path.exists())
}

/// The libraries that load drivers.
pub(super) fn loaders() -> Vec<PathBuf> {
    ["libvulkan.so.1", "libEGL.so.1"].into_iter().filter_map(|name| find_library(Path::new(name))).collect()
}

/// Whether a variable of the environment decides which drivers are loaded, or
/// how they start.
pub(super) fn bears_on_drivers(name: &str) -> bool {
    const BEGINNINGS: [&str; 22] = [
        "VK_",
        "WGPU_",
        "EGL_",
        "__EGL_",
        "__GL",
        "__NV",
        "__VK",
        "MESA_",
        "GALLIUM_",
        "LIBGL_",
        "LP_",
        "DRI_",
        "AMD_",
        "RADV_",
        "INTEL_",
        "ANV_",
        "NVK_",
        "CUDA_",
        "LD_",
        "XDG_",
        "LINFIT_DRIVER",
        "NODEVICE_SELECT",
    ];
    const NAMES: [&str; 6] =
        ["DISPLAY", "WAYLAND_DISPLAY", "HOME", "ENABLE_VKBASALT", "MANGOHUD", "GLIBC_TUNABLES"];
    BEGINNINGS.iter().any(|beginning| name.starts_with(beginning)) || NAMES.contains(&name)
}

/// The Vulkan drivers.
pub(super) fn vulkan() -> Vec<Manifest> {
    // The first that is set, even to nothing.
    let only = ONLY_VULKAN.iter().find_map(std::env::var_os);
    read(only.map_or_else(
        || {
            let added = std::env::var_os("VK_ADD_DRIVER_FILES").unwrap_or_default();
            files_of(&added).into_iter().chain(files_in("vulkan/icd.d")).collect()
        },
        |only| files_of(&only),
    ))
}

/// The layers that Vulkan's loader may load with every driver.
pub(super) fn layers() -> Vec<Manifest> {
    let mut paths = files_in("vulkan/implicit_layer.d");
    if std::env::var_os("VK_INSTANCE_LAYERS").is_some() {
        paths.extend(files_in("vulkan/explicit_layer.d"));
        paths.extend(files_of(&std::env::var_os("VK_LAYER_PATH").unwrap_or_default()));
    }
    read(paths)
}

/// The drivers of EGL, which offers OpenGL.
pub(super) fn egl() -> Vec<Manifest> {
    if cfg!(not(target_os = "linux")) {
        return Vec::new();
    }
    let paths = match std::env::var_os("__EGL_VENDOR_LIBRARY_FILENAMES") {
        Some(only) => files_of(&only),
        None => match std::env::var_os("__EGL_VENDOR_LIBRARY_DIRS") {
            Some(directories) => files_of(&directories),
            None => ["/etc/glvnd/egl_vendor.d", "/usr/share/glvnd/egl_vendor.d"]
                .iter()
                .flat_map(|directory| files_of(OsStr::new(directory)))
                .collect(),
        },
    };
    read(paths)
}

/// Each file once, however often it is found.
fn read(paths: Vec<PathBuf>) -> Vec<Manifest> {
    let mut seen: Vec<PathBuf> = Vec::new();
    for path in paths {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if !seen.iter().any(|seen| real(seen) == real(&path)) {
            seen.push(path);
        }
    }
    seen.into_iter().map(Manifest::read).collect()
}

/// The files of a list of files and directories.
fn files_of(list: &OsStr) -> Vec<PathBuf> {
    let named = std::env::split_paths(list).filter(|path| !path.as_os_str().is_empty());
    named.flat_map(|path| if path.is_dir() { json_files(&path) } else { vec![path] }).collect()
}

/// The files in the directories of the system and the user.
fn files_in(directory: &str) -> Vec<PathBuf> {
    if cfg!(not(target_os = "linux")) {
        return Vec::new();
    }
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let home = |below: &str| variable("HOME").map(|home| Path::new(&home).join(below).into_os_string());
    let places = [
        variable("XDG_CONFIG_HOME").or_else(|| home(".config")),
        Some(variable("XDG_CONFIG_DIRS").unwrap_or_else(|| "/etc/xdg".into())),
        Some("/usr/local/etc:/etc".into()),
        variable("XDG_DATA_HOME").or_else(|| home(".local/share")),
        Some(variable("XDG_DATA_DIRS").unwrap_or_else(|| "/usr/local/share:/usr/share".into())),
    ];
    let places = places.into_iter().flatten();
    places
        .flat_map(|list| std::env::split_paths(&list).collect::<Vec<_>>())
        .filter(|place| place.is_absolute())
        .flat_map(|place| json_files(&place.join(directory)))
        .collect()
}

/// The manifests in a directory, in the order of their names.
fn json_files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    paths
}

/// The files by which the system offers GPUs, and whether this process may use
/// each.
pub(super) fn device_nodes() -> Vec<(PathBuf, bool)> {
    let entries = |directory: &str| std::fs::read_dir(directory).into_iter().flatten();
    let in_dev = entries("/dev").filter_map(Result::ok).filter(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("nvidia") || ["kfd", "dxg", "mali0"].contains(&&*name)
    });
    let in_dri = entries("/dev/dri").filter_map(Result::ok);
    let mut paths: Vec<PathBuf> = in_dev.chain(in_dri).map(|entry| entry.path()).collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let may_use = may_use(&path);
            (path, may_use)
        })
        .collect()
}

#[cfg(unix)]
fn may_use(path: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let Ok(path) = std::ffi::CString::new(path.as_os_str().as_bytes()) else { return false };
    // SAFETY: the path is a string that ends in a zero byte.
    unsafe { libc::access(path.as_ptr(), libc::R_OK | libc::W_OK) == 0 }
}

#[cfg(not(unix))]
fn may_use(_path: &Path) -> bool {
    true
}
