//! Holds every kernel that can be composed against the host's side of it, by
//! name: structs and their fields, bindings and override constants.

use wgpu::naga::{
    AddressSpace, Expression, Handle, Literal, Module, Scalar, ScalarKind, ShaderStage, StorageAccess, Type,
    TypeInner, back, front, valid,
};

use super::Precision;
use super::abi::{Access, Contents, Layout, Shape, outcome};
use super::kernels::{self, Form, KernelSource, Quantity, Weighing};
use super::packing::{Packing, Proven};
use super::plan::Pieces;
use super::tuning::{Reduction, Tuning};

/// A shader's module, and what the host is to find in it.
struct Reflected {
    module: Module,
}

impl Reflected {
    fn new(text: &str) -> Result<Self, String> {
        let module = front::wgsl::parse_str(text).map_err(|error| error.emit_to_string(text))?;
        Ok(Self { module })
    }

    fn inner(&self, ty: Handle<Type>) -> &TypeInner {
        &self.module.types[ty].inner
    }

    fn check(&self, source: &KernelSource) -> Result<(), String> {
        let entry_points = self.module.entry_points.iter().map(|entry_point| entry_point.name.as_str());
        expect("entry points", entry_points.collect(), vec![source.name])?;
        self.check_bindings(source)?;
        self.check_constants(source)
    }

    fn check_bindings(&self, source: &KernelSource) -> Result<(), String> {
        let globals = self.module.global_variables.iter().map(|(_, global)| global);
        let bound: Vec<_> = globals.filter(|global| global.binding.is_some()).collect();
        let mut names: Vec<_> =
            bound.iter().map(|global| global.name.as_deref().unwrap_or_default()).collect();
        let mut wanted: Vec<_> = source.bindings.iter().map(|(binding, _)| binding.name).collect();
        names.sort_unstable();
        wanted.sort_unstable();
        expect("bindings", names, wanted)?;
        for (binding, contents) in &source.bindings {
            let name = binding.name;
            let global = bound.iter().find(|global| global.name.as_deref() == Some(name)).ok_or(name)?;
            let place = global.binding.map(|place| (place.group, place.binding));
            expect(&format!("number of {name}"), place, Some((0, binding.number)))?;
            let access = match global.space {
                AddressSpace::Uniform => Some(Access::Uniform),
                AddressSpace::Storage { access } if access == StorageAccess::LOAD => Some(Access::Read),
                AddressSpace::Storage { access } if access == StorageAccess::LOAD | StorageAccess::STORE => {
                    Some(Access::ReadWrite)
                }
                _ => None,
            };
            expect(&format!("access to {name}"), access, Some(binding.access))?;
            self.check_contents(name, global.ty, *contents)?;
        }
        Ok(())
    }

    fn check_contents(&self, name: &str, ty: Handle<Type>, contents: Contents) -> Result<(), String> {
        match (contents, self.inner(ty)) {
            (Contents::One(layout), _) => self.check_struct(ty, layout, None),
            (Contents::Array(wanted), TypeInner::Array { stride, .. }) => {
                expect(&format!("stride of {name}"), *stride as usize, wanted)
            }
            (Contents::Array(_), other) => Err(format!("{name} is no array: {other:?}")),
            (Contents::Rows { head, row }, _) => self.check_struct(ty, head, Some(row)),
        }
    }

    /// A struct, which may end in an array of `rows`.
    fn check_struct(
        &self,
        ty: Handle<Type>,
        layout: &Layout,
        rows: Option<&'static Layout>,
    ) -> Result<(), String> {
        let struct_name = layout.name;
        expect("name of a struct", self.module.types[ty].name.as_deref(), Some(struct_name))?;
        let TypeInner::Struct { members, span } = self.inner(ty) else {
            return Err(format!("{struct_name} is no struct"));
        };
        let (fixed, last) = match (members.split_last(), rows) {
            (Some((last, fixed)), Some(rows)) => (fixed, Some((last, rows))),
            _ => (members.as_slice(), None),
        };
        let name_of = |name: &Option<String>| name.clone().unwrap_or_default();
        let fields: Vec<_> = fixed.iter().map(|member| name_of(&member.name)).collect();
        let wanted: Vec<_> = layout.fields.iter().map(|field| field.name.to_owned()).collect();
        expect(&format!("fields of {struct_name}"), fields, wanted)?;
        for (member, field) in fixed.iter().zip(layout.fields) {
            let path = format!("{struct_name}.{}", field.name);
            expect(&format!("offset of {path}"), member.offset as usize, field.offset)?;
            self.check_shape(&path, member.ty, field.shape)?;
        }
        let Some((last, rows)) = last else {
            return expect(&format!("bytes of {struct_name}"), *span as usize, layout.bytes);
        };
        let path = format!("{struct_name}.{}", name_of(&last.name));
        expect(&format!("offset of {path}"), last.offset as usize, layout.bytes)?;
        let TypeInner::Array { base, stride, .. } = self.inner(last.ty) else {
            return Err(format!("{path} is no array"));
        };
        expect(&format!("stride of {path}"), *stride as usize, rows.bytes)?;
        self.check_struct(*base, rows, None)
    }

