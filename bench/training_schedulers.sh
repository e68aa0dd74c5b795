#!/usr/bin/env bash
# The schedulers beside each other: one sparsity, the same network, steps and learning rates.
#   bench/training_schedulers.sh CONFIG OUTPUT SPARSITY EPOCHS ROW…
#     CONFIG   a recipe with training, e.g. configs/level_prune_fashion_mnist.yaml; its own
#              scheduler and sweep are replaced
#     ROW      level (level-prune by energy, one stage), uniform (level-prune, the same sparsity
#              everywhere), polynomial, rigl, acdc, str, probmask, admm, fixed (magnitude masks of
#              the dense network, then training under them)
# SPARSIFY names the program (default: build/sparsity/cli/sparsify), THREADS its threads.
set -euo pipefail
[[ $# -ge 5 ]] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
config=$1 output=$2 sparsity=$3 epochs=$4
shift 4
bench=$(cd "$(dirname "$0")" && pwd)
sparsify=${SPARSIFY:-$bench/../build/sparsity/cli/sparsify}

# The --set arguments of a row, one a line. Other schedulers than level-prune share the sparsity out
# by the same energies.
settings() {
  local level="{type: AmbaLevelPruneScheduler, kwargs: {sparsity_table: [$sparsity], prun_algo: 1}}"
  local -A types=([polynomial]=Polynomial [rigl]=RigL [acdc]=ACDC [str]=STR [probmask]=ProbMask
    [admm]=ADMM [fixed]=Base)
  case $1 in
    level) echo "sparsity.scheduler=$level" ;;
    uniform) echo "sparsity.scheduler=${level/prun_algo: 1/prun_algo: 0}" ;;
    *)
      [[ -n ${types[$1]:-} ]] || { echo "unknown row: $1" >&2; return 1; }
      echo "sparsity.scheduler={type: ${types[$1]}Scheduler}"
      echo "sparsity.allocation={type: level}"
      echo "sparsity.fake_sparse={type: FakeSparse, kwargs: {mask_is_static: True}}"
      echo "sweep=[$sparsity]" ;;
  esac
}

folders=()
for row in "$@"; do
  folder=$output/$row
  folders+=("$folder")
  [[ -f $folder/report.html ]] && continue
  arguments=()
  chosen=$(settings "$row")
  while IFS= read -r setting; do arguments+=(--set "$setting"); done <<<"$chosen"
  [[ -d $folder ]] && arguments+=(--resume)
  "$sparsify" --config "$config" --set training.epochs="$epochs" "${arguments[@]}" \
    ${THREADS:+--threads "$THREADS"} --output "$folder" -q
done
"$bench/accuracy_table.py" "${folders[@]}"
