#!/usr/bin/env bash
# The post-training tables of docs/results.md: runs rows of one network, one after the other,
# and prints a table of all of them. A row that is finished already is not run again.
#   bench/post_training.sh NETWORK MODELS IMAGES OUTPUT LEVELS ROW…
#     NETWORK  e.g. imagenet_mobilenetv2_1.0; MODELS holds NETWORK.onnx
#     IMAGES   holds imagenet/{calibration,validation} or imagenette/{train,validation};
#              fashion_mnist_* take Debian's dataset-fashion-mnist package instead
#     LEVELS   e.g. 50,60 (percent)
#     ROW      none (masks of published, no repair), published (Adam 1e-5 on uniform magnitude
#              masks), block (the same by blocks), best (configs/post_training_best.yaml), uniform,
#              erk and fcpts (the same with that allocation), admm, least_squares, sparse_gpt, wanda, statistics
#              (best by that method), admm_uniform, least_squares_uniform, plain (that with one damping for
#              all layers, not fitted behind activations), nm (2:4, uniform), polish (best with a
#              polish behind it); row@256: with so many calibration images; row+N: with at most
#              N optimiser steps; polish+NxB: of B images each, in bf16 if the processor multiplies it
# SPARSIFY names the program (default: build/sparsity/cli/sparsify).
set -euo pipefail
[[ $# -ge 6 ]] || { sed -n '2,17s/^# \{0,1\}//p' "$0" >&2; exit 2; }
network=$1 models=$(realpath "$2") images=$(realpath "$3") output=$(realpath -m "$4") levels=$5
shift 5
cd "$(dirname "$0")/.."
sparsify=${SPARSIFY:-build/sparsity/cli/sparsify}

mnist=/usr/share/datasets/fashion-mnist
case $network in
  fashion_mnist*)
    transform='{color: gray, scale: 0.00392157, mean: [0.2860], std: [0.3530]}'
    calibration="type: idx, path: $mnist/train-images-idx3-ubyte.gz, labels: $mnist/train-labels-idx1-ubyte.gz"
    evaluation="type: idx, path: $mnist/t10k-images-idx3-ubyte.gz, labels: $mnist/t10k-labels-idx1-ubyte.gz" ;;
  imagenet_squeezenet*)
    transform='{center_crop: 227, color: bgr, scale: 1, mean: [104, 117, 123], std: [1, 1, 1]}'
    set=imagenet ;;
  imagenet_mobilenetv1*)
    transform='{center_crop: 224, color: rgb, scale: 0.00784313725490196, mean: [1], std: [1]}'
    set=imagenet ;;
  imagenet_*)
    transform='{center_crop: 224, color: rgb, scale: 0.00784313725490196, mean: [1], std: [1], label_offset: 1}'
    set=imagenet ;;
  *)
    transform='{resize: [224, 224], color: rgb, scale: 0.00392157, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}'
    set=imagenette ;;
esac
case ${set:-} in
  imagenet) calibration="type: images, path: $images/imagenet/calibration" ;;
  imagenette) calibration="type: images, path: $images/imagenette/train" ;;
esac
[[ -z ${set:-} ]] || evaluation="type: images, path: $images/$set/validation"

# The --set arguments of a row, one a line.
settings() {
  local adam='{pattern: PATTERN, max_count: STEPS, weight_lr: 0.00001}'
  local plain='{type: NormalMaskGenerator}'
  case $1 in
    none)
      echo 'sparsity.reconstruction=None'
      echo "sparsity.mask_generator=$plain"
      echo 'sparsity.allocation={type: Uniform}'
      echo 'sparsity.layers={}' ;;
    published | block)
      local pattern=layer
      [[ $1 == block ]] && pattern=block
      adam=${adam/PATTERN/$pattern}
      echo "sparsity.reconstruction=${adam/STEPS/${2:-20000}}"
      echo "sparsity.mask_generator=$plain"
      echo 'sparsity.allocation={type: Uniform}'
      echo 'sparsity.layers={}' ;;
    best) ;;
    uniform) echo 'sparsity.allocation={type: Uniform}' ;;
    erk) echo 'sparsity.allocation={type: ERK}' ;;
    fcpts) echo 'sparsity.allocation={type: FCPTS}' ;;
    polish)
      echo "sparsity.reconstruction.polish={max_count: ${2:-1000}}"
      if [[ -n ${3:-} ]]; then
        echo "sparsity.reconstruction.polish.batch=$3"
        if grep -qE '\b(avx512_bf16|amx_bf16)\b' /proc/cpuinfo; then
          echo "sparsity.reconstruction.polish.precision=bf16"
        fi
      fi ;;
    admm | least_squares | sparse_gpt | wanda) echo "sparsity.reconstruction.method=$1" ;;
    admm_uniform | least_squares_uniform)
      echo "sparsity.reconstruction.method=${1%_uniform}"
      echo 'sparsity.allocation={type: Uniform}' ;;
    statistics) echo 'sparsity.reconstruction={method: statistics, memory_limit: 2000}' ;;
    plain)
      echo 'sparsity.reconstruction={method: least_squares, memory_limit: 2000}'
      echo 'sparsity.allocation={type: Uniform}' ;;
    nm)
      echo 'sparsity.mask_generator={type: NMMaskGenerator, kwargs: {n: 2, m: 4}}'
      echo 'sparsity.allocation={type: Uniform}' ;;
    *) echo "unknown row: $1" >&2; return 1 ;;
  esac
}

folders=()
for row in "$@"; do
  name=${row%%[@+]*}
  count=1000
  steps=
  batch=
  [[ $row =~ @([0-9]+) ]] && count=${BASH_REMATCH[1]}
  [[ $row =~ \+([0-9]+) ]] && steps=${BASH_REMATCH[1]}
  [[ $row =~ \+[0-9]+x([0-9]+) ]] && batch=${BASH_REMATCH[1]}
  folder=$output/$network/$row
  folders+=("$folder")
  [[ -f $folder/report.html ]] && continue
  if [[ -n $steps && ! $name =~ ^(published|block|polish)$ ]]; then
    echo "$row: $name takes no optimiser steps" >&2
    exit 2
  fi
  arguments=()
  chosen=$(settings "$name" "$steps" "$batch")
  while IFS= read -r setting; do
    [[ -z $setting ]] || arguments+=(--set "$setting")
  done <<<"$chosen"
  resume=()
  [[ -d $folder ]] && resume=(--resume)
  # The curves that the recipe measures on 1000 images serve every row with that allocation.
  curves=$output/$network/sensitivity.csv
  # A row that began without them goes on as it began.
  begun=$folder/resolved.yaml
  if [[ -f $curves && $name =~ ^(best|polish|admm|least_squares|sparse_gpt|wanda|statistics)$ ]] &&
    { [[ ! -f $begun ]] || grep -q "curves_file: .*sensitivity.csv" "$begun"; }; then
    arguments+=(--set "sparsity.allocation.curves_file=$curves")
  fi
  "$sparsify" --config configs/post_training_best.yaml "${resume[@]}" \
    --set model.path="$models/$network.onnx" --set data.transform="$transform" \
    --set "data.calibration={$calibration, count: $count}" \
    --set "data.evaluation={$evaluation}" --set "sweep=[$levels]" "${arguments[@]}" \
    --output "$folder" -q
  if [[ ! -f $curves && -f $folder/sensitivity.csv && $row == best ]]; then
    cp "$folder/sensitivity.csv" "$curves"
  fi
done
bench/accuracy_table.py "${folders[@]}"
