"""ReRec in verl: loaded by verl itself in every process where this package is installed (entry point `verl.plugins`).

| what | how it is chosen |
|---|---|
| reward manager `rerec` | `reward.reward_manager.name=rerec` |
| advantage estimator `rerec_raae` | `algorithm.adv_estimator=rerec_raae` |
| token-level rewards for it | `actor_rollout_ref.rollout.agent.agent_loop_config_path=FILE` with `_target_: rerec.verl.agent.TokenRewardAgentLoop` |
| curriculum | `data.custom_cls.path=pkg://rerec.verl.dataset data.custom_cls.name=CurriculumDataset data.shuffle=False` |

The variable `REREC_CONFIG` names the file of settings (`rerec.parts.Parts`).
"""

from typing import Any

import numpy as np
import torch
from verl.experimental.reward_loop.reward_manager.base import RewardManagerBase
from verl.experimental.reward_loop.reward_manager.registry import register
from verl.trainer.ppo.core_algos import register_adv_est

from rerec import SettingError, TokenBytes, advantages, token_bytes
from rerec.parts import Parts
from rerec.token_reward import TokenReward

__all__ = ["ReRecRewardManager", "raae"]


@register("rerec")
class ReRecRewardManager(RewardManagerBase):  # type: ignore[misc]
    """Scores responses by their sampled ids, and credits their steps.

    Records hold the right titles in `reward_model.ground_truth` and, where there are any, candidates in `extra_info.candidates`, as
    `rerec data convert` and `Dataset.write(format="verl")` write them.
    """

    def __init__(self, config: Any, tokenizer: Any, compute_score: Any = None, *_: Any, **__: Any) -> None:
        super().__init__(config, tokenizer, compute_score)
        self.parts = Parts.load()
        self.token_bytes: TokenBytes = token_bytes(tokenizer)

    async def run_single(self, data: Any) -> dict[str, Any]:
        """Scores the last response of a trajectory, away from the event loop: the work is done without Python's lock."""
        return await self.loop.run_in_executor(None, self.score, data[-1:][0])

    def score(self, item: Any) -> dict[str, Any]:
        """Scores one response; its query's data being at fault is an error that names it."""
        ids = _valid_response(item)
        [text], byte_lens = self.token_bytes.decode([ids])
        asked = _question(item)
        breakdown = self.parts.reward.score([text], **asked)[0]
        assert breakdown is not None  # Faults are raised.
        [credited] = self.parts.credit.assign([text], byte_lens, rewards=[breakdown.total], **asked)
        reward = TokenReward(breakdown.total, credited.token_rewards.tolist())
        info = {
            "acc": float(breakdown.hit),
            "rerec_reward": breakdown.total,
            "rerec_ndcg": breakdown.ndcg,
            "rerec_flags": len(breakdown.flags),
        }
        return {"reward_score": reward, "reward_extra_info": info}

    @classmethod
    def assemble_rm_scores(cls, data: Any, scores: list[float]) -> torch.Tensor:
        """Rewards of tokens where the scores have them, float32 of the shape of the responses."""
        if not all(isinstance(score, TokenReward) for score in scores):
            return super().assemble_rm_scores(data, scores)
        dense = torch.zeros_like(data.batch["responses"], dtype=torch.float32)
        for row, score in zip(dense, scores, strict=True):
            row[: len(score.tokens)] = torch.tensor(score.tokens)
        return dense


def _valid_response(item: Any) -> list[int]:
    ids = item.batch["responses"]
    valid = item.batch["attention_mask"][-ids.shape[-1] :].bool()
    response: list[int] = ids[valid].tolist()
    return response


def _question(item: Any) -> dict[str, Any]:
    """Targets by title and candidates by id: the former as verl's records hold them, the latter beside the ids of the targets."""
    extra = item.non_tensor_batch.get("extra_info") or {}
    if (candidates := extra.get("candidates")) is not None and (targets := extra.get("targets")) is not None:
        return {"targets": [list(targets)], "candidates": [list(candidates)], "by": "id"}
    truth = item.non_tensor_batch["reward_model"]["ground_truth"]
    return {"targets": [truth if isinstance(truth, str) else list(truth)], "candidates": None, "by": "title"}


@register_adv_est("rerec_raae")
def raae(
    token_level_rewards: torch.Tensor, response_mask: torch.Tensor, index: np.ndarray, config: Any = None, **_: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """RAAE: rewards of tokens against mean and deviation of all tokens of the group (arXiv 2604.07851).

    Args:
        token_level_rewards: Float of shape [responses, tokens].
        response_mask: 1 for tokens that count, of the same shape.
        index: The group of each response, [responses].

    Returns:
        Advantages, twice, of the shape of the rewards.

    Raises:
        SettingError: Rewards that stand on the last token of each response alone.
    """
    rewards, mask = token_level_rewards.detach().cpu(), response_mask.detach().cpu().bool()
    if _is_sparse(rewards, mask):
        raise SettingError(
            "rerec_raae compares rewards of tokens, and these stand on one token of each response: "
            "set actor_rollout_ref.rollout.agent.agent_loop_config_path to a file with rerec.verl.agent.TokenRewardAgentLoop"
        )
    groups = [str(group) for group in index]
    computed = advantages("raae", groups=groups, token_rewards=rewards.float().numpy(), mask=mask.numpy())
    result = torch.from_numpy(computed).to(token_level_rewards)
    return result, result


def _is_sparse(rewards: torch.Tensor, mask: torch.Tensor) -> bool:
    """Whether no response has more than one rewarded token, though some have several tokens."""
    rewarded = ((rewards != 0) & mask).sum(-1)
    several = mask.sum(-1) > 1
    return bool(several.any()) and bool((rewarded <= 1).all()) and bool((rewarded[several] == 1).any())
