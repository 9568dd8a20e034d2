"""A number for a response that remembers one for each of its tokens."""

__all__ = ["TokenReward"]


class TokenReward(float):
    """The reward of a response, with what each of its tokens earned, or the advantage of each.

    Wherever a trainer takes it for a number, it is one; it survives a pickle.

    Example:
        >>> reward = TokenReward(0.5, [0.35, 0.5])
        >>> reward + 1, reward.tokens
        (1.5, [0.35, 0.5])
    """

    tokens: list[float]

    def __new__(cls, total: float, tokens: list[float]) -> "TokenReward":
        reward = super().__new__(cls, total)
        reward.tokens = tokens
        return reward

    def __reduce__(self) -> tuple[type["TokenReward"], tuple[float, list[float]]]:
        return TokenReward, (float(self), self.tokens)
