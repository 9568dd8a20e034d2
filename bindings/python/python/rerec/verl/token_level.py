"""Rewards of tokens in a form whose sum is the reward of the response: verl reports, filters and validates by that sum."""

from collections.abc import Sequence

import torch

__all__ = ["rewards_of", "shares_of"]

# Of the 24 that a 32-bit float has: what is lost to dividing and multiplying again lies behind them.
BITS = 20


def shares_of(rewards: Sequence[float]) -> torch.Tensor:
    """What each token adds to their mean, float32 of shape [tokens]."""
    return (_rounded(torch.tensor(rewards, dtype=torch.float64)) / max(len(rewards), 1)).float()


def rewards_of(shares: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The rewards of the tokens that count, float64 of shape [responses, tokens], from their shares.

    Rewards that were equal are equal again: a difference in the last bit between two lengths would be all that a group without
    variance has, and be divided by it.
    """
    return _rounded(shares.double() * mask.sum(-1, keepdim=True))


def _rounded(values: torch.Tensor) -> torch.Tensor:
    mantissa, exponent = torch.frexp(values)
    return torch.ldexp(torch.round(mantissa * 2**BITS), exponent - BITS)
