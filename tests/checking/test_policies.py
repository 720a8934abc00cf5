"""Policies read and judged without a cluster: what is refused when one is read, and what each part of one means.

That the same comes out of a real API server is shown by `make parity`, with the policies in tests/policies/semantics too.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from bento_gitops.checking.application import Checker, Warned
from bento_gitops.checking.decoded import decoded
from bento_gitops.checking.objects import Map, Object
from bento_gitops.checking.policies import NO_PARAMETERS, Denial, Guard, Policies, Policy, read_policy, resource_of
from bento_gitops.checking.quantities import canonical
from bento_gitops.checking.rendered import Document
from bento_gitops.model.problem import InvalidInput

FILE = "policies/small/policy.yaml"
HEAD = """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: small
  annotations:
    bento-gitops/holds: both
    bento-gitops/why: to be tested
    bento-gitops/mend: mend it
spec:
"""
MEND_IT = "neither CEL nor what is here of Kubernetes' functions has it; mend the expression"
ELSEWHERE = "an API server alone knows it: leave it out, or say bento-gitops/holds: cluster"
RULES = """\
  matchConstraints:
    resourceRules:
      - {apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}
"""


def small(spec: str, head: str = HEAD, rules: str = RULES) -> Policy:
    return read_policy(head + rules + spec, FILE)


def config_map(name: str = "it", **body: str | int | Map) -> Object:
    return Object({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **body})


def messages(policy: Policy, item: Object, parameters: Mapping[str, str] | None = None) -> list[str]:
    return [denial.message for denial in Policies([policy]).judge(item, parameters)]


def wrong(text: str) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        read_policy(text, FILE)
    return [str(problem) for problem in caught.value.problems]


def test_a_denial_names_policy_message_and_mend() -> None:
    policy = small("  validations:\n    - {expression: 'has(object.data)', message: no data}\n")
    assert Policies([policy]).judge(config_map(), None) == [Denial("small", "no data", "mend it")]
    assert Policies([policy]).judge(config_map(data={"a": "b"}), None) == []


def test_an_object_that_no_rule_names_is_not_judged() -> None:
    policy = small("  validations:\n    - {expression: 'false'}\n")
    assert messages(policy, Object({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "it"}})) == []
    assert messages(policy, config_map()) == ["failed expression: false"]


def test_an_error_denies_and_with_failure_policy_ignore_it_allows() -> None:
    spec = "  validations:\n    - {expression: 'object.data.a == ''b'''}\n"
    told = ["expression 'object.data.a == 'b'' resulted in error: no such key: data"]
    assert messages(small(spec), config_map()) == told
    assert messages(small("  failurePolicy: Fail\n" + spec), config_map()) == told
    assert messages(small("  failurePolicy: Ignore\n" + spec), config_map()) == []
    assert messages(small("  failurePolicy: Ignore\n" + spec), config_map(data={"a": "c"})) == [
        "failed expression: object.data.a == 'b'"
    ]


def test_an_expression_that_fails_is_to_be_mended_in_the_policy_and_not_in_the_object() -> None:
    policy = small("  validations:\n    - expression: object.data.a == 'b'\n")
    (denial,) = Policies([policy]).judge(config_map(), None)
    assert denial.mend == "mend policies/small/policy.yaml, or ask with has() before it reads a field"


def test_without_the_config_map_of_parameters_a_policy_that_reads_it_denies() -> None:
    policy = small("  paramKind: {apiVersion: v1, kind: ConfigMap}\n  validations:\n    - {expression: 'true'}\n")
    assert messages(policy, config_map(), None) == [NO_PARAMETERS]
    assert messages(policy, config_map(), {}) == []


def test_a_variable_is_evaluated_where_it_is_used_alone() -> None:
    spec = """\
  variables:
    - {name: broken, expression: object.nope}
    - {name: fine, expression: "'variables.broken' + object.metadata.name // variables.broken"}
  validations:
    - {expression: "variables.fine == 'variables.brokenit' || variables.broken == 1"}
    - {expression: variables.broken == 1}
