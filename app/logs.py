"""Log lines on stderr, as text or as JSON, each with the id of the request that it belongs to. One line each, whatever a client sent."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from gunicorn import glogging

from app.visit import current

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160), 0x2028, 0x2029)}


def configure(log_format: str) -> None:
    """Everything that is logged goes to stderr in this format, what gunicorn and other libraries say too."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def tell(text: str) -> None:
    """Say something to whoever started the program; where lines are JSON, in a line of the log."""
    if isinstance(logging.getLogger().handlers[0].formatter, JsonFormatter):
        logging.getLogger("veleta").info(text)
    else:
        print(text, file=sys.stderr, flush=True)


class TextFormatter(logging.Formatter):
    """Control characters are written out, so that a path cannot look like a line of its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  the standard library's name
        visit = current.get()
        line = super().formatMessage(record).translate(_CONTROLS)
        return f"{line} [{visit.request_id}]" if visit and visit.request_id else line


class JsonFormatter(logging.Formatter):
    """One object a line. A message whose arguments are fields is written as these fields."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line: dict[str, Any] = {"time": at, "level": record.levelname, "logger": record.name}
        if (visit := current.get()) and visit.request_id:
            line["request_id"] = visit.request_id
        line |= record.args if isinstance(record.args, dict) else {"message": record.getMessage()}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)  # in ASCII, so that it is one line to whatever reads it


class GunicornLogger(glogging.Logger):  # type: ignore[misc]
    """What gunicorn has to say, said like everything else."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True
