"""The schemas for editors accept what the reader accepts, and refuse what it refuses."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
import yaml
from bento_gitops.checking.file_schemas import file_schemas
from bento_gitops.layers.marked import plain
from bento_gitops.layers.reading import read
from bento_gitops.model.files import Application, ConfigFile, Overrides
from bento_gitops.model.problem import InvalidInput

SCHEMAS = {path.rpartition("/")[2].partition(".")[0]: json.loads(text) for path, text in file_schemas().items()}
MODELS: dict[str, Any] = {"config": ConfigFile, "application": Application, "overrides": Overrides}

ACCEPTED = {
    "config": [
        "services: {Api: {instance_type: cpu.small, scaling: {min_replicas: 3, max_replicas: 12}}}",
        "services: {Api: {envs: {LOG_LEVEL: info, EMPTY: null}}}",
        "services: {Api: {envs: [{name: LOG_LEVEL, value: info}]}}",
        "services: {Api: {scaling: {metrics: {cpu: {value: 70}}}}}",
        "services: {Api: {scaling: {metrics: [{type: cpu, value: 70}]}}}",
        "services: {Api: {scaling: {policy: {metrics: [{type: cpu, value: 70}], scale_up_stabilization_window: 0}}}}",
        "services: {Api: {apis: {encode: {batching: {max_batch_size: 64, max_latency_ms: null}}}}}",
        "services: {Api: {config_overrides: {traffic: {timeout: 15}, workers: 2, resources: {cpu: '2'}}}}",
        "services: {Api: null}",
        "services: {Api: {traffic: {timeout: 1.5}, secrets: [ticket-secrets]}}",
        "bundles: {'1.1.0': {services: {Api: {scaling: {min_replicas: 3}}}}}",
        "labels: {owner: ml, example.com/cost-center: '12'}\nmode: single",
    ],
    "application": ["labels: {owner: ml}", "services: {Api: {envs: [{name: A, value: b}], traffic: {timeout: 3}}}"],
    "overrides": [
        "overrides:\n"
        "  - config: {services: {Api: {apis: {a: {batching: {max_batch_size: 8}}}}}}\n"
        "    reason: launch\n    owner: me\n    expires: '2026-12-01T00:00:00Z'"
    ],
}
REFUSED = {
    "config": [
        "service: {}",
        "services: {Api: {scaling: {min_replica: 3}}}",
        "services: {Api: {scaling: {min_replicas: '3'}}}",
        "services: {Api: {envs: [{nme: A, value: b}]}}",
        "services: {Api: {envs: {A: 1}}}",
        "services: {Api: {envs: {'A-B': c}}}",
        "services: {Api: {scaling: {metrics: [{type: gpu, value: 70}]}}}",
        "services: {Api: {apis: {encode: {batching: {max_batch_size: 0}}}}}",
        "services: {Api: {apis: {encode: {batching: {max_batch_size: many}}}}}",
        "services: {Api: {config_overrides: {trafic: {timeout: 15}}}}",
        "services: {Api: {resources: {memory: 2 GB}}}",
        "mode: both",
    ],
    "application": ["services: {Api: {scaling: {min_replicas: 3}}}"],
    "overrides": ["overrides: [{config: {}, owner: me, expires: '2026-12-01T00:00:00Z'}]"],
}
KINDS = {"config": "Config", "application": "Application", "overrides": "Overrides"}


def cases(of: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(name, text) for name, texts in of.items() for text in texts]


def both(name: str, text: str) -> tuple[bool, bool]:
    """Whether the schema and the reader accept the file."""
    whole = f"apiVersion: bento-gitops/v1\nkind: {KINDS[name]}\n{text}\n"
    in_editor = jsonschema_rs.Draft202012Validator(SCHEMAS[name]).is_valid(yaml.load(whole, Loader=yaml.CSafeLoader))
    try:
        read_as = read(whole, "file.yaml", MODELS[name])
    except InvalidInput:
        return in_editor, False
    assert plain(read_as.tree)
    return in_editor, True


@pytest.mark.parametrize(("name", "text"), cases(ACCEPTED))
def test_what_the_reader_accepts_an_editor_accepts(name: str, text: str) -> None:
    assert both(name, text) == (True, True)


@pytest.mark.parametrize(("name", "text"), cases(REFUSED))
def test_what_the_reader_refuses_an_editor_refuses(name: str, text: str) -> None:
    assert both(name, text) == (False, False)


def test_there_is_a_schema_of_each_kind_of_file_and_it_explains_itself() -> None:
    kinds = ["application", "bundle", "config", "environment", "instance-types", "overrides", "release", "verification"]
    assert sorted(SCHEMAS) == kinds
    for schema in SCHEMAS.values():
        jsonschema_rs.meta.validate(schema)
        assert schema["description"]
        assert '"default": null' not in json.dumps(schema)
    assert "later entries win" in SCHEMAS["overrides"]["description"]
    assert SCHEMAS["release"]["$defs"]["ReleasedTrack"]["properties"]["ready_for"]["description"].startswith("Percent of")
