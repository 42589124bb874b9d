"""What a registry hides becomes plainer by asking about the login alone; what stays hidden is not guessed."""

from __future__ import annotations

import pytest

from rotator.registry.diagnose import Ailment, Detail, Diagnosis
from rotator.registry.resolve import Probes, is_ambiguous, resolve

HIDDEN = Diagnosis(Ailment.NO_ACCESS_OR_NOT_FOUND, "HTTP 401", "ask")
SILENT = Diagnosis(Ailment.UNCLEAR, "HTTP 401", "ask")
GOOD = Diagnosis(Ailment.OK, "HTTP 200", "")
WRONG = Diagnosis(Ailment.AUTH_FAILED, "HTTP 401: wrong login", "replace it")


@pytest.mark.parametrize("found", [HIDDEN, SILENT], ids=["hidden", "silent"])
def test_a_wrong_login_is_told_from_a_missing_right(found: Diagnosis) -> None:
    """A login that is refused by itself is what is wrong, with its own advice (Harbor grants tokens to anybody)."""
    plain = resolve(found, Probes(login=WRONG))
    assert (plain.ailment, plain.advice) == (Ailment.AUTH_FAILED, "replace it")
    assert "the login alone" in plain.evidence


@pytest.mark.parametrize(
    ("probes", "words"),
    [
        pytest.param(Probes(login=GOOD), "the login itself is accepted", id="accepted"),
        pytest.param(Probes(GOOD, granted=frozenset()), "its token grants no pull", id="nothing granted"),
        pytest.param(Probes(GOOD, granted=frozenset({"pull"})), "grants the pull all the same", id="granted"),
        pytest.param(Probes(GOOD, is_public=True), "without a login it pulls", id="public"),
    ],
)
def test_what_is_known_of_a_hidden_image_is_said(probes: Probes, words: str) -> None:
    """It stays "not granted or not there", and what was learned stands beside it."""
    plain = resolve(HIDDEN, probes)
    assert (plain.ailment, plain.advice) == (HIDDEN.ailment, HIDDEN.advice)
    assert words in plain.evidence


@pytest.mark.parametrize(
    ("found", "probes"),
    [
        pytest.param(HIDDEN, Probes(), id="not asked"),
        pytest.param(HIDDEN, Probes(Diagnosis(Ailment.RATE_LIMITED, "HTTP 429", "wait")), id="slow down"),
        pytest.param(GOOD, Probes(WRONG), id="it pulls"),
        pytest.param(Diagnosis(Ailment.UNCLEAR, "x", "y", Detail.ADDRESS), Probes(WRONG), id="firewall"),
        pytest.param(Diagnosis(Ailment.NOT_FOUND, "x", "y"), Probes(WRONG), id="not found"),
    ],
)
def test_what_is_plain_stays(found: Diagnosis, probes: Probes) -> None:
    """A diagnosis that is plain, or about which nothing was learned, is not touched."""
    assert resolve(found, probes) == found


def test_plain_answers_cost_no_question() -> None:
    """Only what a question may make plainer is asked about."""
    plain = [Diagnosis(ailment, "", "") for ailment in Ailment if ailment not in {HIDDEN.ailment, SILENT.ailment}]
    assert not any(map(is_ambiguous, plain))
    assert is_ambiguous(HIDDEN)
