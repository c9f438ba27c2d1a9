#!/usr/bin/env bash
# Fine-tunes a model on a dataset and prints its errors on held-out clips before and after:
#
#     bash recipes/finetune.sh MODEL DATA WORK [KEY=VALUE ...]
#
# MODEL is a bundle or a transformer run, or "builtin". DATA is a dataset folder with val or test
# clips, such as the salsa of recipes/builtin.sh (which the built-in model has seen already: its
# errors before are those of a model at home; a model trained without salsa shows more). WORK
# receives the runs tuned-tokenizer and tuned, their curves and the two tables. Settings are those
# of `intermask train transformer --set`; those of the tokenizer's half begin with "tokenizer.".
# Stopped? The same command goes on.
set -euo pipefail
model=$1 data=$2 work=$3
shift 3
here=$(dirname "$0")
if [ "$model" = builtin ]; then
    model=$(python -c 'from importlib.resources import files; print(files("intermask") / "builtin")')
fi
settings=()
for setting in "$@"; do settings+=(--set "$setting"); done
mkdir -p "$work"

[ -s "$work/before.txt" ] || python "$here/measure.py" "$model" "$data" > "$work/before.txt"

again=()
for run in tuned tuned-tokenizer; do
    if [ -e "$work/$run/last.pt" ]; then again=(--resume); fi
done
intermask train transformer --init "$model" --data "$data" -o "$work/tuned" \
    "${settings[@]}" "${again[@]}"

python "$here/measure.py" "$work/tuned" "$data" > "$work/after.txt"
intermask runs plot "$work/tuned-tokenizer" "$work/tuned" -o "$work/curves.png"
printf '\nbefore\n'
cat "$work/before.txt"
printf '\nafter\n'
cat "$work/after.txt"