    fn check_shape(&self, path: &str, ty: Handle<Type>, wanted: Shape) -> Result<(), String> {
        let shape = match (self.inner(ty), wanted) {
            (_, Shape::Struct(layout)) => return self.check_struct(ty, layout, None),
            (TypeInner::Scalar(scalar), _) => Shape::Scalar(name_of(*scalar)),
            (TypeInner::Vector { size, scalar }, _) => Shape::Vector(name_of(*scalar), *size as usize),
            (other, _) => return Err(format!("{path} is {other:?}")),
        };
        expect(&format!("type of {path}"), shape, wanted)
    }

    fn check_constants(&self, source: &KernelSource) -> Result<(), String> {
        let overrides = self.module.overrides.iter().map(|(_, constant)| constant);
        let mut names: Vec<_> =
            overrides.map(|constant| constant.name.as_deref().unwrap_or_default()).collect();
        let mut wanted: Vec<_> = source.constants.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        wanted.sort_unstable();
        expect("override constants", names, wanted)?;
        let mut values = back::PipelineConstants::default();
        values.extend(source.constants.iter().map(|&(name, value)| (name.to_owned(), value)));
        let mut validator = valid::Validator::new(valid::ValidationFlags::all(), valid::Capabilities::all());
        let info = validator.validate(&self.module).map_err(|error| format!("{error:?}"))?;
        let entry_point = Some((ShaderStage::Compute, source.name));
        back::pipeline_constants::process_overrides(&self.module, &info, entry_point, &values)
            .map(|_| ())
            .map_err(|error| format!("{}: {error:?}", source.name))
    }
}

/// The numbers of outcomes, which the host reads in the rows of a history.
#[test]
fn outcomes_have_the_numbers_that_the_host_reads() {
    let module = Reflected::new(&kernels::update(PROVEN, Precision::Fast).text()).unwrap().module;
    let constants: Vec<_> = module.constants.iter().map(|(_, constant)| constant).collect();
    for (name, number) in
        [("STEP", outcome::STEP), ("TOLERANCE", outcome::TOLERANCE), ("DIVERGED", outcome::DIVERGED)]
    {
        let constant = constants.iter().find(|constant| constant.name.as_deref() == Some(name)).unwrap();
        let value = &module.global_expressions[constant.init];
        assert_eq!(value, &Expression::Literal(Literal::U32(number)), "{name}");
    }
}

fn name_of(scalar: Scalar) -> &'static str {
    match (scalar.kind, scalar.width) {
        (ScalarKind::Float, 4) => "f32",
        (ScalarKind::Float, 8) => "f64",
        (ScalarKind::Uint, 4) => "u32",
        (ScalarKind::Sint, 4) => "i32",
        _ => "another type",
    }
}

#[expect(clippy::needless_pass_by_value, reason = "both are small, and most are made for the call")]
fn expect<T: PartialEq + std::fmt::Debug>(what: &str, got: T, wanted: T) -> Result<(), String> {
    if got == wanted { Ok(()) } else { Err(format!("{what}: WGSL has {got:?}, the host {wanted:?}")) }
}

fn check(source: &KernelSource) -> Result<(), String> {
    check_text(source, &source.text())
}

fn check_text(source: &KernelSource, text: &str) -> Result<(), String> {
    Reflected::new(text)?.check(source)
}

const PACKINGS: [Packing; 7] =
    [Packing::F32, Packing::U8, Packing::I8, Packing::U16, Packing::I16, Packing::F16, Packing::Bf16];

