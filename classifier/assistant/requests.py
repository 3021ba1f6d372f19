"""Answer requests for explanations: the built-in one at once."""

from classifier.assistant.builtin import PROVIDER, explain, markdown
from classifier.assistant.facts import facts_of
from classifier.models import Explanation, Scan, User
from classifier.services.errors import Invalid
from classifier.services.explanation import explainable_analysis, store_explanation


def request_explanation(scan: Scan, *, by: User, provider: str = PROVIDER) -> Explanation:
    """Explain the current result of a scan and store the text.

    Args:
        scan: as loaded by a selector for `by`.
        by: the person who asks.
        provider: name of the provider.

    Raises:
        Invalid: if there is no such provider.
        NotAllowed: if the person cannot see the scan.
        Sealed: if the result is closed to the person.
        Conflict: if there is no result, or the scan was deleted.
    """
    analysis = explainable_analysis(scan, by=by)
    if provider != PROVIDER:
        raise Invalid(f"There is no provider with this name. “{PROVIDER}” is always there.", code="unknown_provider")
    return store_explanation(analysis, by=by, provider=PROVIDER, text=markdown(explain(facts_of(analysis))))
