"""Imports one built Bento and writes what its decorators say; runs in the Bento's own Python and knows nothing of the package.

    python -I -B bento_inspector.py BENTO_FOLDER REPORT.json

Python 3.9 or newer, the standard library and BentoML alone. It runs the Bento's code, so it is started in a fresh process with an
environment, a home and a time limit of its own; the report goes to a file because code that is imported may print.
Exit code 3: the code could not be imported, and the report says why.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

# Calls that give the same answer for the same arguments: an expression of these and literals is as fixed as a literal.
PURE_CALLS = {"int", "float", "str", "bool", "max", "min", "round", "abs", "len", "dict", "list", "tuple", "set", "sorted"}
PURE_METHODS = {"strip", "lstrip", "rstrip", "lower", "upper", "split", "format", "replace", "get"}
CHANGING_METHODS = {
    "update",
    "setdefault",
    "pop",
    "popitem",
    "clear",
    "append",
    "extend",
    "insert",
    "remove",
    "sort",
    "reverse",
    "add",
}
STRUCTURE = (
    ast.JoinedStr,
    ast.FormattedValue,
    ast.BinOp,
    ast.UnaryOp,
    ast.BoolOp,
    ast.Compare,
    ast.IfExp,
    ast.Dict,
    ast.List,
    ast.Tuple,
    ast.Set,
    ast.Starred,
    ast.Subscript,
)
DECLARED = ("name", "resources", "workers", "traffic", "envs", "labels", "path_prefix")
LIMITS = ("max_batch_size", "max_latency_ms")


class Follows:
    """What an expression is beyond literals and constants: environment variables, and parts that cannot be followed."""

    def __init__(self) -> None:
        self.variables: list[str] = []
        self.beyond: list[str] = []

    def __bool__(self) -> bool:
        return bool(self.variables or self.beyond)

    def as_json(self) -> dict[str, list[str]]:
        return {"variables": sorted(set(self.variables)), "beyond": sorted(set(self.beyond))}


class Module:
    """A module of the Bento as a syntax tree: its constants, and what its imports stand for."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.imported: dict[str, str] = {}
        self.constants: dict[str, ast.expr] = {}
        stored: dict[str, int] = {}
        changed: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                stored[node.id] = stored.get(node.id, 0) + 1
            elif isinstance(node, (ast.Subscript, ast.Attribute)) and not isinstance(node.ctx, ast.Load):
                changed.add(root_of(node))
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGING_METHODS:
                changed.add(root_of(node.func))
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                stored[node.name] = stored.get(node.name, 0) + 1
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    self.imported[alias.asname or alias.name.split(".")[0]] = (
                        alias.name if alias.asname else alias.name.split(".")[0]
                    )
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    self.imported[alias.asname or alias.name] = (node.module or "") + ":" + alias.name
        for statement in tree.body:
            if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
                target: ast.expr = statement.targets[0]
                value: Any = statement.value
            elif isinstance(statement, ast.AnnAssign):
                target, value = statement.target, statement.value
            else:
                continue
            # What is written twice or changed in place is no constant, wherever in the module that happens.
            if isinstance(target, ast.Name) and value is not None and stored[target.id] == 1 and target.id not in changed:
                self.constants[target.id] = value
        self.rebound = set(stored) | changed

    def meaning(self, node: ast.expr) -> str:
        """The dotted name that a name or attribute stands for: "os.environ", "bentoml.service"; "" if it is none."""
        if isinstance(node, ast.Name):
            if node.id in self.rebound:
                return ""
            return self.imported.get(node.id, "").replace(":", ".")
        if isinstance(node, ast.Attribute):
            base = self.meaning(node.value)
            return base + "." + node.attr if base else ""
        return ""


