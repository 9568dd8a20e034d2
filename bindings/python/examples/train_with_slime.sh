#!/usr/bin/env bash
# The four functions of ReRec in slime. Needs GPUs and slime from its repository: it has not been run here.
#
# DATA is JSON Lines with the keys of a sample: {"prompt": [...], "label": "Heat (1995)", "metadata": {"query": "q1", "candidates": [...]}}.
set -euo pipefail

cat > rerec.json <<JSON
{"catalogue": "$PWD/catalogue.jsonl", "graph": "catalogue", "curriculum": {"batch_size": 32}}
JSON
export REREC_CONFIG=$PWD/rerec.json
python3 train.py \
  --custom-rm-path rerec.slime.reward \
  --custom-reward-post-process-path rerec.slime.post_process \
  --custom-advantage-function-path rerec.slime.advantages \
  --data-source-path rerec.slime.DataSource \
  --prompt-data "${DATA:?}" --input-key prompt --label-key label --metadata-key metadata --apply-chat-template \
  --hf-checkpoint "${MODEL:?}" --rollout-global-dataset \
  --rollout-batch-size 32 --n-samples-per-prompt 8 --context-parallel-size 1 "$@"
