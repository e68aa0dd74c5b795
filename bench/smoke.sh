#!/usr/bin/env bash
# Short runs of the programs that Python scripts drive, on made-up numbers: they start, answer and
# end.   bench/smoke.sh FOLDER_OF_PROGRAMS
set -euo pipefail
programs=$(realpath "$1")
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

floats() { head -c $(($1 * 4)) <(yes $'\x3f' | tr -d '\n') >"$2"; }  # 0.747… each

floats 784 "$work/image"
printf 'input %s\nrun 2\nquit\n' "$work/image" |
  "$programs/plan_worker" examples/fashion_mnist/fashion_mnist_resnet14.onnx --batch 1 --threads 1 |
  grep '^times'

# One 3×3 layer, 4 → 8 channels on 6×6, two images.
echo "4 8 6 3 1 1 1 2 0.001" >"$work/problem.txt"
floats $((8 * 4 * 9)) "$work/w"
floats 8 "$work/b"
floats $((2 * 4 * 36)) "$work/x"
floats $((2 * 8 * 36)) "$work/y"
printf 'step 2\nweights\n' | "$programs/reconstruction_bench" "$work" 1 | grep '[0-9]'
[[ $(stat -c %s "$work/w_trained") == $((8 * 4 * 9 * 4)) ]]

# Two images of a network's training.
floats $((2 * 784)) "$work/images"
echo "2 0.01" >"$work/problem.txt"
echo "3 7" >"$work/labels.txt"
echo "step 2" | "$programs/training_bench" examples/fashion_mnist/fashion_mnist_resnet14.onnx \
  "$work" 1 | grep '[0-9]'