/// Every kind of data: every packing on each side, with and without weights, a
/// validity mask and a shift.
fn forms() -> Vec<Form> {
    let mut forms = Vec::new();
    for (k, x) in PACKINGS.into_iter().enumerate() {
        let of = |step: usize| PACKINGS[(k + step) % PACKINGS.len()];
        for weights in [None, Some(of(2))] {
            for has_validity in [false, true] {
                for is_shifted in [false, true] {
                    // Each with and without, beside something else.
                    let proven = Proven { fma: is_shifted, halves: has_validity };
                    forms.push(Form { x, t: of(1), weights, has_validity, is_shifted, proven });
                }
            }
        }
    }
    forms
}

/// Every launch configuration that makes another kernel.
fn tunings() -> Vec<Tuning> {
    let mut tunings = Vec::new();
    for reduction in [Reduction::Invocation, Reduction::Workgroup, Reduction::Subgroup] {
        for contiguous in [false, true] {
            for loads in [1, 4] {
                tunings.push(Tuning { contiguous, loads, reduction, ..Tuning::DISCRETE });
            }
        }
    }
    tunings
}

const PROVEN: Proven = Proven { fma: true, halves: true };

const QUANTITIES: [Quantity; 6] = [
    Quantity::LossSums,
    Quantity::HuberSums,
    Quantity::Moments,
    Quantity::Reweighted(Weighing::Huber),
    Quantity::Reweighted(Weighing::Tukey),
    Quantity::Reweighted(Weighing::Clip),
];

/// The sums that a descent on a device steps by.
const STEPPED: [(Quantity, Precision); 3] = [
    (Quantity::LossSums, Precision::Fast),
    (Quantity::LossSums, Precision::Compensated),
    (Quantity::HuberSums, Precision::Compensated),
];

const PIECES: Pieces = Pieces { elements: 1024, per_run: 64 };

/// Every kernel that the host can ask for.
pub(super) fn kernels() -> Vec<KernelSource> {
    let mut kernels = vec![kernels::self_test_halves()];
    for proven in [PROVEN, Proven::default()] {
        kernels.push(kernels::self_test(proven));
        for precision in [Precision::Fast, Precision::Compensated] {
            kernels.push(kernels::update(proven, precision));
        }
    }
    for precision in Precision::ALL {
        kernels.extend(QUANTITIES.map(|quantity| kernels::finish(precision, quantity, PIECES)));
    }
    for tuning in tunings() {
        for x in PACKINGS {
            for is_new in [false, true] {
                let proven = Proven { fma: is_new, halves: is_new };
                let form = Form { x, t: x, weights: None, has_validity: false, is_shifted: is_new, proven };
                kernels.push(kernels::predict(&tuning, form, is_new));
            }
        }
        for form in forms() {
            kernels.extend(
                STEPPED.map(|(quantity, precision)| kernels::descend(&tuning, form, quantity, precision)),
            );
            for precision in Precision::ALL {
                for quantity in QUANTITIES {
                    let by_subgroup = tuning.reduction == Reduction::Subgroup;
                    let is_asked_for = quantity.precision(precision) == precision;
                    let fits_subgroup = (precision, quantity) == (Precision::Fast, Quantity::LossSums);
                    if is_asked_for && (!by_subgroup || fits_subgroup) {
                        kernels.push(kernels::sums(&tuning, precision, quantity, form, PIECES));
                    }
                }
            }
        }
    }
    kernels
}

/// A kernel that has every binding over elements, and one of each other.
fn examples() -> [KernelSource; 5] {
    let weights = Some(Packing::F16);
    let form = Form {
        x: Packing::F32,
        t: Packing::U8,
        weights,
        has_validity: true,
        is_shifted: true,
        proven: PROVEN,
    };
    [
        kernels::sums(&Tuning::DISCRETE, Precision::Fast, Quantity::LossSums, form, PIECES),
        kernels::predict(&Tuning::DISCRETE, form, false),
        kernels::finish(Precision::Fast, Quantity::LossSums, PIECES),
        kernels::descend(&Tuning::SOFTWARE, form, Quantity::LossSums, Precision::Fast),
        kernels::self_test(PROVEN),
    ]
}

