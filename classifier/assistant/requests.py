"""Answer requests for explanations: the built-in one at once, those of language models through the queue."""

from classifier.assistant.allowlist import IMAGE, context_of
from classifier.assistant.builtin import PROVIDER, explain, markdown
from classifier.assistant.facts import facts_of
from classifier.models import Explanation, Scan, User
from classifier.selectors.explanation import enabled_providers, review_fields
from classifier.services.errors import Invalid
from classifier.services.explanation import explainable_analysis, queue_explanation, store_explanation


def request_explanation(scan: Scan, *, by: User, provider: str = PROVIDER, with_image: bool = False) -> Explanation:
    """Explain the current result of a scan, or queue the request to a language model.

    Args:
        scan: as loaded by a selector for `by`.
        by: the person who asks.
        provider: name of the provider.
        with_image: whether the image is sent; the built-in explanation sends nothing.

    Raises:
        Invalid: if there is no such provider, or it may not get the image.
        NotAllowed: if the person cannot see the scan.
        Sealed: if the result is closed to the person.
        Conflict: if there is no result, the person has used up the limit, or the scan was deleted.
    """
    analysis = explainable_analysis(scan, by=by)
    if provider == PROVIDER:
        return store_explanation(analysis, by=by, provider=PROVIDER, text=markdown(explain(facts_of(analysis))))
    chosen = enabled_providers().filter(name=provider).first()
    if chosen is None:
        raise Invalid(f"There is no provider with this name. “{PROVIDER}” is always there.", code="unknown_provider")
    fields = list(context_of(facts_of(analysis), review_fields(by, scan)))
    return queue_explanation(
        analysis,
        by=by,
        provider=chosen,
        with_image=with_image,
        fields=[*fields, IMAGE] if with_image else fields,
    )
