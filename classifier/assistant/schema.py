"""The form that a model's explanation must have. Imported in the worker only."""

from typing import Literal

from pydantic import BaseModel, Field


class ModelExplanation(BaseModel):
    """An explanation of the result of one analysis."""

    summary: str = Field(min_length=1, max_length=4000, description="What the network reports and how certain it is.")
    picture: list[str] = Field(default_factory=list, max_length=8, description="Statements about the image.")
    against: list[str] = Field(default_factory=list, max_length=8, description="What speaks against the result.")
    limits: list[str] = Field(default_factory=list, max_length=8, description="What this result cannot tell.")
    next_steps: list[str] = Field(
        default_factory=list, max_length=8, description="What is usually considered next, in general terms."
    )


class StatementAnswer(BaseModel):
    """The answer about one statement."""

    number: int = Field(description="Number of the statement.")
    answer: Literal["yes", "no", "cannot_tell"] = Field(description="Whether the image shows it.")


class SecondLook(BaseModel):
    """Answers about numbered statements, one for each."""

    answers: list[StatementAnswer] = Field(max_length=60)
