"""Whether the pods of the tracks of a whole render are enough for their weights: what no object shows by itself."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bento_gitops.model.problem import Place, Problem


@dataclass(frozen=True, slots=True)
class Share:
    """A track as it was rendered."""

    track: str
    weight: int
    """Percent of live requests."""
    pods: Mapping[str, int]
    """The fewest of each component."""


def too_few_pods(candidate: Share, stable: Share, place: Place) -> Iterator[Problem]:
    """Components of which the candidate has fewer pods than its weight takes of those that stable keeps for all requests.

    `place`: where the release says the weight. A component that only one of them has is passed over: nobody knows its share.
    """
    for component, kept in stable.pods.items():
        needed = math.ceil(candidate.weight * kept / 100)
        has = candidate.pods.get(component)
        if has is not None and has < needed:
            yield Problem(
                place,
                f"tracks.{candidate.track}.weight",
                f"{candidate.weight} % of requests need {needed} pods of {component}: {stable.track} keeps {kept} for all",
                f"{candidate.track} keeps {has}",
                "prepare it again (canary prepare), or lower the weight; scaling that is said for one bundle alone may be why",
            )
