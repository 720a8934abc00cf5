"""What a second import proves of a limit, on reports of imports that never were."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bento_gitops.bundling.imports import Follows, ImportFailed, ImportReport, SeenApi, SeenService
from bento_gitops.bundling.proving import NEVER_SET, Proof, prove

SIZE, LATENCY = "services.S.apis.go.batching.max_batch_size", "services.S.apis.go.batching.max_latency_ms"

Limits = Callable[[Mapping[str, str]], tuple[int, int]]


class Code:
    """Stands for a Bento: its limits as a function of the environment, and what the tree and the watch see of it."""

    def __init__(
        self,
        limits: Limits,
        follows: dict[str, Follows],
        read: list[str],
        cpu: Callable[[Mapping[str, str]], str] = lambda _: "1",
    ):
        self.limits, self.follows, self.read, self.cpu = limits, follows, read, cpu
        self.imports: list[dict[str, str]] = []

    def __call__(self, variables: Mapping[str, str]) -> ImportReport:
        self.imports.append(dict(variables))
        size, latency = self.limits(variables)
        service = SeenService(
            origin="service:S",
            config={"resources": {"cpu": self.cpu(variables)}},
            labels={},
            envs=[],
            path_prefix="",
            custom_command=False,
            dependencies=[],
            external=[],
            models=[],
            apis={"go": SeenApi(route="/go", task=False, batchable=True, max_batch_size=size, max_latency_ms=latency)},
            follows=self.follows,
        )
        return ImportReport(entry="S", services={"S": service}, read=self.read, read_all=False)


def names(*variables: str) -> Follows:
    return Follows(variables=list(variables))


def opaque(part: str) -> Follows:
    return Follows(beyond=[part])


def proof(code: Code) -> Proof:
    return prove(code({}), code)


def reasons(found: Proof) -> dict[str, str]:
    return {remark.pointer: remark.reason for remark in found.unresolved}


def test_literal_limits_need_no_second_import() -> None:
    code = Code(lambda _: (32, 100), {}, ["LOG_LEVEL"])
    assert proof(code) == Proof({}, ())
    assert code.imports == [{}]


def test_one_import_proves_all_limits_at_once() -> None:
    follows = {"apis.go.max_batch_size": names("SIZE"), "apis.go.max_latency_ms": names("LATENCY")}
    code = Code(lambda env: (int(env.get("SIZE", "32")), int(env.get("LATENCY", "32"))), follows, ["SIZE", "LATENCY"])
    assert proof(code) == Proof({SIZE: "SIZE", LATENCY: "LATENCY"}, ())
    assert len(code.imports) == 2
    assert len({*code.imports[1].values(), "32"}) == 3, "each value tells which variable it came from"


def test_limits_that_change_places_are_not_taken_for_proof() -> None:
    follows = {"apis.go.max_batch_size": names("SIZE"), "apis.go.max_latency_ms": names("LATENCY")}
    found = proof(Code(lambda env: (int(env.get("LATENCY", "32")), int(env.get("SIZE", "100"))), follows, ["SIZE", "LATENCY"]))
    assert found.variables == {}
    assert reasons(found).keys() == {SIZE, LATENCY}


def test_two_limits_may_follow_one_variable() -> None:
    follows = {"apis.go.max_batch_size": names("N"), "apis.go.max_latency_ms": names("N")}
    found = proof(Code(lambda env: (int(env.get("N", "32")), int(env.get("N", "100"))), follows, ["N"]))
    assert found == Proof({SIZE: "N", LATENCY: "N"}, ())


def test_a_limit_of_two_variables_is_unresolved() -> None:
    found = proof(
        Code(lambda env: (int(env.get("A", env.get("B", "32"))), 100), {"apis.go.max_batch_size": names("A", "B")}, ["A", "B"])
    )
    assert found.variables == {}
    assert "changes with A, B" in reasons(found)[SIZE]


def test_what_cannot_be_followed_is_fixed_only_if_nothing_of_the_environment_is_read() -> None:
    follows = {"apis.go.max_batch_size": opaque("size()"), "resources": opaque("cores()")}
    assert proof(Code(lambda _: (32, 100), follows, [])) == Proof({}, ())
    assert reasons(proof(Code(lambda _: (32, 100), follows, ["MODE"]))).keys() == {SIZE, "services.S.resources"}


def test_what_an_import_needs_is_never_set() -> None:
    code = Code(lambda _: (32, 100), {"apis.go.max_batch_size": opaque("size()")}, ["HOME", "PATH", "SIZE"])
    assert reasons(proof(code)).keys() == {SIZE}
    assert [sorted(variables) for variables in code.imports] == [[], ["SIZE"]]
    assert {"HOME", "PATH", "BENTOML_HOME"} <= NEVER_SET


def test_anything_else_that_a_limits_variable_changes_is_unresolved() -> None:
    follows = {"apis.go.max_batch_size": names("SIZE")}
    code = Code(lambda env: (int(env.get("SIZE", "32")), 100), follows, ["SIZE"], cpu=lambda env: "4" if "SIZE" in env else "1")
    assert reasons(proof(code)) == {"services.S.resources.cpu": "is '1', but '4' with SIZE=33; write the value in the code"}


def test_a_refused_value_leaves_only_its_own_limit_unresolved() -> None:
    def limits(env: Mapping[str, str]) -> tuple[int, int]:
        if "SIZE" in env:
            raise ImportFailed("Traceback\nValueError: a power of two, please")
        return 32, int(env.get("LATENCY", "100"))

    follows = {"apis.go.max_batch_size": names("SIZE"), "apis.go.max_latency_ms": names("LATENCY")}
    found = proof(Code(limits, follows, ["SIZE", "LATENCY"]))
    assert found.variables == {LATENCY: "LATENCY"}
    assert reasons(found) == {SIZE: "names SIZE, but importing with SIZE=33 failed: ValueError: a power of two, please"}
