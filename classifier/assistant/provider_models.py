"""Make the client of a provider's model. The libraries are imported when it is made, in the worker only."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from classifier.services.assistant import Connection

CONNECT_SECONDS = 10.0


@asynccontextmanager
async def model_of(connection: Connection) -> AsyncIterator[Any]:
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
        base_url=connection.url or None,
        retry_options=HttpRetryOptions(attempts=1),
    )
    return GoogleModel(connection.model, provider=provider)


def _openai(connection: Connection, client: Any) -> Any:
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.profiles.openai import OpenAIModelProfile
    from pydantic_ai.providers.openai import OpenAIProvider

    # A server without keys needs some text in the header.
    provider = OpenAIProvider(
        base_url=connection.url or "https://api.openai.com/v1", api_key=connection.key or "none", http_client=client
    )
    if connection.kind == "compatible":
        profile = OpenAIModelProfile(supports_json_schema_output=True, openai_supports_strict_tool_definition=False)
        return OpenAIChatModel(connection.model, provider=provider, profile=profile)
    return OpenAIChatModel(connection.model, provider=provider)


def _anthropic(connection: Connection, client: Any) -> Any:
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    provider = AnthropicProvider(api_key=connection.key, base_url=connection.url or None, http_client=client)
    return AnthropicModel(connection.model, provider=provider)


_MODELS: dict[str, Callable[[Connection, Any], Any]] = {
    "google": _google,
    "openai": _openai,
    "compatible": _openai,
    "anthropic": _anthropic,
}