/// Writes all kernels down for `tests/drivers/naga`, if `LINFIT_KERNELS` says where.
#[test]
fn every_kernel_has_what_the_host_says() {
    let kernels = kernels();
    assert!(kernels.len() > 1_000, "{}", kernels.len());
    if let Ok(file) = std::env::var("LINFIT_KERNELS") {
        let lines = kernels.iter().map(|source| {
            let constants: std::collections::BTreeMap<_, _> = source.constants.iter().copied().collect();
            let line =
                serde_json::json!({ "name": source.name, "text": source.text(), "constants": constants });
            format!("{line}\n")
        });
        std::fs::write(file, lines.collect::<String>()).unwrap();
    }
    for source in kernels {
        check(&source).unwrap_or_else(|error| panic!("{}: {error}\n{}", source.name, source.text()));
    }
}

/// Each change is one that would run, and be wrong, without the check.
#[test]
fn a_kernel_that_differs_from_the_host_is_noticed() {
    let [sums, predict, finish, descend, self_test] = examples();
    for (source, from, to, error) in [
        (
            &sums,
            "share: u32,          // pieces that a workgroup takes\n    first_partial: u32,",
            "first_partial: u32,\n    share: u32,",
            "fields of Window",
        ),
        (&sums, "    zero: u32,           // what", "    zero: f32,           // what", ""),
        (&sums, "first_partial: u32", "first: u32", "first_partial"),
        (
            &sums,
            "share: u32,          // pieces",
            "@align(16) share: u32,          // pieces",
            "offset of Window.share",
        ),
        (
            &sums,
            "    more_unused: vec2<u32>,\n}",
            "    more_unused: vec2<u32>,\n    more: vec4<f32>,\n}",
            "fields of Window",
        ),
        (
            &sums,
            "@binding(4) var<storage, read> points",
            "@binding(5) var<storage, read> points",
            "number of points",
        ),
        (&sums, "@binding(1) var<storage, read> t:", "@binding(8) var<storage, read> t:", "number of t"),
        (
            &sums,
            "var<storage, read> x: array<vec4<f32>>",
            "var<storage, read_write> x: array<vec4<f32>>",
            "access to x",
        ),
        (
            &sums,
            "override BLOCK: u32;",
            "override BLOCK: u32;\noverride MORE: u32 = 1u;",
            "override constants",
        ),
        (&sums, "override LOADS: u32;", "const LOADS = 1u;", "override constants"),
        (&predict, "y: array<vec4<f32>>", "y: array<array<vec4<f32>, 2>>", ""),
        (&predict, "array<Run>", "array<Piece>", "stride of runs"),
        (&finish, "zero: u32,           // what `run_time_zero` returns\n", "", ""),
        (&descend, "stopped: u32,", "stopped: vec2<u32>,", ""),
        (
            &descend,
            "    weight: vec2<f32>,\n    bias: vec2<f32>,\n    velocity_weight",
            "    bias: vec2<f32>,\n    weight: vec2<f32>,\n    velocity_weight",
            "fields of Row",
        ),
        (
            &descend,
            "    momentum: vec2<f32>, ",
            "    @size(16) momentum: vec2<f32>, ",
            "offset of Descent.gradient_share",
        ),
        (&self_test, "product: Sum,\n", "product: Case,\n", ""),
        (&self_test, "fn self_test(", "fn other(", "self_test"),
    ] {
        let text = source.text();
        check(source).unwrap();
        assert!(text.contains(from), "{}: nothing to change: {from}", source.name);
        let noticed = check_text(source, &text.replacen(from, to, 1)).unwrap_err();
        assert!(noticed.contains(error), "{from} → {to}: {noticed}");
    }
}

/// Each change is one on the host's side.
#[test]
fn a_host_that_differs_from_the_kernel_is_noticed() {
    let [sums, ..] = examples();
    let noticed = |change: &dyn Fn(&mut KernelSource), error: &str| {
        let mut changed = sums.clone();
        change(&mut changed);
        let noticed = check(&changed).unwrap_err();
        assert!(noticed.contains(error), "{noticed}");
    };
    noticed(&|source| source.bindings[0].0.number = 9, "number of x");
    noticed(&|source| source.bindings[1].0.name = "target", "bindings");
    noticed(&|source| source.bindings[0].0.access = Access::ReadWrite, "access to x");
    noticed(&|source| source.bindings[0].1 = Contents::Array(4), "stride of x");
    noticed(&|source| source.bindings.truncate(3), "bindings");
    noticed(&|source| source.constants[0].0 = "CONTIGUOS", "override constants");
    noticed(&|source| source.constants.truncate(3), "override constants");
}
