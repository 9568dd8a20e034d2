"""Token-level rewards through verl's agent loop, which writes a response's reward on its last token otherwise."""

from typing import Any

import torch
from verl.experimental.agent_loop.agent_loop import AgentLoopOutput
from verl.experimental.agent_loop.single_turn_agent_loop import SingleTurnAgentLoop

from rerec.token_reward import TokenReward
from rerec.verl.token_level import shares_of

__all__ = ["TokenRewardAgentLoop", "TokenRewardOutput"]


class TokenRewardOutput(AgentLoopOutput):  # type: ignore[misc]
    """An output whose `rm_scores` are the shares of its tokens in the reward, where the reward manager gave them."""

    def as_dict(self) -> dict[str, Any]:
        reward = self.reward_score
        output: dict[str, Any] = super().as_dict()
        if isinstance(reward, TokenReward):
            dense = torch.zeros_like(output["response_mask"], dtype=torch.float32)
            dense[: len(reward.tokens)] = shares_of(reward.tokens)
            output["rm_scores"] = dense
        return output


class TokenRewardAgentLoop(SingleTurnAgentLoop):  # type: ignore[misc]
    """verl's loop of one turn, with such an output."""

    async def run(self, sampling_params: dict[str, Any], **arguments: Any) -> TokenRewardOutput:
        output = await super().run(sampling_params, **arguments)
        # As it was made: a copy by value would lose what was not set.
        output.__class__ = TokenRewardOutput
        return output
