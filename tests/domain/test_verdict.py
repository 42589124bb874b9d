"""Never replace good with worse: what follows from what the registry said."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.domain.verdict import Finding, Judgement, Verdict, Verification, judge

A, R, N, M, C = Verdict.ACCEPTED, Verdict.REJECTED, Verdict.NO_ACCESS, Verdict.MISSING, Verdict.CANNOT_TELL
PROMOTE, WAIT, ABANDON = Judgement.PROMOTE, Judgement.WAIT, Judgement.ABANDON

verdicts = st.sampled_from(Verdict)


def verification(auth: Verdict, *images: Verdict) -> Verification:
    """Return findings about the registry and about images ``i0``, ``i1``..."""
    found = (Finding(f"i{number}", verdict, f"answer {verdict}") for number, verdict in enumerate(images))
    return Verification(Finding("registry", auth, f"answer {auth}"), tuple(found))


verifications = st.builds(lambda auth, images: verification(auth, *images), verdicts, st.lists(verdicts, max_size=3))


@pytest.mark.parametrize(
    ("pending", "current", "judgement", "evidence"),
    [
        (verification(A), None, PROMOTE, "accepted"),
        (verification(A, A, A), None, PROMOTE, "accepted"),
        (verification(R), None, ABANDON, "registry: answer rejected"),
        (verification(N, A), None, ABANDON, "registry: answer no_access"),
        (verification(R, C), None, ABANDON, "registry: answer rejected"),
        (verification(C, A), None, WAIT, "registry: answer cannot_tell"),
        (verification(A, A, C), None, WAIT, "i1: answer cannot_tell"),
        (verification(A, N, C), None, WAIT, "i1: answer cannot_tell"),
        (verification(A, A, N), None, ABANDON, "i1: answer no_access"),
        (verification(A, R), None, ABANDON, "i0: answer rejected"),
        (verification(A, N), verification(A, A), ABANDON, "i0: answer no_access"),
        (verification(A, N), verification(A, M), ABANDON, "i0: answer no_access"),
        (verification(A, N), verification(A, C), ABANDON, "i0: answer no_access"),
        (verification(A, N), verification(A, N), PROMOTE, "accepted; i0 cannot be pulled, as before"),
        (verification(A, N), verification(A, R), PROMOTE, "accepted; i0 cannot be pulled, as before"),
        (verification(A, N), verification(R, A), PROMOTE, "accepted; i0 cannot be pulled, as before"),
        (verification(A, N, N), verification(A, N, A), ABANDON, "i1: answer no_access"),
        (verification(A, M), None, PROMOTE, "accepted; does not exist: i0"),
        (verification(A, M, A, M), None, PROMOTE, "accepted; does not exist: i0, i2"),
        (verification(M), None, PROMOTE, "accepted"),
    ],
    ids=[
        "no image",
        "all pull",
        "refused",
        "no access at all",
        "refused outweighs unsure",
        "unsure of the login",
        "unsure of an image",
        "unsure outweighs no access",
        "first one must pull everything",
        "first one refused for an image",
        "worse than now",
        "the tag is missing now, the right is not",
        "now cannot tell",
        "as bad as now",
        "as refused as now",
        "now refuses altogether",
        "one as before, one worse",
        "tag missing",
        "two tags missing",
        "nothing to ask for the login",
    ],
)
def test_judge(pending: Verification, current: Verification | None, judgement: Judgement, evidence: str) -> None:
    """The judgement and its evidence follow from what was found about the pending and the current version."""
    assert judge(pending, current) == (judgement, evidence)


@settings(deadline=None, max_examples=100)
@given(verifications, st.none() | verifications)
def test_only_what_logs_in_is_promoted(pending: Verification, current: Verification | None) -> None:
    """I2: nothing is promoted whose login was refused or about which anything was left open."""
    judgement, _ = judge(pending, current)
    if judgement is PROMOTE:
        assert pending.auth.verdict not in {R, N, C}
        assert all(finding.verdict is not C for finding in pending.images)


@settings(deadline=None, max_examples=100)
@given(verifications, verifications)
def test_promoted_pulls_what_the_current_one_pulls(pending: Verification, current: Verification) -> None:
    """I2: no image that the current version pulls is refused to a promoted one."""
    judgement, _ = judge(pending, current)
    if judgement is PROMOTE and current.auth.verdict is A:
        for now, then in zip(current.images, pending.images, strict=False):
            assert not (now.verdict is A and then.verdict in {R, N})


@settings(deadline=None, max_examples=100)
@given(verifications)
def test_without_a_refusal_nothing_is_abandoned(pending: Verification) -> None:
    """A registry that is down or an image that is missing never costs a version its life."""
    refused = {finding.verdict for finding in (pending.auth, *pending.images)} & {R, N}
    assert refused or judge(pending, None)[0] is not ABANDON


@pytest.mark.parametrize(
    ("findings", "worst"),
    [
        (verification(A), A),
        (verification(A, A, M), M),
        (verification(A, M, C), C),
        (verification(C, N), N),
        (verification(N, A, R), R),
        (verification(M), M),
    ],
    ids=["good", "missing", "unsure over missing", "no access over unsure", "refused over all", "login"],
)
def test_worst_verdict(findings: Verification, worst: Verdict) -> None:
    """A verification's verdict is the worst of its findings."""
    assert findings.verdict is worst
