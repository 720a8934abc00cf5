"""What must hold between the resolved values of a component; each error names both places."""

from __future__ import annotations

from decimal import Decimal

from bento_gitops.layers.marked import Plain, join
from bento_gitops.layers.merging import ABSENT, PEOPLE, Absent, Leaf, ResolvedMap, leaf_at, leaves_of
from bento_gitops.model.base import CPU, MEMORY
from bento_gitops.model.problem import Place, Problem

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}

_OURS = frozenset({"BENTOML_CONFIG", "BENTOML_HOME", "BENTOML_DO_NOT_TRACK", "BENTOML_DISABLE_GPU_ALLOCATION"})
"""Variables that the chart itself sets; an API server would refuse them twice, or quietly take the last."""


def cores(text: str) -> Decimal:
    """The number of cores that a CPU quantity stands for."""
    assert CPU.fullmatch(text), text
    return Decimal(text[:-1]) / 1000 if text.endswith("m") else Decimal(text)


def size(text: str) -> int:
    """The number of bytes that a memory quantity stands for."""
    assert MEMORY.fullmatch(text), text
    digits = text.rstrip("".join(_UNITS))
    return int(digits) * _UNITS[text[len(digits) :]]


def check_component(component: ResolvedMap, pointer: str, track: str, decorated: Place, problems: list[Problem]) -> None:
    """Adds a problem for each rule that the component of a track breaks."""
    check = _Check(component, pointer, track, problems)
    check.replicas()
    check.limits()
    check.termination()
    check.envs()
    check.egress()
    check.batching()
    check.variables()
    check.gpu(decorated)


