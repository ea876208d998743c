use std::fmt;
use std::str::FromStr;

use super::GpuError;

/// An adapter by its number in the list of [`Adapters`], or by a part of its
/// name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdapterChoice {
    /// Its number, counting from 0.
    Number(usize),
    /// A part of its name, whatever the case.
    Name(String),
}

impl FromStr for AdapterChoice {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Number))
    }
}

impl fmt::Display for AdapterChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// One way to a GPU, or to a program that stands in for one.
#[derive(Debug, Clone)]
pub struct Adapter {
    pub(super) adapter: wgpu::Adapter,
    pub(super) info: wgpu::AdapterInfo,
}

impl Adapter {
    /// The adapter's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.info.name
    }

    /// The graphics API it is reached through: `vulkan`, `metal`, `dx12`, `gl`.
    #[must_use]
    pub fn backend(&self) -> String {
        self.info.backend.to_string()
    }

    /// The driver's name and version, where the API tells.
    #[must_use]
    pub fn driver(&self) -> String {
        format!("{} {}", self.info.driver, self.info.driver_info).trim().to_owned()
    }

    /// `discrete GPU`, `integrated GPU`, `virtual GPU`, `software` or `other`.
    #[must_use]
    pub fn device_type(&self) -> &'static str {
        match self.info.device_type {
            wgpu::DeviceType::DiscreteGpu => "discrete GPU",
            wgpu::DeviceType::IntegratedGpu => "integrated GPU",
            wgpu::DeviceType::VirtualGpu => "virtual GPU",
            wgpu::DeviceType::Cpu => "software",
            wgpu::DeviceType::Other => "other",
        }
    }

    /// Whether it computes on the CPU.
    #[must_use]
    pub fn is_software(&self) -> bool {
        self.info.device_type == wgpu::DeviceType::Cpu
    }

    /// Whether its memory is the host's.
    #[must_use]
    pub fn shares_host_memory(&self) -> bool {
        matches!(self.info.device_type, wgpu::DeviceType::Cpu | wgpu::DeviceType::IntegratedGpu)
    }

    /// The adapter's limits.
    #[must_use]
    pub fn limits(&self) -> wgpu::Limits {
        self.adapter.limits()
    }

    /// The optional abilities of the adapter that bear on linfit, by name.
    #[must_use]
    pub fn features(&self) -> Vec<&'static str> {
        [
            (wgpu::Features::SUBGROUP, "subgroup"),
            (wgpu::Features::TIMESTAMP_QUERY, "timestamp-query"),
            (wgpu::Features::SHADER_F16, "shader-f16"),
            (wgpu::Features::SHADER_F64, "shader-f64"),
        ]
        .into_iter()
        .filter(|(feature, _)| self.adapter.features().contains(*feature))
        .map(|(_, name)| name)
        .collect()
    }

    /// Whether shaders can add up a subgroup.
    pub(super) fn has_subgroups(&self) -> bool {
        self.adapter.features().contains(wgpu::Features::SUBGROUP)
    }

    /// Whether its shaders compute in f64.
    pub(super) fn has_f64(&self) -> bool {
        self.adapter.features().contains(wgpu::Features::SHADER_F64)
    }

    /// Invocations in a subgroup, least and most.
    #[must_use]
    pub fn subgroup_size(&self) -> [u32; 2] {
        [self.info.subgroup_min_size, self.info.subgroup_max_size]
    }

    /// Lower is better.
    fn rank(&self) -> u8 {
        match self.info.device_type {
            wgpu::DeviceType::DiscreteGpu => 0,
            wgpu::DeviceType::IntegratedGpu => 1,
            wgpu::DeviceType::VirtualGpu => 2,
            wgpu::DeviceType::Other => 3,
            wgpu::DeviceType::Cpu => 4,
        }
    }
}

/// Every adapter of this machine, in the order of `linfit devices`.
pub struct Adapters {
    list: Vec<Adapter>,
}

impl Adapters {
    /// Asks the machine's drivers. OpenGL is asked only where Vulkan, Metal
    /// and DirectX 12 offer nothing, since it reaches the same devices by a
    /// slower way; the environment variable `WGPU_BACKEND` (`vulkan`, `gl`, …)
    /// overrides that.
    ///
    /// The drivers are loaded into this process, whatever they do to it:
    /// [`try_all`](super::try_all) finds out before which of them break it.
    #[must_use]
    pub fn enumerate() -> Self {
        Self::of(wgpu::Backends::all())
    }

    /// The adapters of these APIs, as far as the user asks for them.
    pub(super) fn of(allowed: wgpu::Backends) -> Self {
        let list = wgpu::Backends::from_env().map_or_else(
            || {
                let primary = enumerate(wgpu::Backends::PRIMARY & allowed);
                if primary.is_empty() { enumerate(wgpu::Backends::GL & allowed) } else { primary }
            },
            |asked| enumerate(asked & allowed),
        );
        Self { list }
    }

    /// The adapters, numbered as `--adapter` counts them.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Adapter> {
        self.list.iter()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The best real GPU: discrete before integrated before virtual. One that
    /// doesn't say what it is may be a program, and has to be asked for.
    #[must_use]
    pub fn real_gpu(&self) -> Option<&Adapter> {
        let surely = |adapter: &&Adapter| adapter.rank() < 3;
        self.list.iter().filter(surely).min_by_key(|adapter| adapter.rank())
    }

    /// The chosen adapter, or without a choice the best there is, which may be
    /// a software adapter.
    ///
    /// # Errors
    /// [`GpuError::NoAdapter`], [`GpuError::NotFound`].
    pub fn choose(&self, choice: Option<&AdapterChoice>) -> Result<&Adapter, GpuError> {
        if self.list.is_empty() {
            return Err(GpuError::NoAdapter);
        }
        let found = match choice {
            None => self.list.iter().min_by_key(|adapter| adapter.rank()),
            Some(AdapterChoice::Number(number)) => self.list.get(*number),
            Some(AdapterChoice::Name(part)) => {
                let part = part.to_lowercase();
                let named = |adapter: &&Adapter| adapter.name().to_lowercase().contains(&part);
                self.list.iter().filter(named).min_by_key(|adapter| adapter.rank())
            }
        };
        found.ok_or_else(|| GpuError::NotFound {
            wanted: choice.map(ToString::to_string).unwrap_or_default(),
            available: self
                .list
                .iter()
                .enumerate()
                .map(|(number, adapter)| format!("{number} {}", adapter.name()))
                .collect::<Vec<_>>()
                .join(", "),
        })
    }
}

/// The graphics APIs that may be asked here.
pub(super) fn backends_asked() -> wgpu::Backends {
    let asked = wgpu::Backends::from_env().unwrap_or(wgpu::Backends::PRIMARY | wgpu::Backends::GL);
    asked & wgpu::Instance::enabled_backend_features()
}

fn enumerate(backends: wgpu::Backends) -> Vec<Adapter> {
    if backends.is_empty() {
        return Vec::new();
    }
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends,
        ..wgpu::InstanceDescriptor::new_without_display_handle_from_env()
    });
    pollster::block_on(instance.enumerate_adapters(backends))
        .into_iter()
        .map(|adapter| Adapter { info: adapter.get_info(), adapter })
        .collect()
}
