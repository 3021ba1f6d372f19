"""Ask a language model of a provider. The libraries are imported when the first request is made, in the worker only."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import structlog

from classifier.assistant.failures import ProviderFailed, failure_of
from classifier.assistant.pieces import Put, pieces_of
from classifier.assistant.provider_models import model_of
from classifier.services.assistant import Connection

logger = structlog.get_logger(__name__)

WRITE_SECONDS = 0.7
"""Time between two pieces of an answer: people read no faster, and each piece is a write to the database."""

_NO_STREAM = ("rejected", "not_found")
"""Failures of a request to stream that the same request without streaming need not meet."""


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


def explain(
    connection: Connection,
    *,
    instructions: str,
    prompt: str,
    image: bytes | None = None,
    write: Callable[[dict[str, Any]], None] | None = None,
) -> Answer:
    """Return a structured explanation.

    Args:
        connection: the provider.
        instructions: rules for the model.
        prompt: the data.
        image: PNG file to send; None sends none.
        write: called about every `WRITE_SECONDS` with the parts as far as they are written, in the calling thread; with
            nothing if the answer begins again. An exception that it raises ends the request. None does not stream.

    Raises:
        ProviderFailed: if there is no usable answer within the time of the provider.
    """
    if write is None:
        return asyncio.run(_guarded(connection, _explain(connection, instructions, prompt, image)))

    def work(put: Put) -> Coroutine[Any, Any, Answer]:
        return _guarded(connection, _explain_growing(connection, instructions, prompt, image, put))

    answer = Answer()
    with closing(pieces_of(work)) as pieces:
        for piece in pieces:
            if isinstance(piece, Answer):
                answer = piece
            else:
                write(piece)
    return answer


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

    Closing the generator ends the request.

    Args:
        connection: the provider.
        instructions: rules for the model, and the data.
        turns: earlier questions with their answers.
        question: the question.
        image: PNG file to send; None sends none.

    Raises:
        ProviderFailed: if there is no usable answer within the time of the provider; with the code `CUT_OFF` after the
            last piece of an answer that reached the length limit.
    """

    def work(put: Put) -> Coroutine[Any, Any, Answer]:
        return _guarded(connection, _stream(connection, instructions, turns, question, image, put))

    with closing(pieces_of(work)) as pieces:
        yield from (piece for piece in pieces if isinstance(piece, str))


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


async def _explain_growing(
    connection: Connection, instructions: str, prompt: str, image: bytes | None, put: Put
) -> Answer:
    """Stream an explanation. Ask for the whole answer if the provider cannot stream one in the required form."""
    from classifier.assistant.schema import ModelExplanation

    try:
        return await _structured_stream(connection, ModelExplanation, instructions, prompt, image, put)
    except Exception as error:
        code, status = failure_of(error, connection).code, getattr(error, "status_code", None)
        refused = code in _NO_STREAM or status == HTTPStatus.NOT_IMPLEMENTED
        if not refused and code != "malformed":
            raise
        logger.info("assistant_stream_failed", provider=connection.name, code=code, error=type(error).__name__)
    put({})
    # A malformed answer was paid for, and the next request repeats it. A refusal was not an answer.
    retries = 1 if refused else 0
    return await _structured(connection, ModelExplanation, instructions, prompt, image, retries=retries)


async def _look(connection: Connection, instructions: str, prompt: str, image: bytes) -> Answer:
    from classifier.assistant.schema import SecondLook

    return await _structured(connection, SecondLook, instructions, prompt, image)


async def _structured(
    connection: Connection, form: Any, instructions: str, prompt: str, image: bytes | None, *, retries: int = 1
) -> Answer:
    from pydantic_ai.usage import UsageLimits

    async with model_of(connection) as model:
        agent = _agent(model, connection, form, instructions, retries=retries)
        result = await agent.run(_content(prompt, image), usage_limits=UsageLimits(request_limit=1 + retries))
    return _answer(result.output.model_dump(), result)


async def _structured_stream(
    connection: Connection, form: Any, instructions: str, prompt: str, image: bytes | None, put: Put
) -> Answer:
    from pydantic_ai.exceptions import ContentFilterError, OutputTokenLimitExceeded, UnexpectedModelBehavior

    output = None
    async with model_of(connection) as model:
        agent = _agent(model, connection, form, instructions, retries=0)
        async with agent.run_stream(_content(prompt, image)) as result:
            try:
                async for output in result.stream_output(debounce_by=WRITE_SECONDS):
                    if not put(output.model_dump()):
                        return Answer()
            except UnexpectedModelBehavior as error:
                # While it streams, the library reports every unfinished answer as one of the wrong form.
                if result.response.finish_reason == "length":
                    raise OutputTokenLimitExceeded("The answer reached the length limit.") from error
                if result.response.finish_reason == "content_filter":
                    raise ContentFilterError("The provider stopped the answer.") from error
                raise
    assert output is not None
    return _answer(output.model_dump(), result)


def _agent(model: Any, connection: Connection, form: Any, instructions: str, *, retries: int) -> Any:
    from pydantic_ai import Agent, NativeOutput, ToolOutput

    # Anthropic's older models know tools only; the others take a JSON schema.
    shape = ToolOutput if connection.kind == "anthropic" else NativeOutput
    return Agent(
        model,
        output_type=shape(form),
        instructions=instructions,
        retries=retries,
        model_settings=_settings(connection),
    )


def _content(prompt: str, image: bytes | None) -> list[Any]:
    from pydantic_ai import BinaryContent

    return [prompt] if image is None else [prompt, BinaryContent(image, media_type="image/png")]


async def _stream(
    connection: Connection,
    instructions: str,
    turns: Sequence[tuple[str, str]],
    question: str,
    image: bytes | None,
    put: Put,
) -> Answer:
    from pydantic_ai import Agent
    from pydantic_ai.exceptions import OutputTokenLimitExceeded
    from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart

    history: list[ModelMessage] = []
    for asked, answered in turns:
        if answered:
            history.append(ModelRequest(parts=[UserPromptPart(asked)]))
            history.append(ModelResponse(parts=[TextPart(answered)]))
    async with model_of(connection) as model:
        agent = Agent(model, instructions=instructions, retries=0, model_settings=_settings(connection))
        async with agent.run_stream(_content(question, image), message_history=history) as result:
            async for text in result.stream_text(debounce_by=WRITE_SECONDS):
                if not put(text):
                    return Answer()
            if result.response.finish_reason == "length":
                # Text that was cut off is not an error of the library.
                raise OutputTokenLimitExceeded("The answer reached the length limit.")
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
