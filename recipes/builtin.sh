#!/usr/bin/env bash
# Makes a built-in model from public data: imports, the open dataset, three trainings, the bundle, its
# measurements. The card of the one in the package says where it departs from this.
#
#   recipes/builtin.sh SOURCES WORK
#
# SOURCES holds cmu_salsa/ (BVH pairs 60_NN, 61_NN of the CMU database), cmu_single/ (npz files of
# joints) and grapplemap/GrappleMap.txt; WORK receives datasets, runs and the bundle. Training
# can be stopped at any moment: run the failed line again with --resume.
set -euo pipefail
sources=$1 work=$2
mkdir -p "$work"

cmu="CMU Graphics Lab Motion Capture Database, mocap.cs.cmu.edu"
licence="free for research and commercial use; the data itself may not be resold. The data used in \
this project was obtained from mocap.cs.cmu.edu; the database was created with funding from NSF \
EIA-0196217."
intermask data import bvh "$sources/cmu_salsa" -o "$work/salsa" --fps 60 --scale 1.28 \
    --drop-first 8 --mapping cmu_daz --style salsa --val take_13 --test take_05 \
    --source "$cmu, subjects 60 and 61" --licence "$licence"
intermask data import grapplemap "$sources/grapplemap/GrappleMap.txt" -o "$work/grapplemap"
intermask data import single "$sources/cmu_single" -o "$work/single" \
    --source "$cmu" --licence "$licence"

intermask data make open -o "$work/open" --clips 4500 --seed 0 --workers "$(nproc)" \
    --salsa "$work/salsa" --grapplemap "$work/grapplemap"

intermask train tokenizer --preset small -o "$work/tokenizer" \
    --data "$work/open" --share 0.86 --data "$work/single" --share 0.04 \
    --data "$work/salsa" --share 0.05 --data "$work/grapplemap" --share 0.05
intermask train transformer --preset small -o "$work/transformer" --tokenizer "$work/tokenizer" \
    --data "$work/open"
intermask train evaluator --preset small -o "$work/evaluator" --data "$work/open"
intermask bundle "$work/transformer" -o "$work/builtin" --half --name builtin \
    --evaluator "$work/evaluator"
python "$(dirname "$0")/measure.py" "$work/builtin" "$work/open" "$work/single"
intermask evaluate-contacts "$work/builtin" --data "$work/open" -o "$work/contacts"
