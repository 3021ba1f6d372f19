"""Ask a language model of a provider. The libraries are imported when the first request is made, in the worker only."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from queue import Queue
from threading import Event, Thread
from typing import Any

import structlog

from classifier.services.assistant import Connection

logger = structlog.get_logger(__name__)

CONNECT_SECONDS = 10.0
WRITE_SECONDS = 0.7
"""Time between two pieces of an answer: people read no faster, and each piece is a write to the database."""


class ProviderFailed(Exception):
    """A provider gave no usable answer; the message is a sentence for people, without anything the provider sent.

    Attributes:
        code: a short identifier for logs and figures.
    """

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


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


PARTS = ("summary", "picture", "against", "limits", "next_steps")
"""The parts of a structured explanation: the first is a text, the others are lists of statements."""


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
        ProviderFailed: if there is no usable answer within the time of the provider.
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
        failure = _failure(error, connection)
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
    from pydantic_ai import Agent, BinaryContent, NativeOutput, ToolOutput
    from pydantic_ai.usage import UsageLimits

    from classifier.assistant.schema import ModelExplanation

    # Anthropic's older models know tools only; the others take a JSON schema.
    shape = ToolOutput if connection.kind == "anthropic" else NativeOutput
    async with _model(connection) as model:
        agent = Agent(
            model,
            output_type=shape(ModelExplanation),
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
    from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart

    history: list[ModelMessage] = []
    for asked, answered in turns:
        if answered:
            history.append(ModelRequest(parts=[UserPromptPart(asked)]))
            history.append(ModelResponse(parts=[TextPart(answered)]))
    content: list[Any] = [question]
    if image is not None:
        content.append(BinaryContent(image, media_type="image/png"))
    async with _model(connection) as model:
        agent = Agent(model, instructions=instructions, retries=0, model_settings=_settings(connection))
        async with agent.run_stream(content, message_history=history) as result:
            async for text in result.stream_text(debounce_by=WRITE_SECONDS):
                pieces.put(text)
                if closed.is_set():
                    return Answer()
    return Answer()


async def _say_ready(connection: Connection) -> Answer:
    from pydantic_ai import Agent

    async with _model(connection) as model:
        agent = Agent(model, retries=0, model_settings=_settings(connection) | {"max_tokens": 200})
        result = await agent.run("Answer with the single word: ready")
    return _answer({"text": result.output}, result)


def _answer(content: dict[str, Any], result: Any) -> Answer:
    usage = result.usage
    return Answer(content, input_tokens=usage.input_tokens or 0, output_tokens=usage.output_tokens or 0)


def _settings(connection: Connection) -> Any:
    return {"max_tokens": connection.max_tokens, "max_retries": 0, "timeout": float(connection.timeout_seconds)}


@asynccontextmanager
async def _model(connection: Connection) -> AsyncIterator[Any]:
    """Yield the model of a provider. Redirects are not followed: they would carry the key to another host."""
    import httpx2

    timeout = httpx2.Timeout(float(connection.timeout_seconds), connect=CONNECT_SECONDS)
    async with httpx2.AsyncClient(timeout=timeout, follow_redirects=False) as client:
        yield _MODELS[connection.kind](connection, client)


def _google(connection: Connection, client: Any) -> Any:
    from google.genai.types import HttpRetryOptions
    from pydantic_ai.models.google import GoogleModel
    from pydantic_ai.providers.google import GoogleProvider

    provider = GoogleProvider(
        api_key=connection.key,
        http_client=client,
        base_url=connection.address or None,
        retry_options=HttpRetryOptions(attempts=1),
    )
    return GoogleModel(connection.model, provider=provider)


def _openai(connection: Connection, client: Any) -> Any:
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.profiles.openai import OpenAIModelProfile
    from pydantic_ai.providers.openai import OpenAIProvider

    # A server without keys needs some text in the header.
    provider = OpenAIProvider(
        base_url=connection.address or "https://api.openai.com/v1", api_key=connection.key or "none", http_client=client
    )
    if connection.kind == "compatible":
        profile = OpenAIModelProfile(supports_json_schema_output=True, openai_supports_strict_tool_definition=False)
        return OpenAIChatModel(connection.model, provider=provider, profile=profile)
    return OpenAIChatModel(connection.model, provider=provider)


def _anthropic(connection: Connection, client: Any) -> Any:
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    provider = AnthropicProvider(api_key=connection.key, base_url=connection.address or None, http_client=client)
    return AnthropicModel(connection.model, provider=provider)


_MODELS: dict[str, Callable[[Connection, Any], Any]] = {
    "google": _google,
    "openai": _openai,
    "compatible": _openai,
    "anthropic": _anthropic,
}


def _failure(error: Exception, connection: Connection) -> ProviderFailed:
    """Return the sentence for an error. It names the provider and repeats nothing that the provider sent."""
    from pydantic_ai import exceptions as e

    name = connection.name
    known: tuple[tuple[tuple[type[Exception], ...], str, str], ...] = (
        ((e.ModelTimeoutError, e.ModelRequestTimeout, e.RunTimedOut, TimeoutError), "timeout", _SLOW),
        ((e.ModelAuthenticationError,), "authentication", _KEY),
        ((e.ModelQuotaExceededError,), "quota", _QUOTA),
        ((e.ModelRateLimitError,), "rate_limit", _BUSY),
        ((e.ModelNotFoundError,), "not_found", _UNKNOWN),
        ((e.ModelContextWindowExceededError,), "too_long", _LONG),
        ((e.ModelUnavailableError, e.ModelServerError), "server_error", _DOWN),
        ((e.ModelConnectionError,), "unreachable", _UNREACHABLE),
        ((e.ContentFilterError,), "refused", _FILTERED),
        ((e.OutputTokenLimitExceeded,), "cut_off", _CUT),
        ((e.ModelRequestRejectedError, e.ModelHTTPError), "rejected", _REJECTED),
        ((e.UnexpectedModelBehavior, e.UsageLimitExceeded), "malformed", _MALFORMED),
        ((e.ModelAPIError,), "unreachable", _UNREACHABLE),
    )
    for kinds, code, text in known:
        if isinstance(error, kinds):
            return ProviderFailed(text.format(name=name, seconds=connection.timeout_seconds), code=code)
    return ProviderFailed(_OTHER.format(name=name), code="error")


def empty(name: str) -> str:
    """Return the sentence for an answer without content."""
    return _MALFORMED.format(name=name)


_SLOW = "The provider {name} did not answer within {seconds} seconds."
_KEY = "The provider {name} did not accept the key. Tell your administrator."
_QUOTA = "The quota of the provider {name} is used up. Tell your administrator."
_BUSY = "The provider {name} receives too many requests at the moment. Try again in a minute."
_UNKNOWN = "The provider {name} does not know this model or address. Tell your administrator."
_LONG = "The request is too long for the model of the provider {name}."
_DOWN = "The provider {name} reports an error of its own."
_UNREACHABLE = "The provider {name} cannot be reached."
_FILTERED = "The provider {name} refused to answer."
_CUT = "The answer of the provider {name} was cut off at the limit of its length."
_REJECTED = "The provider {name} rejected the request. Tell your administrator."
_MALFORMED = "The answer of the provider {name} was empty or not in the required form."
_OTHER = "The request to the provider {name} failed. Tell your administrator."
