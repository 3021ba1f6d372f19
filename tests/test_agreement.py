"""How far models agree, in words."""

import pytest

from classifier.agreement import Agreement, agreement, agreement_sentence
from classifier.findings import FINDING_LABELS, Outcome
from classifier.wording import ResultData


def said(**answers: str) -> dict[str, ResultData]:
    return {
        name: ResultData(outcome=Outcome.CLASSIFIED, finding=answer)
        if answer in FINDING_LABELS
        else ResultData(outcome=answer)
        for name, answer in answers.items()
    }


@pytest.mark.parametrize(
    ("results", "kind", "sentence"),
    [
        (said(a="glioma", b="glioma", c="glioma"), Agreement.FULL, "All 3 models agree: glioma."),
        (said(a="uncertain", b="uncertain"), Agreement.FULL, "Both models agree: uncertain."),
        (
            said(a="glioma", b="meningioma"),
            Agreement.KIND,
            "The models see a tumor but differ on its kind. Glioma: a; meningioma: b.",
        ),
        (
            said(a="tumor", b="meningioma", c="meningioma"),
            Agreement.KIND,
            "The models see a tumor but differ on its kind. Meningioma: b and c; tumor of unknown kind: a.",
        ),
        (
            said(a="notumor", b="notumor", c="tumor", d="uncertain"),
            Agreement.PRESENCE,
            "The models disagree on whether there is a tumor. "
            "No tumor: a and b; tumor of unknown kind: c; uncertain: d.",
        ),
        (
            said(a="glioma", b="uncertain", c="not_brain_mri"),
            Agreement.PARTIAL,
            "Not all models report a finding. Glioma: a; uncertain: b; not a brain MR image: c.",
        ),
        (
            said(a="uncertain", b="not_brain_mri"),
            Agreement.PARTIAL,
            "Not all models report a finding. Uncertain: a; not a brain MR image: b.",
        ),
    ],
)
def test_agreement(results, kind, sentence):
    assert agreement(results) is kind
    assert agreement_sentence(results) == sentence


@pytest.mark.parametrize(
    "results",
    [
        {},
        said(a="glioma"),
        said(a="glioma") | {"b": ResultData(outcome="", state="queued")},
        said(a="glioma") | {"b": ResultData(outcome="", state="failed")},
        {"a": ResultData(outcome=""), "b": ResultData(outcome="")},
    ],
)
def test_one_answer_has_no_agreement(results):
    """A sealed result, which has succeeded without an outcome, is no answer either."""
    assert agreement(results) is None
    assert agreement_sentence(results) == ""
