"""Answer questions in conversations: in the web process what needs no model, in the worker the rest."""

import re

from classifier.assistant import llm
from classifier.assistant.allowlist import IMAGE, QUESTION, context_of
from classifier.assistant.builtin import Facts
from classifier.assistant.check import check, complete_sentences, said_of_blocked
from classifier.assistant.facts import facts_of, image_of
from classifier.assistant.failures import CUT_OFF, ProviderFailed, empty
from classifier.assistant.prompts import CHAT, data_of
from classifier.assistant.references import references_of, render
from classifier.models import Conversation, Message, Scan, User
from classifier.selectors.conversation import messages_of
from classifier.selectors.explanation import enabled_providers, review_fields
from classifier.selectors.scan import get_scan
from classifier.services import conversation as service
from classifier.services.assistant import connection_of
from classifier.services.conversation import MessageClaim, fail_answer, finish_answer, write_answer
from classifier.services.errors import Invalid
from classifier.services.explanation import explainable_analysis

REFUSAL = (
    "BrainScan explains the stored result of this image. It does not diagnose and does not prescribe. The decision is "
    "yours, with the whole examination and the patient before you. You can ask what the result rests on, what speaks "
    "against it, and what it cannot tell."
)
OFF = "The language model of this conversation was switched off. Nothing was sent."
CLOSED = "The result is no longer open to you. Nothing was sent."
CUT = "*The answer ends here because it reached the length limit.*"
CONTRADICTED = "The answer contradicted the analysis and is not shown. Try again, or rephrase the question."

_ASKS = re.compile(
    r"\b(?:diagnose (?:the|this|my|him|her)|(?:what|which) (?:is|would be) (?:the|your) (?:final |exact )?diagnosis|"
    r"(?:give|make|tell) (?:me )?(?:a|the|your) diagnosis|prescri(?:be|ption)|"
    r"(?:what|which|how much|how many) (?:dose|dosage|mg|milligrams?|drug|medication|medicine)\b|"
    r"(?:should|shall|must|can) (?:i|we) (?:give|start|stop|operate|irradiate|prescribe|administer|biopsy|resect)|"
    r"which (?:treatment|therapy|surgery) (?:should|shall|must|do)|"
    r"(?:how long|will) (?:does|do|will)? ?(?:the patient|he|she|they) (?:live|survive|die))",
    re.IGNORECASE,
)


def suggested_questions(facts: Facts) -> list[str]:
    """Return questions that fit a result."""
    first = {
        "classified": "What does this result rest on?",
        "uncertain": "Why is the result uncertain?",
        "not_brain_mri": "Why was the image refused?",
    }
    return [first[facts.result.outcome], "What speaks against it?", "What can the network not see here?"]


def start_conversation(scan: Scan, *, by: User, provider: str, with_image: bool) -> Conversation:
    """Start a conversation about the current result of a scan.

    Raises:
        Invalid: if there is no such provider, or it may not get the image.
        Sealed: if the result is closed to the person.
        Conflict: if there is no result, or too many conversations.
    """
    analysis = explainable_analysis(scan, by=by)
    chosen = enabled_providers().filter(name=provider).first()
    if chosen is None:
        raise Invalid("There is no provider with this name.", code="unknown_provider")
    return service.start_conversation(analysis, by=by, provider=chosen, with_image=with_image)


def ask(scan: Scan, conversation: Conversation, *, question: str, replaces: Message | None = None) -> Message:
    """Ask a question. A request for a diagnosis or a prescription is refused with a fixed answer; nothing is sent.

    Args:
        scan: as loaded by a selector for the owner of the conversation, and open to them.
        conversation: of the person who asks.
        question: text of the person.
        replaces: an earlier question that this one replaces, with everything after it.

    Raises:
        Invalid: if the question is empty or too long, or the provider may not be used.
        Conflict: if an answer is being written, or a limit is reached.
    """
    context = context_of(_facts(scan, conversation), review_fields(conversation.owner, scan))
    return service.ask(
        conversation,
        question=question,
        provider=enabled_providers().filter(name=conversation.provider).first(),
        fields=[*context, QUESTION, *([IMAGE] if conversation.with_image else [])],
        refusal=REFUSAL if _ASKS.search(question) else "",
        replaces=replaces,
    )


def answer(claim: MessageClaim) -> None:
    """Write the answer to a claimed question, in pieces. Sentences are checked before they are stored.

    Raises:
        ProviderFailed: if the provider gives no usable answer.
        ServiceError: if the key cannot be read.
    """
    conversation = claim.row.conversation
    provider = enabled_providers().filter(name=conversation.provider).first()
    if provider is None or (conversation.with_image and not provider.image_allowed):
        fail_answer(claim, OFF)
        return
    scan = _open_scan(conversation)
    if scan is None:
        fail_answer(claim, CLOSED)
        return
    facts = _facts(scan, conversation)
    references = references_of(facts)
    image = image_of(scan) if conversation.with_image else None
    data = data_of(context_of(facts, review_fields(conversation.owner, scan)), has_image=image is not None)
    turns = [(row.question, row.answer) for row in messages_of(conversation) if row.number < claim.row.number]
    pieces = llm.stream(
        connection_of(provider),
        instructions=f"{CHAT}\n{data}",
        turns=turns,
        question=claim.row.question,
        image=image,
    )
    written, notes = "", []
    try:
        for written in pieces:
            checked = check(complete_sentences(written), facts=facts, references=references, asserts=None)
            if not write_answer(claim, render(checked.text, references)):
                # The person has stopped it, or another worker has taken over.
                pieces.close()
                return
    except ProviderFailed as failure:
        if failure.code != CUT_OFF or not written:
            raise
        notes.append(CUT)
    checked = check(written, facts=facts, references=references, asserts=None)
    if not checked.text:
        fail_answer(claim, CONTRADICTED if checked.blocked else empty(provider.name))
        return
    notes.append(said_of_blocked(checked.blocked))
    text = render(checked.text, references)
    finish_answer(claim, "\n\n".join([text, *filter(None, notes)]), blocked=checked.blocked)


def _facts(scan: Scan, conversation: Conversation) -> Facts:
    """Return the facts of the analysis that the conversation is about, as its owner may read them now."""
    return facts_of(scan.analyses.for_reader(conversation.owner).get(pk=conversation.analysis_id))


def _open_scan(conversation: Conversation) -> Scan | None:
    try:
        scan = get_scan(conversation.owner, conversation.scan_id)
    except Scan.DoesNotExist:
        return None
    return None if scan.closed else scan