"""
    told = 'composited variable "broken" fails to evaluate: no such key: nope'
    assert messages(small(spec), config_map()) == [f"expression 'variables.broken == 1' resulted in error: {told}"]


def test_nobody_in_particular_creates_an_object_offline() -> None:
    spec = "  validations:\n    - {expression: request.userInfo.username != '' || 'admins' in request.userInfo.groups}\n"
    assert len(messages(small(spec), config_map())) == 1


def test_a_policy_of_the_cluster_alone_is_read_and_never_judged() -> None:
    policy = small("  validations:\n    - {expression: authorizer.nope()}\n", HEAD.replace("both", "cluster"))
    assert policy.holds == "cluster"
    assert messages(policy, config_map()) == []


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        (
            "ip('10.0.0.1').family() == 4",
            [
                f"undeclared reference to 'family'; {MEND_IT}",
                f"undeclared reference to 'ip'; {MEND_IT}",
            ],
        ),
        ("object.metadata.name", ["must evaluate to bool but got dyn; mend the expression"]),
        ("variables.nmae == 'a'", ["undeclared reference to 'variables.nmae'; did you mean 'name'?"]),
        ("params.data.a == 'b'", ["undeclared reference to 'params.data.a'; say which kind it is: spec.paramKind"]),
        (
            "authorizer.group('').check('get').allowed()",
            [f"undeclared reference to 'authorizer'; {ELSEWHERE}"],
        ),
        (
            "request.dryRun == true",
            [f"request.dryRun is not known offline; {ELSEWHERE}"],
        ),
        (
            "[object].all(object, true)",
            ["a macro takes 'object' for a name of its own; mend the expression"],
        ),
        (
            "quantity('1') < quantity('2')",
            ["found no matching overload for '_<_' applied to '(map(string, string), map(string, string))'; mend the expression"],
        ),
    ],
)
def test_an_expression_that_cannot_be_judged_here_is_refused_when_it_is_read(expression: str, told: list[str]) -> None:
    variables = "  variables:\n    - {name: name, expression: object.metadata.name}\n"
    spec = f"{variables}  validations:\n    - expression: |-\n        {expression}\n"
    found = wrong(HEAD + RULES + spec)
    line = (HEAD + RULES + spec).splitlines().index(f"        {expression}") + 1
    at = line if "must evaluate" not in told[0] and "macro" not in told[0] else line - 1
    expected = [f"{FILE}:{at}: spec.validations[0].expression: {text}" for text in told]
    assert [
        one for one in found if "undeclared reference to 'group'" not in one and "'check'" not in one and "'allowed'" not in one
    ] == expected


def test_all_that_is_wrong_with_a_policy_is_told_at_once() -> None:
    head = HEAD.replace("name: small", "name: other").replace("    bento-gitops/mend: mend it\n", "").replace(": both", ": bot")
    rules = RULES.replace("CREATE", "DELETE").replace(
        "matchConstraints:", "matchConstraints:\n    namespaceSelector: {matchLabels: {a: b}}"
    )
    spec = "  paramKind: {apiVersion: v1, kind: Secret}\n  validations:\n    - {expression: 'true'}\n"
    assert wrong(head + rules + spec) == [
        f"{FILE}:4: metadata.name: is not the name of its folder (found 'other'); write small",
        f'{FILE}:5: metadata.annotations."bento-gitops/mend": is missing; add it: one sentence',
        f'{FILE}:6: metadata.annotations."bento-gitops/holds": is no place where a policy holds'
        " (found 'bot'); did you mean 'both'?",
        f"{FILE}:10: spec.matchConstraints.namespaceSelector: nobody knows a namespace's labels offline; its binding says for"
        " which namespaces a policy holds; take it out, or say bento-gitops/holds: cluster",
        f"{FILE}:12: spec.matchConstraints.resourceRules[0].operations: offline every object is being created (found"
        " DELETE); add CREATE, or say bento-gitops/holds: cluster",
        f"{FILE}:13: spec.paramKind: offline the parameters are the environment's ConfigMap, and no other object is known (found"
        " v1 Secret); take it out, or say bento-gitops/holds: cluster",
    ]


def test_an_unknown_key_of_a_policy_is_refused_with_the_nearest_known_one() -> None:
    assert wrong(HEAD + RULES + "  validation:\n    - {expression: 'true'}\n") == [
        f"{FILE}:9: spec.validations: is missing; add it",
        f"{FILE}:13: spec.validation: no such key (found 'validation'); did you mean 'validations'?",
    ]


@pytest.mark.parametrize(
    ("kind", "resource"),
    [
        ("Ingress", "ingresses"),
        ("NetworkPolicy", "networkpolicies"),
        ("Gateway", "gateways"),
        ("HTTPRoute", "httproutes"),
        ("Endpoints", "endpoints"),
        ("Deployment", "deployments"),
    ],
)
def test_a_kind_has_the_plural_that_the_api_server_gives_it(kind: str, resource: str) -> None:
    assert resource_of(kind) == resource


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("0.5Gi", "512Mi"),
        ("1024Mi", "1Gi"),
        ("1536Mi", "1536Mi"),
        ("0.5Ki", "512"),
        ("0.1Ki", "102400m"),
        ("1000m", "1"),
        ("0.5", "500m"),
        ("2000", "2k"),
        ("1e3", "1e3"),
        ("1500e-3", "1500e-3"),
        ("0Gi", "0"),
        ("1n", "1n"),
        ("0.1n", "1n"),
        ("-1500m", "-1500m"),
        ("no quantity", "no quantity"),
    ],
)
def test_a_quantity_is_rewritten_as_the_api_server_writes_it(written: str, stored: str) -> None:
    assert canonical(written) == stored


def test_custom_resources_keep_what_built_in_types_leave_out() -> None:
    spec: Map = {"empty": [], "none": None, "zero": 2.0, "value": ""}
    route = Object({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "spec": spec})
    assert decoded(route)["spec"] == {"empty": [], "none": None, "zero": 2, "value": ""}
    built_in = Object({"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec})
    assert decoded(built_in)["spec"] == {"zero": 2}


def test_a_policy_that_denies_here_is_a_problem_and_another_a_warning(checker: Checker) -> None:
    policy = small("  validations:\n    - {expression: 'has(object.data)', message: no data}\n")
    document = Document("app", "templates/it.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: it\n")
    warns = checker.check([document], Guard(Policies([policy]), {}, frozenset()))
    assert (warns.findings, warns.warnings) == ((), (Warned("small", "ConfigMap/it", "no data", "mend it"),))
    denies = checker.check([document], Guard(Policies([policy]), {}, frozenset({"small"})))
    assert [(one.identity, one.wrong, one.todo, one.check) for one in denies.findings] == [
        ("ConfigMap/it", "policy small: no data", "mend it", "small")
    ]
    assert denies.warnings == ()
