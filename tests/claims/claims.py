"""What a visitor may expect of an application behind any front end and any back end; each file is a subject of it.

A claim is asked of every application behind every front end of a scenario at once: most of its time is waiting.
A scenario publishes tests/support/probe at least once at the root of a domain and once below a mount point (`probes`).
"""

from __future__ import annotations

import functools
import inspect
import typing as t
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from testinfra.host import Host

from tests.support.visitor import Probe, Visitor


@dataclass(frozen=True)
class Cell:
    """An application on the host ``back``, published by the front end of the host ``front``.

    ``front_end`` None is the one that the scenario names; ``files`` are the kinds of files that it sends by itself.
    """

    probe: Probe
    back: Host
    front: Host
    front_end: str | None = None
    files: frozenset[str] = frozenset({"static", "private"})

    def __str__(self) -> str:
        return (
            f"{self.probe} on {self.back.backend.hostname} behind {self.front_end or ''} {self.front.backend.hostname}"
        )

    @property
    def visitor(self) -> Visitor:
        """Who asks."""
        visitor = self.probe.visitor(self.front)
        visitor.front_end = self.front_end or visitor.front_end
        return visitor


def app(visitor: Visitor) -> str:
    """Return the name of the application that a visitor asks."""
    return visitor.domain.removesuffix(".example")


def requests(host: Host, visitor: Visitor) -> list[str]:
    """Return the paths that reached the application."""
    log = host.file(f"/var/lib/pyhost/{app(visitor)}/requests")
    return log.content_string.splitlines() if log.exists else []


# Cell -> claim -> whether it was kept.
SEEN: dict[Cell, dict[str, bool]] = defaultdict(dict)
# The claims that are asked of every cell.
NEEDS_NOTHING: set[str] = set()


def _claim(ask: t.Callable[..., None], needs: str | None) -> t.Callable[..., None]:
    parameters = inspect.signature(ask).parameters

    def answer(cell: Cell, options: dict[str, t.Any]) -> Exception | None:
        given = {"visitor": cell.visitor, "host": cell.back, **options}
        try:
            ask(**{name: value for name, value in given.items() if name in parameters})
        except Exception as error:
            return error
        return None

    def test(cells: list[Cell], **options: t.Any) -> None:
        asked = [cell for cell in cells if needs is None or needs in cell.files]
        with ThreadPoolExecutor(max(len(asked), 1)) as pool:
            errors = list(pool.map(lambda cell: answer(cell, options), asked))
        for cell, error in zip(asked, errors, strict=True):
            SEEN[cell][ask.__name__] = SEEN[cell].get(ask.__name__, True) and error is None
        found = {cell: error for cell, error in zip(asked, errors, strict=True) if error}
        if found:
            told = "\n".join(
                f"{cell}: {(str(error) or type(error).__name__).splitlines()[0]}" for cell, error in found.items()
            )
            raise AssertionError(f"{len(found)} of {len(asked)} do not keep it\n{told}") from next(iter(found.values()))

    test.__name__, test.__doc__, test.__module__ = ask.__name__, ask.__doc__, ask.__module__
    own = [parameter for name, parameter in parameters.items() if name not in ("visitor", "host")]
    cells = inspect.Parameter("cells", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    test.__signature__ = inspect.Signature([cells, *own])  # type: ignore[attr-defined]
    return test


def claim(ask: t.Callable[..., None]) -> t.Callable[..., None]:
    """Make a test that asks all of the fixture ``cells``.

    The function gets the ``visitor`` and, where it wants it, the application's ``host``.
    """
    NEEDS_NOTHING.add(ask.__name__)
    return _claim(ask, None)


def claim_of(files: str) -> t.Callable[[t.Callable[..., None]], t.Callable[..., None]]:
    """Like `claim`, asked only where the front end sends such files."""
    return functools.partial(_claim, needs=files)
