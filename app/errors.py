"""What is wrong with a request, mapped to a status once, here.

RequestError
├── BadInput       400  the data is not what the model takes; `check` says which check it failed
├── Unauthorized   401  without an API key that is one
├── Forbidden      403  for administrators only, or for other API keys
├── UnknownModel   404
├── OverLimit      413  larger than a limit of the settings, which is named
├── Unsupported    415  a kind of body or encoding that nobody here reads
└── NotReady       503  no live model is loaded, or something is for the moment not to be had
"""

from __future__ import annotations

from models.errors import VeletaError


class RequestError(VeletaError):
    """A request that cannot be answered. The message is for the client: what was expected, what came; no path, no library's name."""

    status = 400


class BadInput(RequestError):
    """The data does not fit the model. `check` is one of `monitoring.signals.measure.QUALITY_CHECKS`."""

    def __init__(self, message: str, check: str = "type") -> None:
        super().__init__(message)
        self.check = check


class Unauthorized(RequestError):
    """No API key, or none that is known. A browser is asked for it in the one form that browsers know."""

    status = 401

    def __init__(self, message: str = "", in_browser: bool = False) -> None:
        super().__init__(message or "this needs an API key that the server knows, as X-API-Key: KEY or Authorization: Bearer KEY")
        self.scheme = "Basic" if in_browser else "Bearer"


class Forbidden(RequestError):
    status = 403


class UnknownModel(RequestError):
    status = 404


class OverLimit(RequestError):
    """Larger than allowed: `limit` is the name of the setting."""

    status = 413

    def __init__(self, what: str, limit: str, allowed: int) -> None:
        super().__init__(
            f"{what}, more than the limit {limit} = {allowed}; send less, or start the server with --{limit.replace('_', '-')}"
        )


class Unsupported(RequestError):
    status = 415


class Overloaded(RequestError):
    """The queue is full. `seconds` is when what waits now will have been answered, at the rate measured now."""

    status = 429

    def __init__(self, rows: int, seconds: float) -> None:
        super().__init__(f"the queue is full: {rows} instances wait; come again in {seconds:.2g} seconds, or send to another server")
        self.seconds = seconds


class RateLimited(RequestError):
    """More requests per second than one caller may send. `seconds` is when the next one will be let in."""

    status = 429

    def __init__(self, seconds: float) -> None:
        super().__init__(f"this is more than the limit rate_limit allows one caller; come again in {seconds:.2g} seconds")
        self.seconds = seconds


class NotReady(RequestError):
    status = 503


class TooLate(RequestError):
    """Nobody waits for the answer any longer, so it was not computed."""

    status = 504

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the deadline of {seconds:g} seconds passed in the queue; send less at a time, or allow more")
