#!/usr/bin/env bash
# GRPO's data flow of verl with the reward, step credit, advantages and curriculum of ReRec. Needs GPUs: it has not been run here.
#
#   pip install 'rerec[verl]' vllm
#   python3 -c 'import rerec; data = rerec.Dataset({"quickstart": {}}); data.write("data/verl", "verl_parquet"); data.write("data/items")'
#   MODEL=Qwen/Qwen2.5-3B-Instruct bash train_with_verl.sh
set -euo pipefail

DATA=${DATA:-data/verl}
CATALOGUE=${CATALOGUE:-data/items/catalogue.jsonl}
MODEL=${MODEL:-Qwen/Qwen2.5-3B-Instruct}

# The items with their attributes; "embeddings" would add the preference score. Qwen2.5 has more ids than its tokenizer.
cat > rerec.json <<JSON
{"catalogue": "$PWD/$CATALOGUE", "graph": "catalogue", "curriculum": {"batch_size": 512}, "vocab_size": ${VOCAB_SIZE:-151936}}
JSON
# The loop that hands the rewards of tokens on; verl's own writes a response's reward on its last token.
cat > agent_loop.yaml <<YAML
- name: rerec
  _target_: rerec.verl.agent.TokenRewardAgentLoop
YAML

export REREC_CONFIG=$PWD/rerec.json
python3 -m verl.trainer.main_ppo \
  algorithm.adv_estimator=rerec_raae \
  reward.reward_manager.name=rerec \
  actor_rollout_ref.rollout.agent.agent_loop_config_path="$PWD/agent_loop.yaml" \
  actor_rollout_ref.rollout.agent.default_agent_loop=rerec \
  data.train_files="$DATA/train.parquet" data.val_files="$DATA/validation.parquet" \
  data.custom_cls.path=pkg://rerec.verl.dataset data.custom_cls.name=CurriculumDataset \
  data.shuffle=False data.dataloader_num_workers=0 \
  trainer.v1.sampler.custom_sampler.path=pkg://rerec.verl.replay_buffer \
  trainer.v1.sampler.custom_sampler.name=CurriculumReplayBuffer \
  data.train_batch_size=512 data.max_prompt_length=768 data.max_response_length=768 \
  actor_rollout_ref.model.path="$MODEL" \
  actor_rollout_ref.rollout.name=vllm actor_rollout_ref.rollout.n=5 \
  actor_rollout_ref.actor.optim.lr=5e-6 actor_rollout_ref.actor.ppo_mini_batch_size=256 \
  actor_rollout_ref.actor.use_kl_loss=True actor_rollout_ref.actor.kl_loss_coef=0.01 \
  trainer.n_gpus_per_node="${GPUS:-2}" trainer.total_epochs=50
