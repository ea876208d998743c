//! The drivers of this machine that may be opened: all of them, unless a
//! [`Trial`] shows that one breaks the process it is loaded into. Then each is
//! tried alone, to find which.

use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::manifests::{self, Manifest};
use super::trial::{Ending, Trial, TrialError, Variable};
use super::{BrokenDriver, Found, Listed, Rest, Verdict};

/// Processes that try drivers at the same time.
const MOST_AT_ONCE: usize = 8;

impl BrokenDriver {
    fn of(manifest: &Manifest, reason: String) -> Self {
        Self { driver: manifest.path.display().to_string(), library: manifest.library.clone(), reason }
    }
}

/// A verdict, and what the drivers said on stderr before it.
#[derive(Debug)]
pub struct Trials {
    /// The findings.
    pub verdict: Verdict,
    /// The adapters, if all drivers may be opened.
    pub listed: Option<Listed>,
    /// The end of what drivers said when they broke.
    pub stderr: String,
}

/// Tries the drivers, all together and, if that fails, each alone.
///
/// # Errors
/// [`TrialError`]: nothing was found out.
pub fn try_all(trial: &Trial) -> Result<Trials, TrialError> {
    let together = trial.run(&[])?;
    let Some(fault) = together.fault else {
        let verdict = Verdict { found: together.found, ..Verdict::default() };
        return Ok(Trials { verdict, listed: together.listed, stderr: together.stderr });
    };
    let verdict = match search(trial, &fault) {
        // One of them is broken, whichever it is.
        Err(TrialError::Process(_)) => {
            let broken = BrokenDriver { driver: "of this machine".to_owned(), library: None, reason: fault };
            Verdict { broken: vec![broken], rest: None, found: Some(Found::Nothing) }
        }
        verdict => verdict?,
    };
    Ok(Trials { verdict, listed: None, stderr: together.stderr })
}

/// A graphics API whose drivers can be told apart or not.
struct Api {
    /// Its name for `WGPU_BACKEND`.
    name: &'static str,
    /// Its name for people.
    title: &'static str,
    drivers: Vec<Manifest>,
    /// The variables that name the only drivers to load.
    only: &'static [&'static str],
}

impl Api {
    /// Those that [`Adapters::enumerate`](super::Adapters::enumerate) may ask
    /// here.
    fn all() -> Vec<Self> {
        let asked = super::adapter::backends_asked();
        [
            ("vulkan", "Vulkan", wgpu::Backends::VULKAN),
            ("metal", "Metal", wgpu::Backends::METAL),
            ("dx12", "DirectX 12", wgpu::Backends::DX12),
            ("gl", "OpenGL", wgpu::Backends::GL),
        ]
        .into_iter()
        .filter(|(.., backend)| asked.contains(*backend))
        .map(|(name, title, _)| {
            let (drivers, only) = match name {
                "vulkan" => (manifests::vulkan(), manifests::ONLY_VULKAN),
                "gl" => (manifests::egl(), manifests::ONLY_EGL),
                _ => (Vec::new(), &[][..]),
            };
            Self { name, title, drivers, only }
        })
        .collect()
    }

    /// The environment for a process that loads just these of its drivers.
    fn environment(&self, drivers: &[&Manifest]) -> Vec<(String, String)> {
        let paths: Vec<&str> = drivers.iter().filter_map(|driver| driver.path.to_str()).collect();
        let list = paths.join(if cfg!(windows) { ";" } else { ":" });
        self.only.iter().map(|&name| (name.to_owned(), list.clone())).collect()
    }
}

/// A driver, or all of an API's, tried alone.
struct Suspect<'a> {
    api: &'a Api,
    driver: Option<&'a Manifest>,
}

/// Tries each driver alone.
fn search(trial: &Trial, fault: &str) -> Result<Verdict, TrialError> {
    let apis = Api::all();
    let suspects: Vec<Suspect<'_>> = apis
        .iter()
        .flat_map(|api| {
            let each = api.drivers.iter().map(move |driver| Suspect { api, driver: Some(driver) });
            let whole = api.drivers.is_empty().then_some(Suspect { api, driver: None });
            each.chain(whole)
        })
        .collect();
    let environments = suspects.iter().map(|suspect| {
        let mut variables = owned(&suspect.driver.map_or_else(Vec::new, |d| suspect.api.environment(&[d])));
        variables.push(variable("WGPU_BACKEND", suspect.api.name));
        // A layer is loaded with every driver, and would be taken for each.
        variables.push(variable(manifests::LAYERS_OFF.0, manifests::LAYERS_OFF.1));
        variables
    });
    let endings = run_all(trial, &environments.collect::<Vec<_>>())?;
    let mut broken = Vec::new();
    let mut good: Vec<(&Api, Vec<&Manifest>)> = Vec::new();
    for (Suspect { api, driver }, ending) in suspects.iter().zip(endings) {
        match (ending.fault, driver) {
            (Some(reason), Some(driver)) => broken.push(BrokenDriver::of(driver, reason)),
            (Some(reason), None) => {
                broken.push(BrokenDriver { driver: format!("of {}", api.title), library: None, reason });
            }
            (None, driver) => match good.last_mut().filter(|(last, _)| last.name == api.name) {
                Some((_, drivers)) => drivers.extend(*driver),
                None => good.push((api, driver.iter().copied().collect())),
            },
        }
    }
    rest(trial, fault, broken, &good)
}

