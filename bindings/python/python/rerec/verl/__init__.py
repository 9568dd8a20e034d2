"""ReRec in verl: loaded by verl itself in every process where this package is installed (entry point `verl.plugins`).

| what | how it is chosen |
|---|---|
| reward manager `rerec` | `reward.reward_manager.name=rerec` |
| advantage estimator `rerec_raae` | `algorithm.adv_estimator=rerec_raae` |
| token-level rewards for it | `actor_rollout_ref.rollout.agent.agent_loop_config_path=FILE` with `_target_: rerec.verl.agent.TokenRewardAgentLoop` |
| curriculum | `data.custom_cls.path=pkg://rerec.verl.dataset data.custom_cls.name=CurriculumDataset data.shuffle=False data.dataloader_num_workers=0` |
| its metrics | `trainer.v1.sampler.custom_sampler.path=pkg://rerec.verl.replay_buffer trainer.v1.sampler.custom_sampler.name=CurriculumReplayBuffer` |

The variable `REREC_CONFIG` names the file of settings (`rerec.parts.Parts`). Responses are scored one by one there, so that what
compares the responses to a query (`parts`, `length`, `penalty` in the advantage, another estimator than RAAE) is refused.
"""

import os
from typing import Any

import numpy as np
import torch
from verl.experimental.reward_loop.reward_manager.base import RewardManagerBase
from verl.experimental.reward_loop.reward_manager.registry import register
from verl.trainer.ppo.core_algos import register_adv_est

from rerec import Assessor, RewardError, SettingError, TokenBytes, advantages, token_bytes
from rerec.parts import CONFIG_VARIABLE, Parts
from rerec.token_reward import TokenReward
from rerec.verl.token_level import rewards_of, shares_of

__all__ = ["ReRecRewardManager", "raae"]


@register("rerec")
class ReRecRewardManager(RewardManagerBase):  # type: ignore[misc]
    """Scores responses by their sampled ids, and credits their steps.

    Records hold ids in `extra_info.targets` and, where there are any, `extra_info.candidates`, as `rerec data convert` and
    `Dataset.write(format="verl")` write them. Without `extra_info.targets` the right items are those of `reward_model.ground_truth`,
    and they and the candidates are named as the settings' `by` says.

    Raises:
        SettingError: As in `Parts.load`; settings that compare the responses to a query.
    """

    def __init__(self, config: Any, tokenizer: Any, compute_score: Any = None, *_: Any, **__: Any) -> None:
        super().__init__(config, tokenizer, compute_score)
        self.parts = Parts.load()
        _refuse_groups(self.parts.assessor)
        self.token_bytes: TokenBytes = token_bytes(tokenizer, self.parts.vocab_size)

    async def run_single(self, data: Any) -> dict[str, Any]:
        """Scores the last response of a trajectory, away from the event loop: the work is done without Python's lock."""
        return await self.loop.run_in_executor(None, self.score, data[-1:][0])

    def score(self, item: Any) -> dict[str, Any]:
        """Scores one response; its query's data being at fault is an error that names it."""
        ids = _valid_response(item)
        [text], byte_lens = self.token_bytes.decode([ids])
        assessed = self.parts.assessor.assess([text], byte_lens, queries=["0"], **_question(item, self.parts.by))
        breakdown = assessed.rewards[0]
        if breakdown is None:
            raise RewardError(assessed.rewards.errors[0])
        reward = TokenReward(breakdown.total, assessed.token_rewards[0].tolist())
        info = {
            "acc": float(breakdown.hit),
            "rerec_reward": breakdown.total,
            "rerec_metric": float(assessed.metrics[0]),
            "rerec_ndcg": breakdown.ndcg,
            "rerec_flags": len(breakdown.flags),
        }
        return {"reward_score": reward, "reward_extra_info": info}

    @classmethod
    def assemble_rm_scores(cls, data: Any, scores: list[float]) -> torch.Tensor:
        """The shares of tokens where the scores have them, float32 of the shape of the responses."""
        if not all(isinstance(score, TokenReward) for score in scores):
            return super().assemble_rm_scores(data, scores)
        dense = torch.zeros_like(data.batch["responses"], dtype=torch.float32)
        for row, score in zip(dense, scores, strict=True):
            row[: len(score.tokens)] = shares_of(score.tokens)
        return dense


