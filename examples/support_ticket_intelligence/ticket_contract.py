"""Knows what a client may send to the service and what it gets back."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

MAX_TICKETS = 16
MIN_TEXT = 3
MAX_TEXT = 4000

# hide_input_in_errors: whoever prints such an error, and wherever, prints no ticket. For BentoML's own log see log_privacy.py.
_STRICT: ConfigDict = {"extra": "forbid", "frozen": True, "strict": True, "hide_input_in_errors": True}


class Ticket(BaseModel):
    """One ticket, as the customer wrote it."""

    model_config = _STRICT

    # Stripped first: blanks are no ticket, however many there are.
    text: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=MIN_TEXT, max_length=MAX_TEXT),
        Field(description="subject and body of the ticket"),
    ]


class ClassifyTicketRequest(BaseModel):
    """One request: a few tickets, so that a queue can be worked off with fewer calls."""

    # The title is what an error calls the request; without it, it would be the name of a class that BentoML derives.
    model_config: ClassVar[ConfigDict] = {**_STRICT, "title": "ClassifyTicketRequest"}

    tickets: Annotated[list[Ticket], Field(min_length=1, max_length=MAX_TICKETS)]


class Classification(BaseModel):
    """What the model takes a ticket for, and how sure it is."""

    model_config = _STRICT

    label: str
    confidence: Annotated[float, Field(ge=0, le=1)]


class ClassifyTicketResponse(BaseModel):
    """One classification for each ticket, in the order of the request, and the model that made them all."""

    model_config: ClassVar[ConfigDict] = {**_STRICT, "title": "ClassifyTicketResponse"}

    model_version: str
    classifications: list[Classification]


class VersionResponse(BaseModel):
    """What is running: enough to tell two tracks of one application apart from outside."""

    model_config: ClassVar[ConfigDict] = {**_STRICT, "title": "VersionResponse"}

    bento: str
    classifier: str
    embedder: str
    labels: list[str]
