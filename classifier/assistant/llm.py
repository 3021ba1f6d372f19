"""Ask a language model of a provider. The libraries are imported when the first request is made, in the worker only."""

import asyncio
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from queue import Queue
from threading import Event, Thread
from typing import Any

import structlog

from classifier.assistant.failures import ProviderFailed, failure_of
from classifier.assistant.provider_models import model_of
from classifier.services.assistant import Connection

logger = structlog.get_logger(__name__)

WRITE_SECONDS = 0.7
"""Time between two pieces of an answer: people read no faster, and each piece is a write to the database."""


@dataclass(slots=True)
class Answer:
    """The answer of a model.

    Attributes:
        content: the structured parts by name, or the text under "text".
        input_tokens: tokens that the provider counted for the request.
        output_tokens: tokens that it counted for the answer.
        seconds: time that the request took.
    """

    content: dict[str, Any] = field(default_factory=dict)
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0


def explain(connection: Connection, *, instructions: str, prompt: str, image: bytes | None = None) -> Answer:
    """Return a structured explanation.

    Args:
        connection: the provider.
        instructions: rules for the model.
        prompt: the data.
        image: PNG file to send; None sends none.

    Raises:
        ProviderFailed: if there is no usable answer within the time of the provider.
    """
    return asyncio.run(_guarded(connection, _explain(connection, instructions, prompt, image)))


def ask_about_pictures(
    connection: Connection, *, instructions: str, requests: Sequence[tuple[str, bytes]]
) -> list["Answer | ProviderFailed"]:
    """Return answers about numbered statements, as `classifier.assistant.schema.SecondLook` has them.

    The requests run together. One that fails is returned as its failure, so that the others count.

    Args:
        connection: the provider.
        instructions: rules for the model.
        requests: prompt and PNG file of each request.
    """

    async def ask(prompt: str, image: bytes) -> Answer | ProviderFailed:
        try:
            return await _guarded(connection, _look(connection, instructions, prompt, image))
        except ProviderFailed as failure:
            return failure

    async def ask_all() -> list[Answer | ProviderFailed]:
        return await asyncio.gather(*(ask(prompt, image) for prompt, image in requests))

    return asyncio.run(ask_all())


def test_connection(connection: Connection) -> Answer:
    """Ask for one word, without any data of the installation.

    Raises:
        ProviderFailed: if there is no answer.
    """
    return asyncio.run(_guarded(connection, _say_ready(connection)))


def stream(
    connection: Connection,
    *,
    instructions: str,
    turns: Sequence[tuple[str, str]],
    question: str,
    image: bytes | None = None,
) -> Generator[str, None, None]:
    """Yield the answer to a question as it grows, each time from its beginning.

    Closing the generator ends the request. It runs in a thread of its own, because code that writes to the database
    must not run in an event loop.

    Args:
        connection: the provider.
        instructions: rules for the model, and the data.
        turns: earlier questions with their answers.
        question: the question.
        image: PNG file to send; None sends none.

    Raises:
        ProviderFailed: if there is no usable answer within the time of the provider; with the code `CUT_OFF` after the
            last piece of an answer that reached the limit of its length.
    """
    pieces: Queue[str | ProviderFailed | None] = Queue()
    closed = Event()

    def run() -> None:
        try:
            asyncio.run(_guarded(connection, _stream(connection, instructions, turns, question, image, pieces, closed)))
            pieces.put(None)
        except ProviderFailed as failure:
            pieces.put(failure)

    Thread(target=run, name="assistant-stream", daemon=True).start()
    try:
        while (piece := pieces.get()) is not None:
            if isinstance(piece, ProviderFailed):
                raise piece
            yield piece
    finally:
        closed.set()


async def _guarded(connection: Connection, work: Any) -> Answer:
    began = time.monotonic()
    try:
        async with asyncio.timeout(connection.timeout_seconds):
            answer: Answer = await work
    except Exception as error:
        failure = failure_of(error, connection)
        # Messages of providers can repeat the key or the request: only the kind of the error is logged.
        logger.warning(
            "assistant_request_failed",
            provider=connection.name,
            code=failure.code,
            error=type(error).__name__,
            status=getattr(error, "status_code", None),
        )
        raise failure from None
    answer.seconds = time.monotonic() - began
    return answer


async def _explain(connection: Connection, instructions: str, prompt: str, image: bytes | None) -> Answer:
    from classifier.assistant.schema import ModelExplanation

    return await _structured(connection, ModelExplanation, instructions, prompt, image)


async def _look(connection: Connection, instructions: str, prompt: str, image: bytes) -> Answer:
    from classifier.assistant.schema import SecondLook

    return await _structured(connection, SecondLook, instructions, prompt, image)


async def _structured(connection: Connection, form: Any, instructions: str, prompt: str, image: bytes | None) -> Answer:
    from pydantic_ai import Agent, BinaryContent, NativeOutput, ToolOutput
    from pydantic_ai.usage import UsageLimits

    # Anthropic's older models know tools only; the others take a JSON schema.
    shape = ToolOutput if connection.kind == "anthropic" else NativeOutput
    async with model_of(connection) as model:
        agent = Agent(
            model,
            output_type=shape(form),
            instructions=instructions,
            retries=1,
            model_settings=_settings(connection),
        )
        content: list[Any] = [prompt]
        if image is not None:
            content.append(BinaryContent(image, media_type="image/png"))
        result = await agent.run(content, usage_limits=UsageLimits(request_limit=2))
    return _answer(result.output.model_dump(), result)


async def _stream(
    connection: Connection,
    instructions: str,
    turns: Sequence[tuple[str, str]],
    question: str,
    image: bytes | None,
    pieces: "Queue[str | ProviderFailed | None]",
    closed: Event,
) -> Answer:
    from pydantic_ai import Agent, BinaryContent
    from pydantic_ai.exceptions import OutputTokenLimitExceeded
    from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart

    history: list[ModelMessage] = []
    for asked, answered in turns:
        if answered:
            history.append(ModelRequest(parts=[UserPromptPart(asked)]))
            history.append(ModelResponse(parts=[TextPart(answered)]))
    content: list[Any] = [question]
    if image is not None:
        content.append(BinaryContent(image, media_type="image/png"))
    async with model_of(connection) as model:
        agent = Agent(model, instructions=instructions, retries=0, model_settings=_settings(connection))
        async with agent.run_stream(content, message_history=history) as result:
            async for text in result.stream_text(debounce_by=WRITE_SECONDS):
                pieces.put(text)
                if closed.is_set():
                    return Answer()
            if result.response.finish_reason == "length":
                # Text that was cut off is no error of the library.
                raise OutputTokenLimitExceeded("The answer reached the limit of its length.")
    return Answer()


async def _say_ready(connection: Connection) -> Answer:
    from pydantic_ai import Agent

    async with model_of(connection) as model:
        agent = Agent(model, retries=0, model_settings=_settings(connection) | {"max_tokens": 200})
        result = await agent.run("Answer with the single word: ready")
    return _answer({"text": result.output}, result)


def _answer(content: dict[str, Any], result: Any) -> Answer:
    usage = result.usage
    return Answer(content, input_tokens=usage.input_tokens or 0, output_tokens=usage.output_tokens or 0)


def _settings(connection: Connection) -> Any:
    return {"max_tokens": connection.max_tokens, "max_retries": 0, "timeout": float(connection.timeout_seconds)}
