#!/usr/bin/env bash
# Sets up, builds and runs sparsify on Debian 12 or later and Ubuntu 24.04 or later.
set -euo pipefail
cd "$(dirname "$0")"

usage() {
  cat <<'TEXT'
usage: ./bootstrap.sh COMMAND

  run      install what is missing, build, and run the quick start (configs/quickstart.yaml)
  test     install what is missing, build, and run the tests
  build    install what is missing and build
  deps     only install what is missing from the distribution's packages

environment:
  BUILD_DIR   where to build (default: build)
  BUILD_TYPE  of CMake (default: Release)
  JOBS        parallel compile jobs (default: one per processor)
  WITH_MPI    1: install MPI, too, for runs of several processes (docs/parallel.md)
  CMAKE_ARGS  further arguments for cmake, e.g. "-DSPARSIFY_SANITIZE=address,undefined"; warnings are
              errors unless it has -DSPARSIFY_WERROR=OFF
TEXT
}

# One package a line; docs/dependencies.md gives the reason for each.
packages=(
  g++ cmake ninja-build pkg-config
  libfmt-dev libyaml-cpp-dev libcli11-dev libeigen3-dev
  libopenblas-openmp-dev liblapacke-dev
  libhdf5-dev libdnnl-dev libxbyak-dev
  libprotobuf-dev protobuf-compiler libonnx-dev
  libjpeg-dev libpng-dev zlib1g-dev
  libgtest-dev libgmock-dev
  dataset-fashion-mnist
)
if [[ ${WITH_MPI:-0} == 1 ]]; then packages+=(libopenmpi-dev openmpi-bin); fi

missing_packages() {
  local package
  for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' ||
      echo "$package"
  done
}

install_missing() {
  command -v dpkg-query >/dev/null || {
    echo "bootstrap: this script needs Debian or Ubuntu packages; see docs/dependencies.md" >&2
    exit 1
  }
  local missing
  mapfile -t missing < <(missing_packages)
  [[ ${#missing[@]} -eq 0 ]] && return
  local as_root=()
  if [[ $(id -u) -ne 0 ]]; then
    if command -v sudo >/dev/null; then
      as_root=(sudo)
    else
      echo "bootstrap: packages are missing and there is neither root nor sudo; run as root:" >&2
      echo "  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
      exit 1
    fi
  fi
  echo "bootstrap: installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

build() {
  local targets=("$@")
  # shellcheck disable=SC2086  # CMAKE_ARGS is a list of words
  cmake -S . -B "$build_dir" -G Ninja -DCMAKE_BUILD_TYPE="${BUILD_TYPE:-Release}" ${CMAKE_ARGS:-}
  cmake --build "$build_dir" -j "$jobs" ${targets[@]:+--target "${targets[@]}"}
}

build_dir=${BUILD_DIR:-build}
jobs=${JOBS:-$(nproc)}

case "${1:-}" in
  deps)
    install_missing
    ;;
  build)
    install_missing
    build
    ;;
  run)
    install_missing
    build sparsify
    shift
    exec "$build_dir/sparsity/cli/sparsify" --config configs/quickstart.yaml "$@"
    ;;
  test)
    install_missing
    build
    ctest --test-dir "$build_dir" --output-on-failure -j "$jobs"
    ;;
  -h | --help | help)
    usage
    ;;
  *)
    usage >&2
    exit 2
    ;;
esac