/// The verdict on those that are good alone, tried together.
fn rest(
    trial: &Trial,
    fault: &str,
    mut broken: Vec<BrokenDriver>,
    good: &[(&Api, Vec<&Manifest>)],
) -> Result<Verdict, TrialError> {
    if good.is_empty() {
        return Ok(Verdict { broken, rest: None, found: Some(Found::Nothing) });
    }
    let backends = good.iter().map(|(api, _)| api.name).collect::<Vec<_>>().join(",");
    let environment = |layers: bool| -> Vec<(String, String)> {
        let mut variables: Vec<_> = good
            .iter()
            // Where none is broken, the system's own list stays.
            .filter(|(api, drivers)| drivers.len() < api.drivers.len())
            .flat_map(|(api, drivers)| api.environment(drivers))
            .collect();
        if !layers {
            variables.push((manifests::LAYERS_OFF.0.to_owned(), manifests::LAYERS_OFF.1.to_owned()));
        }
        variables
    };
    let tried = |variables: Vec<Variable>| trial.run(&variables).map(|ending| (ending.fault, ending.found));
    let with_backends = |environment: &[(String, String)]| {
        let mut variables = owned(environment);
        if !broken.is_empty() {
            variables.push(variable("WGPU_BACKEND", &backends));
        }
        variables
    };
    let with_layers = environment(true);
    let (together, found) = tried(with_backends(&with_layers))?;
    let Some(together) = together else {
        let rest = (!broken.is_empty()).then_some(Rest { backends, environment: with_layers });
        return Ok(Verdict { broken, rest, found });
    };
    let without_layers = environment(false);
    let (still, found) = tried(with_backends(&without_layers))?;
    if still.is_some() {
        broken.push(BrokenDriver {
            driver: "of several kinds together".to_owned(),
            library: None,
            reason: fault.to_owned(),
        });
        return Ok(Verdict { broken, rest: None, found: Some(Found::Nothing) });
    }
    let layers = manifests::layers();
    let names = layers.iter().map(|layer| {
        let mut variables = with_backends(&with_layers);
        variables.push(variable(manifests::LAYERS_OFF.0, layer.name.as_deref().unwrap_or_default()));
        variables
    });
    let endings = run_all(trial, &names.collect::<Vec<_>>())?;
    let without = layers.iter().zip(endings).filter(|(_, ending)| ending.fault.is_none());
    let at_fault: Vec<_> = without.map(|(layer, _)| BrokenDriver::of(layer, together.clone())).collect();
    if at_fault.is_empty() {
        let driver = "layers of Vulkan".to_owned();
        broken.push(BrokenDriver { driver, library: None, reason: together });
    }
    broken.extend(at_fault);
    Ok(Verdict { broken, rest: Some(Rest { backends, environment: without_layers }), found })
}

fn variable(name: &str, value: &str) -> Variable {
    (name.to_owned(), Some(OsString::from(value)))
}

fn owned(environment: &[(String, String)]) -> Vec<Variable> {
    environment.iter().map(|(name, value)| variable(name, value)).collect()
}

/// Several trials at the same time, so that several that hang take no longer
/// than one.
fn run_all(trial: &Trial, environments: &[Vec<Variable>]) -> Result<Vec<Ending>, TrialError> {
    let mut endings = Vec::new();
    for environments in environments.chunks(MOST_AT_ONCE) {
        let results: Vec<_> = std::thread::scope(|scope| {
            let started: Vec<_> = environments
                .iter()
                .map(|environment| std::thread::Builder::new().spawn_scoped(scope, || trial.run(environment)))
                .collect();
            started
                .into_iter()
                .map(|thread| match thread?.join() {
                    Ok(result) => result,
                    Err(_) => Err(TrialError::Process(std::io::Error::other("a thread panicked"))),
                })
                .collect()
        });
        for result in results {
            endings.push(result?);
        }
    }
    Ok(endings)
}

/// The things that a verdict depends on, for one that is kept: the files of all drivers
/// and layers with their times, the devices that the system shows to this user,
/// what this process may use, and what of the environment bears on them.
#[must_use]
pub fn fingerprint() -> String {
    let mut text = String::new();
    let mut file = |path: &Path| {
        let path: PathBuf = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let state = path.metadata().map(|metadata| (metadata.len(), metadata.modified().ok()));
        let _ = writeln!(text, "{} {:?}", path.display(), state.ok());
    };
    for manifest in [manifests::vulkan(), manifests::egl(), manifests::layers()].into_iter().flatten() {
        file(&manifest.path);
        manifest.library_file().iter().for_each(|library| file(library));
    }
    manifests::loaders().iter().for_each(|loader| file(loader));
    for (path, access) in manifests::device_nodes() {
        let _ = writeln!(text, "{} {access}", path.display());
    }
    text.push_str(&super::trial::limits());
    let mut variables: Vec<_> = std::env::vars_os()
        .filter(|(name, _)| manifests::bears_on_drivers(&name.to_string_lossy()))
        .collect();
    variables.sort();
    for (name, value) in variables {
        let _ = writeln!(text, "{} {}", name.display(), value.display());
    }
    text
}
