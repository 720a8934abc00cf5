"""The base of every model and the scalar types that several files share: names, quantities, times."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """Strict and frozen. Fields are snake_case in people's files and camelCase in Helm values: one model serves both."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=False,
        serialize_by_alias=False,
        use_attribute_docstrings=True,
        defer_build=True,  # a command reads files of some kinds only; the rest costs it nothing
    )


@dataclass(frozen=True, slots=True)
class Written:
    """How a value is written, for an error that says it: stands in a field's annotation beside its bounds."""

    form: str


SECONDS = Written("write seconds, like 0.5")
RATIO = Written("write a ratio, like 0.01")
FACTOR = Written("write a factor, like 1.25")


def _timestamp(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("not a time; write it like 2026-11-01T09:00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError("a time without its zone; end it in Z for UTC")
    return text


def moment(timestamp: str) -> datetime:
    """The instant that a `Timestamp` names, in UTC."""
    return datetime.fromisoformat(timestamp).astimezone(UTC)


def timestamp(moment: datetime) -> str:
    """An instant as a `Timestamp`, in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Timestamp = Annotated[str, AfterValidator(_timestamp), Field(json_schema_extra={"format": "date-time"})]
"""RFC 3339 with its zone: 2026-11-01T09:00:00Z."""

_NAME = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
_SERVICE = r"^[A-Za-z_][A-Za-z0-9_.-]*$"
_TAG = r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"
_DIGEST = r"^sha256:[0-9a-f]{64}$"
_HOST = r"[a-z0-9]+([.-][a-z0-9]+)*(:[0-9]{1,5})?"
_PATH = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
# As registries have it: no `..`, no empty part, and a colon only before a port, so that no tag hides in it.
_REPOSITORY = rf"^({_HOST}/)?{_PATH}(/{_PATH})*$"
_REGISTRY = rf"^{_HOST}(/{_PATH})*$"
_ENV = r"^[A-Za-z_][A-Za-z0-9_]*$"
_LABEL_VALUE = r"^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$"
_LABEL_KEY = r"^([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"
_DURATION = r"^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$"
_APPLICATION = r"^[a-z]([a-z0-9-]*[a-z0-9])?$"
_SUBDOMAIN = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$"
_ROUTE = r"^/[A-Za-z0-9/_.~-]*$"
_CIDR = r"^([0-9]{1,3}\.){3}[0-9]{1,3}/[0-9]{1,2}$|^[0-9a-fA-F:.]+/[0-9]{1,3}$"
_HEADER_VALUE = r"^[A-Za-z0-9._:@/+=,;-]+$"
_COOKIE = r"^[A-Za-z0-9._-]+$"
_POINTER = r"^(/([^~/]|~[01])*)*$"
_FOLDER = r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$"
_REQUEST_HEADER = r"^[A-Za-z0-9-]+$"
_AUTH_ADDRESS = r"^https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?$"
_KIND = r"^[A-Z][A-Za-z0-9]*$"
_SERVER = r"https?://[A-Za-z0-9._:\[\]-]+"
_REST = r"(/[A-Za-z0-9._~%/?=&:+,;!()*#-]*)?"
ADDRESS = rf"^{_SERVER}{_REST}$"
ENDPOINT = rf"^({_SERVER}){_REST}$"
# An address, or a folder of this repository. No dollar: it would begin a word that alerts replace.
PAGES = rf"^({_SERVER}{_REST}|[A-Za-z0-9._~%/-]+)$"
# Helm's toYaml swallows its own error about these, and with it the whole list that one of them stands in.
_TEXT = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"
_PRE_RELEASE = r"(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
VERSION = rf"^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){{2}}(-{_PRE_RELEASE}(\.{_PRE_RELEASE})*)?$"
_RESERVED_LABEL = re.compile(r"^(bento-gitops|app\.kubernetes\.io)/")
CPU = re.compile(r"^([0-9]+m|[0-9]+(\.[0-9]{1,3})?)$")
MEMORY = re.compile(r"^[0-9]+(Ki|Mi|Gi|Ti|k|M|G|T)$")

FORMS = {
    _NAME: "write lower-case letters, digits and hyphens, like ticket-api",
    _SERVICE: "write the service's name as the code has it",
    _TAG: "write letters, digits, dots, hyphens and underscores, like 1.1.0",
    _DIGEST: "write sha256: and 64 hexadecimal digits",
    _REPOSITORY: "write an image's name without tag and digest, like registry.example.com/ml/tickets",
    _REGISTRY: "write a host, or a host and a folder, like registry.example.com/ml",
    _ENV: "write letters, digits and underscores, like LOG_LEVEL",
    _LABEL_VALUE: "write letters, digits, dots, hyphens and underscores, without spaces",
    _LABEL_KEY: "write a label's key, like owner or example.com/owner",
    _DURATION: "write hours, minutes and seconds, like 1h, 90m or 15s, each of five digits at most",
    _APPLICATION: "write lower-case letters, digits and hyphens, a letter first: it names a Service",
    _SUBDOMAIN: "write lower-case letters, digits, hyphens and dots, like ticket-secrets",
    VERSION: "write a semantic version, like 1.4.0",
    _ROUTE: "write letters, digits and / _ . ~ - after a slash, like /encode; a route with parameters cannot be served yet",
    _CIDR: "write an address and the length of its network, like 10.0.0.0/8",
    _HEADER_VALUE: "write letters, digits and . _ : @ / + = , ; - without spaces",
    _COOKIE: "write letters, digits, dots, hyphens and underscores, like bento-track",
    _POINTER: "write a JSON pointer, like /classifications/0/label; ~1 stands for a slash in a key, ~0 for a tilde",
    _FOLDER: "write a folder of this repository, from its root, like checks/tickets",
    _REQUEST_HEADER: "write a header's name, like x-tenant",
    r"^/[^\s#]*$": "write a path, like /classify_ticket",
    r"^[a-z0-9-]+/[a-z0-9-]+$": "write ENV/APP, like prod/ticket-api",
    _AUTH_ADDRESS: "write it like http://auth.auth.svc.cluster.local/verify, with letters, digits and . _ ~ - in its path",
    _KIND: "write the kind of an object, like Middleware",
    ADDRESS: "write it with http:// or https://, like https://prometheus.example.com, without a password",
    ENDPOINT: "write it with http:// or https://, like http://otel-collector.observability:4318/v1/traces",
    PAGES: "write an address, like https://github.example.com/team/fleet/blob/main/docs/runbooks",
    _TEXT: "write text without control characters",
    CPU.pattern: 'write cores or thousandths of one, like "2" or 500m',
    MEMORY.pattern: "write bytes with a unit, like 512Mi or 2Gi",
}
"""What to write, by the pattern that a text does not match."""

DnsLabel = Annotated[str, Field(pattern=_NAME, max_length=63)]
"""A Kubernetes name: lower-case letters, digits and hyphens."""

ApplicationName = Annotated[str, Field(pattern=_APPLICATION, max_length=63)]
"""An application's name; it names a Service, which starts with a letter."""

SecretName = Annotated[str, Field(pattern=_SUBDOMAIN, max_length=253)]
"""A Secret's name, which may have dots."""

ServiceName = Annotated[str, Field(pattern=_SERVICE, max_length=63)]
"""A BentoML service's name as `@bentoml.service(name=...)` has it."""

Tag = Annotated[str, Field(pattern=_TAG, max_length=63)]
"""The version of a Bento; also a label value."""

Version = Annotated[str, Field(pattern=VERSION, max_length=63)]
"""A semantic version: 1.4.0, 2.0.0-rc.1."""

Digest = Annotated[str, Field(pattern=_DIGEST)]
Repository = Annotated[str, Field(pattern=_REPOSITORY, max_length=255)]
"""An image's name without tag and digest."""
Registry = Annotated[str, Field(pattern=_REGISTRY, max_length=255)]
"""Where images may come from: a host, or a host and a folder."""


def _text(text: str) -> str:
    if "\ufffe" in text or "\uffff" in text:
        raise ValueError("has a character that no YAML can hold; write text without it")
    return text


Text = Annotated[str, Field(pattern=_TEXT), AfterValidator(_text)]
"""Any text that reaches an object as it stands."""
ClusterName = Annotated[str, Field(pattern=_SUBDOMAIN, max_length=63)]
"""A folder below clusters/."""
EnvName = Annotated[str, Field(pattern=_ENV, max_length=255)]
HeaderName = Annotated[str, Field(pattern=_NAME, max_length=100)]
"""A request header's name in lower case: x-tenant."""
HeaderValue = Annotated[str, Field(pattern=_HEADER_VALUE, max_length=100)]
"""What a request header must say, exactly: none of the signs that a router's own language takes for something else."""
ClaimValue = Annotated[str, Field(pattern=_HEADER_VALUE, max_length=253)]
"""An issuer or an audience of tokens, exactly: no sign that a policy takes for "anything"."""
AuthAddress = Annotated[str, Field(pattern=_AUTH_ADDRESS, max_length=253)]
"""Where a proxy asks whether a request may pass. Of few signs: nginx's controller writes it into a configuration file."""
ObjectName = Annotated[str, Field(pattern=_SUBDOMAIN, max_length=253)]
"""The name of an object, or of a group of kinds."""
ObjectKind = Annotated[str, Field(pattern=_KIND, max_length=63)]
CookieName = Annotated[str, Field(pattern=_COOKIE, max_length=100)]
RequestHeader = Annotated[str, Field(pattern=_REQUEST_HEADER, max_length=100)]
"""A header's name in any case."""
Pointer = Annotated[str, Field(pattern=_POINTER)]
"""A place in a JSON document (RFC 6901); "" is all of it."""


def _folder(text: str) -> str:
    if any(part in (".", "..") for part in text.split("/")):
        raise ValueError("is no plain path; write a folder of this repository, from its root, like checks/tickets")
    return text


RepositoryFolder = Annotated[str, Field(pattern=_FOLDER), AfterValidator(_folder)]
"""A folder, from the repository's root."""
LabelValue = Annotated[str, Field(pattern=_LABEL_VALUE, max_length=63)]
LabelKey = Annotated[str, Field(pattern=_LABEL_KEY, max_length=253)]


def _own_label(key: str) -> str:
    if _RESERVED_LABEL.match(key):
        raise ValueError("the chart itself sets labels of this kind; use another key")
    return key


OwnLabelKey = Annotated[LabelKey, AfterValidator(_own_label)]
"""A label that people may set: none of those by which objects find each other."""


def _network(text: str) -> str:
    import ipaddress  # few files name a network; the others need not pay for it

    try:
        interface = ipaddress.ip_interface(text)
    except ValueError:
        raise ValueError("is no network; write an address and the length of its network, like 10.0.0.0/8") from None
    if interface.ip != interface.network.network_address:
        raise ValueError(f"names an address inside the network, not the network; write {interface.network}")
    return text


Cidr = Annotated[str, Field(pattern=_CIDR), AfterValidator(_network)]
"""A network: 10.0.0.0/8."""
Route = Annotated[str, Field(pattern=_ROUTE)]
"""Where an API answers: /encode."""
Weight = Annotated[int, Field(ge=0, le=100)]
"""Whole percent of live requests."""

Cpu = Annotated[str, Field(pattern=CPU.pattern)]
"""Cores ("2", "0.5") or thousandths of one ("500m")."""
Memory = Annotated[str, Field(pattern=MEMORY.pattern)]
"""Bytes with a unit: 512Mi, 2Gi."""
Duration = Annotated[str, Field(pattern=_DURATION, min_length=2), Written("write a length of time, like 10m")]
"""Hours, minutes, seconds: 1h, 90m, 15s."""


def length(duration: str) -> timedelta:
    """How long a `Duration` is."""
    total = timedelta()
    for number, unit in re.findall(r"([0-9]+)([hms])", duration):
        total += int(number) * _UNITS[unit]
    return total


def duration(length: timedelta) -> str:
    """A length of time as a `Duration`, in its two largest units; "0s" for none."""
    seconds = max(0, round(length.total_seconds()))
    parts = [(seconds // 3600, "h"), (seconds % 3600 // 60, "m"), (seconds % 60, "s")]
    return "".join([f"{number}{unit}" for number, unit in parts if number][:2]) or "0s"


_UNITS = {"h": timedelta(hours=1), "m": timedelta(minutes=1), "s": timedelta(seconds=1)}
