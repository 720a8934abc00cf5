"""What a policy.yaml may say: a ValidatingAdmissionPolicy in Kubernetes' own form, with annotations of ours."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from bento_gitops.model.base import Model
from bento_gitops.model.files import PolicyName

HOLDS = "bento-gitops/holds"
MEND = "bento-gitops/mend"
WHY = "bento-gitops/why"

Holds = Literal["both", "cluster", "offline"]
"""Where a policy holds: `both` is judged by the API server and by `validate`, the others by one of the two."""

Operation = Literal["CREATE", "UPDATE", "DELETE", "CONNECT", "*"]
FailurePolicy = Literal["Fail", "Ignore"]
Text = Annotated[str, Field(min_length=1)]


class Requirement(Model):
    """One of a label selector's expressions."""

    key: Text
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: list[str] = Field(default_factory=list[str])

    @model_validator(mode="after")
    def _has_values_where_it_compares(self) -> Requirement:
        if (self.operator in ("In", "NotIn")) != bool(self.values):
            raise ValueError(f"operator {self.operator} and its values do not fit; In and NotIn need values, the others none")
        return self


class LabelSelector(Model):
    """Which labels an object must have."""

    match_labels: dict[str, str] = Field(default_factory=dict[str, str])
    match_expressions: list[Requirement] = Field(default_factory=list[Requirement])


class ResourceRule(Model):
    """What a policy looks at: `*` stands for all, `*/*` in `resources` for subresources too."""

    api_groups: Annotated[list[str], Field(min_length=1)]
    api_versions: Annotated[list[Text], Field(min_length=1)]
    operations: Annotated[list[Operation], Field(min_length=1)]
    resources: Annotated[list[Text], Field(min_length=1)]
    resource_names: list[Text] = Field(default_factory=list[str])
    scope: Literal["*", "Namespaced", "Cluster"] = "*"


class MatchConstraints(Model):
    """Which requests a policy is asked about."""

    resource_rules: Annotated[list[ResourceRule], Field(min_length=1)]
    exclude_resource_rules: list[ResourceRule] = Field(default_factory=list[ResourceRule])
    object_selector: LabelSelector = Field(default_factory=LabelSelector)
    namespace_selector: LabelSelector = Field(default_factory=LabelSelector)
    match_policy: Literal["Exact", "Equivalent"] = "Equivalent"


class ParamKind(Model):
    """The kind of object that `params` is."""

    api_version: Text
    kind: Text


class Named(Model):
    """A match condition, or a variable."""

    name: Text
    expression: Text


class Validation(Model):
    """What must be true, and what to say where it is not."""

    expression: Text
    message: str = ""
    message_expression: str = ""
    reason: Literal["Unauthorized", "Forbidden", "Invalid", "RequestEntityTooLarge"] = "Invalid"


class AuditAnnotation(Model):
    """What the API server's audit log gets."""

    key: Text
    value_expression: Text


class PolicySpec(Model):
    """What a policy asks, of what."""

    match_constraints: MatchConstraints
    validations: Annotated[list[Validation], Field(min_length=1)]
    failure_policy: FailurePolicy = "Fail"
    param_kind: ParamKind | None = None
    match_conditions: list[Named] = Field(default_factory=list[Named])
    variables: list[Named] = Field(default_factory=list[Named])
    audit_annotations: list[AuditAnnotation] = Field(default_factory=list[AuditAnnotation])


class PolicyMetadata(Model):
    """Its name is its folder's; its annotations say where it holds, how to mend what breaks it, and why it is there."""

    name: PolicyName
    annotations: dict[str, str] = Field(default_factory=dict[str, str])
    labels: dict[str, str] = Field(default_factory=dict[str, str])


class PolicyFile(Model):
    """A policy.yaml."""

    api_version: Literal["admissionregistration.k8s.io/v1"]
    kind: Literal["ValidatingAdmissionPolicy"]
    metadata: PolicyMetadata
    spec: PolicySpec
