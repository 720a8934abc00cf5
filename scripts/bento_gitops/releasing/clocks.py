"""Whether a release is of a time that has not come: everything that waits counts from the times in its file."""

from __future__ import annotations

from datetime import datetime

from bento_gitops.model.base import duration, moment
from bento_gitops.model.release import Release
from bento_gitops.releasing.evidence import AHEAD


def of_the_future(release: Release, now: datetime) -> str:
    """What a wrong clock wrote, and what to do about it; empty where no time is further ahead than clocks may differ."""
    written = {"since": release.since}
    written |= {f"tracks.{name}.shifted": track.shifted for name, track in release.tracks.items() if track.shifted}
    ahead = {key: time for key, time in written.items() if moment(time) > now + AHEAD}
    if not ahead:
        return ""
    latest = max(ahead.values(), key=moment)
    return (
        f"release.yaml is of the future ({', '.join(ahead)}; by {duration(moment(latest) - now)}): a clock was wrong when it was"
        f" written, and until {latest} nothing counts as seen or drained; write the true time there, in a pull request"
    )