class _Check:
    def __init__(self, component: ResolvedMap, pointer: str, track: str, problems: list[Problem]) -> None:
        self.component = component
        self.pointer = pointer
        self.track = track
        self.problems = problems

    def leaf(self, *path: str) -> Leaf | None:
        leaf = leaf_at(self.component, path)
        return None if leaf is None or leaf.value is ABSENT else leaf

    def add(self, leaf: Leaf, path: str, wrong: str, todo: str) -> None:
        place = leaf.source.place
        self.problems.append(Problem(place, f"{self.pointer}.{path}", f"{wrong}, on track {self.track}", str(leaf.value), todo))

    def replicas(self) -> None:
        low, high = self.leaf("scaling", "min_replicas"), self.leaf("scaling", "max_replicas")
        if low and high and int(str(low.value)) > int(str(high.value)):
            self.add(
                low,
                "scaling.min_replicas",
                f"min_replicas is above max_replicas, which is {high.value} ({high.source.place})",
                "lower the one or raise the other",
            )

    def limits(self) -> None:
        for what, read in (("cpu", cores), ("memory", size)):
            asked, limit = self.leaf("resources", what), self.leaf("resources", "limits", what)
            if asked and limit and read(str(limit.value)) < read(str(asked.value)):
                self.add(
                    limit,
                    f"resources.limits.{what}",
                    f"the limit is below what is requested, which is {asked.value} ({asked.source.place})",
                    "raise the limit or lower the request",
                )

    def termination(self) -> None:
        grace = self.leaf("termination", "grace_period_seconds")
        sleep, timeout = self.leaf("termination", "pre_stop_seconds"), self.leaf("traffic", "timeout")
        if not grace or not timeout:
            return
        pause = float(str(sleep.value)) if sleep else 0
        needed = float(str(timeout.value)) + pause
        if float(str(grace.value)) > needed:
            return
        wrong = f"a pod would be killed before its last requests end: pre_stop_seconds ({pause:g} s) and traffic.timeout"
        if grace.source.layer == "chart":
            wrong += f" come to {needed:g} s, but termination.grace_period_seconds is {grace.value} ({grace.source.place})"
            self.add(timeout, "traffic.timeout", wrong, "shorten it, or say a longer grace period beside it")
        else:
            wrong += f" ({timeout.source.place}) come to {needed:g} s"
            self.add(grace, "termination.grace_period_seconds", wrong, "raise it, or shorten the timeout")

    def envs(self) -> None:
        for name in sorted(_OURS):
            said = self.leaf("envs", name)
            if said:
                todo = "remove it" if said.source.layer in PEOPLE else "take it out of the code, build, and create a new bundle"
                self.add(said, f"envs.{name}", "the chart itself sets this variable", todo)

    def egress(self) -> None:
        places = self.component.get("egress", {})
        for name, place in places.items() if isinstance(places, dict) else ():
            said = {path: leaf for path, leaf in leaves_of(place) if path and leaf.value is not ABSENT}
            cidr = said.get(("cidr",))
            pods = next((leaf for path, leaf in said.items() if path[0] in ("namespace", "pod_labels")), None)
            if cidr and pods:
                wrong = f"a network and pods at once; the pods stand at {pods.source.place}"
                self.add(cidr, f"{join('egress', name)}.cidr", wrong, "keep one, or give the other a name of its own")
            elif said and not cidr and not pods:
                first = next(iter(said.values()))
                self.add(first, join("egress", name), "names no place", "add a cidr, or pods (namespace, pod_labels)")

    def variables(self) -> None:
        """Two limits that follow one variable have one value."""
        first: dict[str, tuple[str, Leaf]] = {}
        for path, leaf in leaves_of(self.component.get("apis", {}), ("apis",)):
            value = self.leaf(*path[:-1], "value")
            if path[-1] != "env" or leaf.value is ABSENT or value is None:
                continue
            here = ".".join(path[:-1]), value
            other = first.setdefault(str(leaf.value), here)
            if other[1].value != value.value:
                # Blame what people said: the code's own value is what it replaces.
                blamed, kept = (here, other) if value.source.layer in PEOPLE else (other, here)
                wrong = f"follows the variable {leaf.value}, as {kept[0]} does, which is {kept[1].value} ({kept[1].source.place})"
                self.add(blamed[1], blamed[0], wrong, "give both the same value, or a variable each in the code")

    def batching(self) -> None:
        for path, leaf in leaves_of(self.component.get("apis", {}), ("apis",)):
            if leaf.value is ABSENT:
                continue
            if path[-1] == "env":
                said = self.leaf("envs", str(leaf.value))
                if said:
                    self.add(
                        said,
                        f"envs.{leaf.value}",
                        f"the variable is {'.'.join(path[:-1])} already ({leaf.source.place})",
                        f"say {'.'.join(path[:-1])} instead",
                    )
                if leaf.source.layer in PEOPLE:
                    wrong, todo = "which variable the code reads is for the bundle to say", "remove it, and say the number alone"
                    self.add(leaf, ".".join(path), wrong, todo)
            elif path[-1] == "value" and leaf.source.layer in PEOPLE:
                names = self.leaf(*path[:-1], "env")
                if names is None:
                    decorated = [said.place for said in leaf.said if said.layer == "decorator"]
                    code = f"the code fixes it ({decorated[0]})" if decorated else "the API is not batchable"
                    self.add(
                        leaf,
                        ".".join(path[:-1]),
                        f"the bundle names no environment variable for this limit: {code}",
                        "read the limit from a variable in the decorator, build, and create a new bundle",
                    )

    def gpu(self, decorated: Place) -> None:
        leaf = leaf_at(self.component, ("resources", "gpu"))
        unit = self.leaf("instance_type")
        if unit is None:
            return
        said = leaf.said if leaf else ()
        code = next((statement for statement in said if statement.layer == "decorator"), None)
        before = _count(code.value) if code else 0
        after = gpu_count(self.component)
        outright = leaf is not None and leaf.value is not ABSENT and not leaf.source.note and leaf.source.layer in PEOPLE
        if before == after or outright:
            return
        place = code.place if code else decorated
        wrong = f"has {gpus(after)} but the code asks for {_many(before)} ({place})"
        self.add(unit, "instance_type", f"the instance type {wrong}", "name another instance type, or say resources.gpu outright")


def _count(value: Plain | Absent) -> int:
    return value if isinstance(value, int) else 0


def gpu_count(component: ResolvedMap) -> int:
    """How many GPUs one pod of the component asks for."""
    leaf = leaf_at(component, ("resources", "gpu"))
    return _count(leaf.value) if leaf else 0


def gpus(count: int) -> str:
    """A number of GPUs in the words of an error."""
    return {0: "no GPU", 1: "a GPU"}.get(count, f"{count} GPUs")


def _many(count: int) -> str:
    return {0: "none", 1: "one"}.get(count, str(count))