def root_of(node: ast.AST) -> str:
    """The name at the bottom of a.b[c].d."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


class Reader:
    """Follows expressions through the modules of one Bento."""

    def __init__(self, source: Path) -> None:
        self.source = source
        self.modules: dict[str, Any] = {}

    def module(self, name: str) -> Any:
        """A module of the Bento by its dotted name; None if the Bento has none of that name."""
        if name not in self.modules:
            self.modules[name] = None
            parts = name.split(".")
            folder = self.source.joinpath(*parts[:-1])
            for file in (folder / (parts[-1] + ".py"), folder / parts[-1] / "__init__.py"):
                if name and file.is_file():
                    self.modules[name] = Module(ast.parse(file.read_bytes()))
                    break
        return self.modules[name]

    def follow(self, node: ast.expr, module: Module, into: Follows, seen: tuple[str, ...] = ()) -> None:
        """Adds to `into` what the expression is beyond literals and constants."""
        if isinstance(node, ast.Constant):
            return
        variable = self.environment_read(node, module)
        if variable is not None:
            name, rest = variable
            into.variables.append(name)
            for part in rest:
                self.follow(part, module, into, seen)
        elif isinstance(node, STRUCTURE):
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    self.follow(child, module, into, seen)
        elif isinstance(node, ast.Call) and self.is_pure(node, module):
            parts = list(node.args) + [keyword.value for keyword in node.keywords]
            if isinstance(node.func, ast.Attribute):
                parts.append(node.func.value)
            for part in parts:
                self.follow(part, module, into, seen)
        elif not self.follow_name(node, module, into, seen):
            into.beyond.append(ast.unparse(node))

    def follow_name(self, node: ast.expr, module: Module, into: Follows, seen: tuple[str, ...]) -> bool:
        """Whether the name or attribute is a constant of a module of the Bento, or a Bento argument."""
        if isinstance(node, ast.Name) and node.id in module.constants:
            return self.follow_constant(node.id, module, into, seen)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in module.constants:
            # Arguments of `bentoml build --arg` are fixed in bento.yaml.
            value = module.constants[node.value.id]
            return isinstance(value, ast.Call) and module.meaning(value.func) == "bentoml.use_arguments"
        place, _, name = module.meaning(node).rpartition(".")
        other = self.module(place) if place else None
        return other is not None and name in other.constants and self.follow_constant(name, other, into, seen)

    def follow_constant(self, name: str, module: Module, into: Follows, seen: tuple[str, ...]) -> bool:
        key = str(id(module)) + name
        if key in seen:
            return False
        self.follow(module.constants[name], module, into, (*seen, key))
        return True

    def environment_read(self, node: ast.expr, module: Module) -> Any:
        """The variable that this asks for, and the other parts: os.environ["X"], os.environ.get("X", d), os.getenv("X", d)."""
        key: Any = None
        rest: list[ast.expr] = []
        if isinstance(node, ast.Subscript) and module.meaning(node.value) == "os.environ":
            key = node.slice
        elif isinstance(node, ast.Call) and module.meaning(node.func) in ("os.environ.get", "os.getenv") and node.args:
            key, rest = node.args[0], list(node.args[1:]) + [keyword.value for keyword in node.keywords]
        elif isinstance(node, ast.Compare) and len(node.ops) == 1 and module.meaning(node.comparators[0]) == "os.environ":
            key = node.left  # "X" in os.environ
        if isinstance(key, ast.Name) and key.id in module.constants:
            key = module.constants[key.id]
        return (key.value, rest) if isinstance(key, ast.Constant) and isinstance(key.value, str) else None

    def is_pure(self, node: ast.Call, module: Module) -> bool:
        if isinstance(node.func, ast.Name):
            name = node.func.id
            return name in PURE_CALLS and name not in module.rebound and name not in module.imported
        if isinstance(node.func, ast.Attribute) and node.func.attr in PURE_METHODS:
            return not module.meaning(node.func)
        return False


def decorators(node: Any, module: Module, names: tuple[str, ...]) -> list[Any]:
    """The decorators of a class or function that are one of these of BentoML's."""
    found: list[Any] = []
    for decorator in node.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if module.meaning(called) in names:
            found.append(decorator)
    return found


def keywords(reader: Reader, module: Module, decorator: Any, wanted: tuple[str, ...]) -> dict[str, dict[str, list[str]]]:
    """What of a decorator's keywords is more than literal."""
    told: dict[str, dict[str, list[str]]] = {}
    for keyword in decorator.keywords if isinstance(decorator, ast.Call) else []:
        follows = Follows()
        reader.follow(keyword.value, module, follows)
        if follows:
            for name in [keyword.arg] if keyword.arg else wanted:  # **spread: any of them
                if name in wanted:
                    told.setdefault(name, follows.as_json())
    return told


def written(reader: Reader, service: Any) -> dict[str, Any]:
    """What of a service's declarations is more than literal; all of it if the tree does not show the class."""
    unseen = {"variables": [], "beyond": [origin(service)]}
    told: dict[str, Any] = {}
    module = reader.module(service.inner.__module__)
    found: Any = None
    body: list[Any] = module.tree.body if module else []
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name == service.inner.__qualname__:
            found = node
    declared = decorators(found, module, ("bentoml.service",)) if found else []
    if len(declared) != 1:
        told.update(dict.fromkeys(DECLARED, unseen))
    else:
        told.update(keywords(reader, module, declared[0], DECLARED))
    methods: dict[str, Any] = {node.name: node for node in found.body if hasattr(node, "decorator_list")} if found else {}
    for name in service.apis:
        node = methods.get(name)
        declared = decorators(node, module, ("bentoml.api", "bentoml.task")) if node else []
        if len(declared) != 1:
            told.update({"apis." + name + "." + limit: unseen for limit in LIMITS})
        else:
            found_here = keywords(reader, module, declared[0], LIMITS)
            told.update({"apis." + name + "." + limit: follows for limit, follows in found_here.items()})
    return told


def origin(service: Any) -> str:
    """module:Class"""
    return service.inner.__module__ + ":" + service.inner.__qualname__


