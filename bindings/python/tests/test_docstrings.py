"""The examples of the documentation are true."""

import doctest

import numpy
import pytest

import rerec
from rerec import sampler


@pytest.mark.parametrize("thing", [getattr(rerec, name) for name in rerec.__all__] + [sampler.CurriculumSampler])
def test_examples(thing: object) -> None:
    if getattr(thing, "__module__", "").startswith("rerec.errors"):
        return
    assert thing.__doc__, f"{thing} has no documentation"
    examples = doctest.DocTestParser().get_doctest(thing.__doc__, vars(rerec) | {"numpy": numpy}, str(thing), None, 0)
    outcome = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(examples)
    assert outcome.failed == 0
