#!/usr/bin/env bash
# Runs every test, the documentation's examples included:
#
#     tests/run.sh [--adapter NAME] [arguments of cargo test]
#
# Without arguments, the tests of the Python package too, in an environment of
# its own under target/; where Python is missing, it is installed first.
#
# The tests of the GPU engine need a Vulkan adapter that is the same on every
# machine: Mesa's software adapter, lavapipe. Where it is missing, it is
# installed first. With --adapter they run on another one, named as
# `linfit fit --adapter` names it.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [[ ${1:-} == --adapter ]]; then
    export LINFIT_TEST_ADAPTER="${2:?--adapter takes the name or the number of an adapter}"
    shift 2
fi

# Whether Vulkan's loader finds a driver for lavapipe.
has_software_adapter() {
    # The loader looks nowhere else if one of these is set.
    local drivers="${VK_DRIVER_FILES:-${VK_ICD_FILENAMES:-}}"
    if [[ -z $drivers ]] && ! compgen -G '/usr/share/vulkan/icd.d/lvp_icd*.json' >/dev/null \
        && ! compgen -G '/etc/vulkan/icd.d/lvp_icd*.json' >/dev/null \
        && ! compgen -G '/usr/local/share/vulkan/icd.d/lvp_icd*.json' >/dev/null; then
        return 1
    fi
    # Not by `grep -q` at the end of a pipe: it stops reading at the first
    # match, ldconfig then fails, and `pipefail` makes that a failure.
    local libraries
    libraries="$(PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null)" || return 1
    [[ $libraries == *libvulkan.so.1* ]]
}

give_up() {
    cat >&2 <<EOF
tests/run.sh: $1
Install Mesa's software Vulkan adapter (lavapipe) and the Vulkan loader, then
run this again: mesa-vulkan-drivers and libvulkan1 on Debian and Ubuntu,
mesa-vulkan-drivers and vulkan-loader on Fedora, vulkan-swrast and
vulkan-icd-loader on Arch. If they are elsewhere than usual, name lavapipe's
manifest, lvp_icd.*.json, in VK_DRIVER_FILES.
EOF
    exit 3
}

as_root() {
    if ((EUID == 0)); then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        give_up 'no permission to install packages.'
    fi
}

install_software_adapter() {
    [[ $(uname -s) == Linux ]] || give_up "no software Vulkan adapter can be installed on $(uname -s)."
    if command -v apt-get >/dev/null; then
        as_root apt-get update \
            && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y mesa-vulkan-drivers libvulkan1
    elif command -v dnf >/dev/null; then
        as_root dnf install -y mesa-vulkan-drivers vulkan-loader
    elif command -v pacman >/dev/null; then
        as_root pacman -Sy --needed --noconfirm vulkan-swrast vulkan-icd-loader
    else
        give_up 'no package manager that it knows: apt-get, dnf or pacman.'
    fi
}

if ! has_software_adapter; then
    echo 'tests/run.sh: installing a software Vulkan adapter' >&2
    install_software_adapter >&2 || give_up 'the packages could not be installed.'
    has_software_adapter || give_up 'the packages are installed, yet there is no software Vulkan adapter.'
fi

# Mesa complains on every start if it is unset.
if [[ -z ${XDG_RUNTIME_DIR:-} ]]; then
    XDG_RUNTIME_DIR="$(mktemp -d)"
    export XDG_RUNTIME_DIR
    trap 'rm -rf "$XDG_RUNTIME_DIR"' EXIT
fi

cargo test --locked "$@"
if (($# > 0)); then
    exit
fi

# Whether there is a Python that makes environments.
has_python() {
    python3 -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

install_python() {
    if command -v apt-get >/dev/null; then
        as_root apt-get update \
            && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y python3 python3-venv
    elif command -v dnf >/dev/null; then
        as_root dnf install -y python3
    elif command -v pacman >/dev/null; then
        as_root pacman -Sy --needed --noconfirm python
    else
        return 1
    fi
}

if ! has_python; then
    echo 'tests/run.sh: installing Python' >&2
    install_python >&2 || true
    if ! has_python; then
        echo 'tests/run.sh: Python 3.11 or later with its module venv is missing; install it, then run this again.' >&2
        exit 3
    fi
fi

environment="$PWD/target/venv"
[[ -x $environment/bin/pip ]] || python3 -m venv "$environment"
"$environment/bin/pip" install --quiet --disable-pip-version-check -r python/tests/requirements.txt
# The profile and the folder of the tests above: dependencies are compiled once.
VIRTUAL_ENV="$environment" "$environment/bin/maturin" develop --quiet --locked -m python/Cargo.toml
"$environment/bin/python" -m pytest -q python