class Watch:
    """Notes which environment variables the Bento's own code asks for: in its files, or in a library that they call.

    What libraries read for themselves (while they are imported, or inside BentoML) does not count.
    """

    def __init__(self, source: Path) -> None:
        self.source = str(source) + os.sep
        self.names: set[str] = set()
        self.all = False
        self.bentoml: tuple[str, ...] = ()

    def start(self) -> None:
        environment: Any = type(os.environ)
        read, walk = environment.__getitem__, environment.__iter__

        def watched_read(mapping: Any, key: Any) -> Any:
            if isinstance(key, str) and self.is_own(key):
                self.names.add(key)
            return read(mapping, key)

        def watched_walk(mapping: Any) -> Any:
            self.all = self.all or self.is_own()
            return walk(mapping)

        environment.__getitem__ = watched_read
        environment.__iter__ = watched_walk

    def is_own(self, key: str = "") -> bool:
        frame: Any = inspect.currentframe()
        while frame is not None:
            file = frame.f_code.co_filename
            package = frame.f_globals.get("__name__", "").split(".")[0].strip("_").upper()
            if package and key.startswith(package + "_"):
                return False  # a library's switch for itself: PYDANTIC_DISABLE_PLUGINS, read by pydantic
            if file.startswith(self.source):
                return True
            if file.startswith(("<frozen importlib", *self.bentoml)):
                return False
            frame = frame.f_back
        return False


def told_by(folder: Path) -> dict[str, Any]:
    """Imports the Bento and tells what it declares."""
    source = folder / "src"
    bentoml: Any = importlib.import_module("bentoml")
    sdk: Any = importlib.import_module("_bentoml_sdk")
    watch = Watch(source)
    watch.bentoml = tuple(str(Path(module.__file__).parent) + os.sep for module in (bentoml, sdk))
    watch.start()
    entry = bentoml.load(str(folder))
    if not isinstance(entry, sdk.Service):
        raise TypeError("a Service of BentoML before 1.2: rewrite it with @bentoml.service")
    services: dict[str, Any] = {}
    waiting = [entry]
    while waiting:  # not all_services(): a circle of dependencies has to be told, and that does not come back from one
        service = waiting.pop(0)
        if service.name not in services:
            services[service.name] = service
            waiting.extend(dependency.on for dependency in service.dependencies.values() if dependency.on is not None)
    reader = Reader(source)
    return {
        "entry": entry.name,
        "services": {name: told(service, written(reader, service)) for name, service in services.items()},
        "read": sorted(watch.names),
        "read_all": watch.all,
    }


def told(service: Any, follows: dict[str, Any]) -> dict[str, Any]:
    """One service in plain values."""
    dependencies = list(service.dependencies.values())
    external = [str(found.url or found.deployment) for found in dependencies if found.url or found.deployment]
    return {
        "origin": origin(service),
        "config": service.config,
        "labels": service.labels,
        "envs": [{"name": env.name, "value": str(env.value), "stage": env.stage} for env in service.envs],
        "path_prefix": service.path_prefix or "",
        "custom_command": service.has_custom_command(),
        "dependencies": list(
            dict.fromkeys(found.on.name for found in dependencies if found.on is not None and not (found.url or found.deployment))
        ),
        "external": external,
        "models": [str(getattr(model, "tag", None) or getattr(model, "model_id", model)) for model in service.models],
        "apis": {
            name: {
                "route": api.route,
                "task": getattr(api, "is_task", False),  # BentoML knows tasks since 1.3
                "batchable": bool(api.batchable),
                "max_batch_size": api.max_batch_size,
                "max_latency_ms": api.max_latency_ms,
            }
            for name, api in service.apis.items()
        },
        "follows": follows,
    }


def failure(error: BaseException, folder: Path) -> str:
    """What went wrong, with the line of the Bento that it came from; BentoML wraps the error that counts in one of its own."""
    where, cause, inner = "", error, error.__cause__ or error.__context__
    for candidate in (error, inner):
        frames = [
            frame
            for frame in traceback.extract_tb(candidate and candidate.__traceback__)
            if frame.filename.startswith(str(folder))
        ]
        if candidate is not None and frames:
            where, cause = str(Path(frames[-1].filename).relative_to(folder)) + ":" + str(frames[-1].lineno) + ": ", candidate
    why = "".join(traceback.format_exception_only(type(cause), cause)).strip()
    if isinstance(cause, SystemExit):
        why = "the code ended the process while it was imported: " + why
    return where + why


def main() -> int:
    folder, report = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    code = 0
    try:
        answer = told_by(folder)
        text = json.dumps(answer)
    except BaseException as error:  # SystemExit too: that is one of the ways in which importing ends
        code, text = 3, json.dumps({"failed": failure(error, folder)})
    report.write_text(text, encoding="utf-8")
    return code


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # threads and exit handlers of the Bento must not hold the process