def _refuse_groups(assessor: Assessor) -> None:
    """Refuses settings under which a response's reward or credit depends on the others to its query: each comes here alone."""
    settings = assessor.settings
    for name, allowed, got in [
        ("parts", "summed", settings["parts"]["parts"]),
        ("penalty", "reward", settings["penalty"]["in"]),
        ("estimator", "raae", settings["estimator"]["estimator"]),
    ]:
        if got != allowed:
            raise SettingError(
                f'assessor.{name} must be "{allowed}" in verl, which scores responses one by one, got "{got}"'
            )
    if settings["length"] is not None:
        raise SettingError("assessor.length must be left out in verl, which scores responses one by one")


def _valid_response(item: Any) -> list[int]:
    ids = item.batch["responses"]
    valid = item.batch["attention_mask"][-ids.shape[-1] :].bool()
    response: list[int] = ids[valid].tolist()
    return response


def _question(item: Any, by: str) -> dict[str, Any]:
    """Targets and candidates: by id where the record holds the ids of its targets, else by what the settings say."""
    extra = item.non_tensor_batch.get("extra_info") or {}
    candidates = extra.get("candidates")
    candidates = None if candidates is None else [list(candidates)]
    if (targets := extra.get("targets")) is not None:
        return {"targets": [list(targets)], "candidates": candidates, "by": "id"}
    truth = item.non_tensor_batch["reward_model"]["ground_truth"]
    return {"targets": [truth if isinstance(truth, str) else list(truth)], "candidates": candidates, "by": by}


@register_adv_est("rerec_raae")
def raae(
    token_level_rewards: torch.Tensor, response_mask: torch.Tensor, index: np.ndarray, config: Any = None, **_: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """RAAE: rewards of tokens against mean and deviation of all tokens of the group (arXiv 2604.07851).

    Its settings are those of `assessor.estimator` in the file that `REREC_CONFIG` names.

    Args:
        token_level_rewards: Float of shape [responses, tokens]: each token's reward, divided by the tokens of its response.
        response_mask: 1 for tokens that count, of the same shape.
        index: The group of each response, [responses].
        config: verl's settings of the algorithm.

    Returns:
        Advantages, twice, of the shape of the rewards.

    Raises:
        SettingError: Rewards that stand on the last token of each response alone, or from which verl has taken a KL penalty.
    """
    if _has_kl(config):
        raise SettingError(
            "algorithm.use_kl_in_reward must be False with rerec_raae: it takes whole rewards for each token from their shares; "
            "set actor_rollout_ref.actor.use_kl_loss instead"
        )
    rewards, mask = token_level_rewards.detach().cpu(), response_mask.detach().cpu().bool()
    if _is_sparse(rewards, mask):
        raise SettingError(
            "rerec_raae compares rewards of tokens, and these stand on one token of each response: "
            "set actor_rollout_ref.rollout.agent.agent_loop_config_path to a file with rerec.verl.agent.TokenRewardAgentLoop"
        )
    groups = [str(group) for group in index]
    token_rewards = rewards_of(rewards, mask).numpy()
    computed = advantages(_estimator(), groups=groups, token_rewards=token_rewards, mask=mask.numpy())
    result = torch.from_numpy(computed).to(token_level_rewards)
    return result, result


def _has_kl(config: Any) -> bool:
    name = "use_kl_in_reward"
    return bool(config.get(name, False) if hasattr(config, "get") else getattr(config, name, False))


def _estimator() -> Any:
    return Parts.load().assessor.settings["estimator"] if os.environ.get(CONFIG_VARIABLE) else "raae"


def _is_sparse(rewards: torch.Tensor, mask: torch.Tensor) -> bool:
    """Whether no response has more than one rewarded token, though some have several tokens."""
    rewarded = ((rewards != 0) & mask).sum(-1)
    several = mask.sum(-1) > 1
    return bool(several.any()) and bool((rewarded <= 1).all()) and bool((rewarded[several] == 1).any())
