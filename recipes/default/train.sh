#!/bin/sh
# Trains the default model, or goes on with it:
#
#     recipes/default/train.sh WORK STEPS [option of prwkv train ...]
#
# WORK/train and WORK/heldout hold the texts (README.md), WORK/vocab.txt the vocabulary; WORK/run becomes the run. Ctrl-C saves,
# the same command goes on. The learning rate stays up until --decay N is among the options: then it goes down in the
# last N of STEPS, and WORK/run/model.safetensors is a model to use. Keep a copy of WORK/run from before, to go on from there.
# Where the processor multiplies matrices of bf16, --precision bf16 is much faster (docs/training.md).
set -eu
work=$1 steps=$2
shift 2
prwkv=$(dirname "$0")/../../build/release/prwkv
train="" heldout=""
for source in stories dialogues instructions arithmetic tinystories storybooks gutenberg taskmaster; do
  [ ! -e "$work/train/$source.jsonl" ] || train="$train $work/train/$source.jsonl"
  [ ! -e "$work/heldout/$source.jsonl" ] || heldout="$heldout $work/heldout/$source.jsonl"
done
[ -e "$work/vocab.txt" ] || "$prwkv" vocab train $train -o "$work/vocab.txt" --size 4096
# shellcheck disable=SC2086  # lists of files are meant
exec "$prwkv" train --new rwkv7:L8,C256 --vocab "$work/vocab.txt" --data $train --validation-data $heldout \
  --cache "$work/cache" --context 512 --batch 8 --schedule wsd --warmup 50 --lr 3e-3 --lr-final 1e-4 --seed 1 \
  --eval-every 1000 --eval-samples 200 --save-every 250 -o "$work/run" --resume --steps "$steps" "$@"
