"""The fleet as the files say it: which environments and applications there are, and every file that one of them needs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from bento_gitops.layers.marked import MarkedMap, place_of
from bento_gitops.layers.merging import ResolvedMap
from bento_gitops.layers.overriding import fragments
from bento_gitops.layers.reading import Read, read
from bento_gitops.layers.resolving import Resolution, Sources, resolve, saying
from bento_gitops.model.base import FORMS, ApplicationName, DnsLabel, Model
from bento_gitops.model.bundle import Bundle
from bento_gitops.model.files import Application, ConfigFile, Environment, InstanceTypes, Overrides
from bento_gitops.model.layout import CHART, bundle_file, environment_file, released_chart, values_file
from bento_gitops.model.problem import InvalidInput, Place, Problem, did_you_mean
from bento_gitops.model.release import Release
from bento_gitops.model.rollout import Promotion
from bento_gitops.model.verification import Check
from bento_gitops.rendering.values import build
from bento_gitops.repository.charts import Charts
from bento_gitops.repository.files import OverlayTree, Tree
from bento_gitops.repository.verifications import checks_of

FILES = ("release.yaml", "config.yaml", "overrides.yaml", "values.yaml")
"""What an application's folder in an environment holds; a misspelled name would be passed over in silence."""
ENVIRONMENT = "environment.yaml"
YAML = (".yaml", ".yml")
INSTANCE_TYPES = "environments/instance-types.yaml"

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, order=True, slots=True)
class Target:
    """An application in an environment."""

    environment: str
    application: str

    def __str__(self) -> str:
        return f"{self.environment}/{self.application}"

    @property
    def folder(self) -> str:
        return f"environments/{self.environment}/{self.application}"

    @property
    def values(self) -> str:
        """The path of the generated values."""
        return values_file(str(self))


def is_target(text: str) -> bool:
    """Whether a text can be ENV/APP: names that become a part of paths, and go to Git, hold nothing else."""
    environment, _, application = text.strip("/").partition("/")
    try:
        _names(DnsLabel).validate_python(environment)
        _names(ApplicationName).validate_python(application)
    except ValidationError:
        return False
    return True


def _misspelled(folder: str, names: Collection[str], known: Collection[str]) -> Iterator[Problem]:
    """A file with a name that nobody reads would be passed over in silence."""
    for name in names:
        if name not in known:
            yield Problem(Place(f"{folder}/{name}"), "", "no such file belongs here", f"'{name}'", did_you_mean(name, known))


def _wrong_name(folder: str, kind: Any, name: str) -> Iterator[Problem]:
    """What a folder's name stands for in the cluster must be able to have it."""
    try:
        _names(kind).validate_python(name)
    except ValidationError as error:
        (detail,) = error.errors(include_url=False, include_input=False)
        todo = FORMS.get(str(detail.get("ctx", {}).get("pattern")), "write 63 characters or less")
        yield Problem(Place(folder), "", "the folder's name is no name in a cluster", f"'{name}'", todo)


@cache
def _names(kind: Any) -> TypeAdapter[str]:
    return TypeAdapter(kind)


@lru_cache(maxsize=256)
def _read(data: bytes, path: str, model: type[Model]) -> Read[Any]:
    """The bytes of a file as its model: two trees of one command mostly have the same files."""
    return read(data, path, model)


@dataclass
class Fleet:
    """Files of one tree, each read once."""

    tree: Tree
    _read: dict[str, Read[Any] | InvalidInput] = field(default_factory=dict[str, "Read[Any] | InvalidInput"])
    _tags: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    _files: dict[Target, list[str]] | None = None
    _own: dict[str, list[str]] | None = None
    _charts: Charts | None = None
    _folders_of_charts: dict[str, str] = field(default_factory=dict[str, str])
    # Of the last target that was asked for, and no more: those of a large fleet are large.
    _sources: tuple[Target, Sources] | None = None
    _resolution: tuple[Target, Resolution] | None = None
    _built: tuple[Target, tuple[ResolvedMap, Resolution]] | None = None

    def over(self, changes: Mapping[str, bytes | None]) -> Fleet:
        """The fleet with some of its files replaced, added or (None) removed; the others are not read again."""
        kept = {path: read for path, read in self._read.items() if path not in changes}
        charts = None if any(path.startswith("charts/") for path in changes) else self.charts
        return Fleet(OverlayTree(self.tree, changes), kept, _charts=charts)

    def environments(self) -> list[str]:
        """The names of the environments, sorted."""
        return [environment for environment, names in self._directly().items() if ENVIRONMENT in names]

    def targets(self) -> list[Target]:
        """Every application in every environment: each folder in one that holds YAML."""
        return sorted(self._folders())

    def _folders(self) -> dict[Target, list[str]]:
        """The names of the YAML files of every application's folder."""
        if self._files is None:
            self._files = {}
            for path in self.tree.glob("environments/*/*/*"):
                _, environment, application, name = path.split("/")
                if name.endswith(YAML):
                    self._files.setdefault(Target(environment, application), []).append(name)
        return self._files

    def chosen(self, wanted: str | None) -> list[Target]:
        """The targets that ENV, ENV/APP or nothing (all) names.

        Raises InvalidInput for a name that is not there.
        """
        targets = self.targets()
        if not targets and not self._directly():
            todo = "run in the repository, or name it with --root"
            raise InvalidInput([Problem(Place("environments"), "", "there is no environment here", "", todo)])
        if not wanted:
            return targets
        environment, _, application = wanted.partition("/")
        names = {target.environment for target in targets} | set(self._directly())
        if environment not in names:
            advice = did_you_mean(environment, names)
            raise InvalidInput(
                [Problem(Place(f"environments/{environment}"), "", "no such environment", f"'{environment}'", advice)]
            )
        chosen = [target for target in targets if target.environment == environment and application in ("", target.application)]
        if application and not chosen:
            here = [target.application for target in targets if target.environment == environment]
            place = Place(f"environments/{wanted}")
            raise InvalidInput(
                [Problem(place, "", "no such application here", f"'{application}'", did_you_mean(application, here))]
            )
        return chosen

    def _directly(self) -> dict[str, list[str]]:
        """By environment: the names of the YAML files directly in its folder."""
        if self._own is None:
            self._own = {}
            for path in self.tree.glob("environments/*/*"):
                _, environment, name = path.split("/")
                if name.endswith(YAML):
                    self._own.setdefault(environment, []).append(name)
        return self._own

    def chain(self, environment: str) -> tuple[Read[Environment], ...]:
        """The environment that one extends, if any, then its own.

        Raises InvalidInput.
        """
        own = self.file(environment_file(environment), Environment)
        assert own, "needed"
        if own.value.extends is None:
            return (own,)
        base = self.file(environment_file(own.value.extends), Environment)
        assert base, "needed"
        return (base, own)

    def promotion(self, environment: str) -> Promotion | None:
        """What must hold before something comes to an environment: its own rules, else those of the one that it extends.

        Raises InvalidInput.
        """
        return saying(self.chain(environment), "promotion").value.promotion

    def unread(self, wanted: str | None) -> list[Problem]:
        """What is wrong with the files that no target reads, of ENV, ENV/APP or everything.

        A misspelled name, and environments and applications where nothing runs yet: nobody else would look at them.
        """
        problems: list[Problem] = []
        targets = self.targets()

        def attempt(path: str, model: type[M]) -> Read[M] | None:
            try:
                return self.file(path, model, needed=False)
            except InvalidInput as error:
                problems.extend(error.problems)
                return None

        running = {target.environment for target in targets}
        chosen = (wanted or "").partition("/")[0]
        for environment, files in self._directly().items():
            if chosen not in ("", environment):
                continue
            problems += _misspelled(f"environments/{environment}", files, (ENVIRONMENT,))
            problems += _wrong_name(f"environments/{environment}", DnsLabel, environment)
            if environment not in running:
                own = attempt(environment_file(environment), Environment)
                if own:
                    self._extended(own, problems, attempt)
                    self._pinned(environment, problems)
        if not wanted:
            names = [path.partition("/")[2] for path in self.tree.glob("environments/*") if path.endswith(YAML)]
            problems += _misspelled("environments", names, (INSTANCE_TYPES.partition("/")[2],))
            attempt(INSTANCE_TYPES, InstanceTypes)
            problems += self._applications({target.application for target in targets}, attempt)
        meant = {target.application for target in targets if wanted in (target.environment, str(target))}
        for path in self.tree.glob("applications/*.yaml"):
            application = path.partition("/")[2].removesuffix(".yaml")
            # Most say nothing of checks; to read them as models in this process too would cost what a second process saves.
            if (not wanted or application in meant) and b"verification:" in self.tree.read(path):
                try:
                    self.checks(application)
                except InvalidInput as error:
                    problems += error.problems
        return problems

    def checks(self, application: str) -> Mapping[str, Check]:
        """What `verify` asks an application, by name; none where it has none.

        Raises InvalidInput.
        """
        found = self.file(f"applications/{application}.yaml", Application, needed=False)
        return checks_of(self.tree, found) if found else {}

    def _applications(
        self, running: Collection[str], attempt: Callable[[str, type[Application]], Read[Application] | None]
    ) -> list[Problem]:
        """What is wrong with the files of applications that run nowhere yet."""
        known = {*running, *(path.split("/")[1] for path in self.tree.glob("bundles/*/*.yaml"))}
        problems: list[Problem] = []
        for path in self.tree.glob("applications/*"):
            name = path.partition("/")[2]
            if not name.endswith(YAML):
                continue
            application = name.rpartition(".")[0]
            if not name.endswith(".yaml"):
                problems += _misspelled("applications", [name], (f"{application}.yaml",))
            elif application not in running:
                attempt(path, Application)
                if application not in known:
                    wrong = "no environment runs such an application, and it has no bundles"
                    todo = did_you_mean(application, known) if known else "create a bundle of it, or remove the file"
                    problems.append(Problem(Place(path), "", wrong, f"'{application}'", todo))
        return problems

    def resolution(self, target: Target) -> Resolution:
        """What the layers come to for a target. Raises InvalidInput."""
        if self._resolution is None or self._resolution[0] != target:
            self._resolution = target, resolve(self.sources(target))
        return self._resolution[1]

    def built(self, target: Target) -> tuple[ResolvedMap, Resolution]:
        """The values of a target, whatever its chart knows of them, and what the layers came to. Raises InvalidInput."""
        if self._built is None or self._built[0] != target:
            self._built = target, build(self.sources(target), self.resolution(target))
        return self._built[1]

    def sources(self, target: Target) -> Sources:
        """Every file that has a say in the target.

        Raises InvalidInput with what is wrong with any of them.
        """
        if self._sources is None or self._sources[0] != target:
            self._sources = target, self._sources_of(target)
        return self._sources[1]

    def _sources_of(self, target: Target) -> Sources:
        problems: list[Problem] = []

        def attempt(path: str, model: type[M], *, needed: bool = True) -> Read[M] | None:
            try:
                return self.file(path, model, needed=needed)
            except InvalidInput as error:
                problems.extend(error.problems)
                return None

        problems += _misspelled(target.folder, self._folders().get(target, ()), FILES)
        problems += _wrong_name(f"environments/{target.environment}", DnsLabel, target.environment)
        problems += _wrong_name(target.folder, ApplicationName, target.application)
        own = attempt(environment_file(target.environment), Environment)
        chain = [target.environment]
        base = self._extended(own, problems, attempt) if own else None
        if own and own.value.extends and base:
            chain.insert(0, own.value.extends)
        release = attempt(f"{target.folder}/release.yaml", Release)
        configs: list[Read[ConfigFile] | None] = [
            attempt(f"environments/{name}/{target.application}/config.yaml", ConfigFile, needed=False) for name in chain
        ]
        application = attempt(f"applications/{target.application}.yaml", Application, needed=False)
        overrides = attempt(f"{target.folder}/overrides.yaml", Overrides, needed=False)
        types = attempt(INSTANCE_TYPES, InstanceTypes, needed=False)
        bundles: Mapping[str, Read[Bundle]] = self._bundles(target, release, attempt) if release else {}
        chart = self._pinned(target.environment, problems)
        if problems or own is None or release is None or chart is None:
            raise InvalidInput(problems)
        return Sources(
            environment=target.environment,
            application=target.application,
            chart=chart,
            environments=(base, own) if base else (own,),
            application_file=application,
            configs=tuple(config for config in configs if config),
            runtime=fragments(overrides) if overrides else (),
            instance_types=types,
            release=release,
            bundles=bundles,
            known_tags=self.tags(target.application),
        )

    def _extended(
        self,
        own: Read[Environment],
        problems: list[Problem],
        attempt: Callable[[str, type[Environment]], Read[Environment] | None],
    ) -> Read[Environment] | None:
        name = own.value.extends
        if name is None:
            return None
        known = self.environments()
        place = place_of(own.tree, "extends")
        if name not in known:
            problems.append(Problem(place, "extends", "no such environment", f"'{name}'", did_you_mean(name, known)))
            return None
        base = attempt(environment_file(name), Environment)
        if base is not None and base.value.extends is not None:
            deeper = place_of(base.tree, "extends")
            problems.append(
                Problem(
                    place,
                    "extends",
                    f"an environment extends one level only; '{name}' itself extends at {deeper}",
                    name,
                    "extend its base",
                )
            )
        return base

    def _bundles(
        self, target: Target, release: Read[Release], attempt: Callable[[str, type[Bundle]], Read[Bundle] | None]
    ) -> Mapping[str, Read[Bundle]]:
        """The bundles that the release names, of those that there are."""
        tags = [track.bundle for track in release.value.tracks.values()]
        if release.value.previous:
            tags.append(release.value.previous.bundle)
        found = {
            tag: attempt(bundle_file(target.application, tag), Bundle) for tag in self.tags(target.application) if tag in tags
        }
        return {tag: bundle for tag, bundle in found.items() if bundle is not None}

    def tags(self, application: str) -> tuple[str, ...]:
        """The tags of an application's bundles, sorted."""
        if application not in self._tags:
            paths = self.tree.glob(f"bundles/{application}/*.yaml")
            self._tags[application] = tuple(path.split("/")[2].removesuffix(".yaml") for path in paths)
        return self._tags[application]

    def file(self, path: str, model: type[M], *, needed: bool = True) -> Read[M] | None:
        """A file as its model; None where it is not there and need not be.

        Raises InvalidInput.
        """
        if path not in self._read:
            if not self.tree.exists(path):
                if not needed:
                    return None
                raise InvalidInput(
                    [
                        Problem(
                            Place(path), "", "the file is missing", "", f"write it (kind: {model.__name__.removesuffix('File')})"
                        )
                    ]
                )
            try:
                self._read[path] = _read(self.tree.read(path), path, model)
            except InvalidInput as error:
                self._read[path] = error
        result = self._read[path]
        if isinstance(result, InvalidInput):
            raise result
        return result

    @property
    def charts(self) -> Charts:
        """The chart and its releases."""
        if self._charts is None:
            self._charts = Charts(self.tree)
        return self._charts

    def chart_folder(self, environment: str) -> str:
        """The folder of the chart that an environment runs: the release that it pins, else the chart as it is now.

        Raises InvalidInput for a pin of what is not there.
        """
        if environment not in self._folders_of_charts:
            self._folders_of_charts[environment] = self._chart_folder(environment)
        return self._folders_of_charts[environment]

    def _chart_folder(self, environment: str) -> str:
        own = self.file(environment_file(environment), Environment)
        assert own, "needed"
        pin = own.value.chart
        if pin is None:
            self._refuse_half_a_pin(environment, own)
            return CHART
        versions = self.charts.versions()
        if pin.version not in versions:
            place = place_of(own.tree, "chart", "version")
            todo = did_you_mean(pin.version, versions) if versions else "make it with `bento-gitops chart release`"
            wrong = f"there is no {released_chart(pin.version)}"
            raise InvalidInput([Problem(place, "chart.version", wrong, f"'{pin.version}'", todo)])
        return released_chart(pin.version)

    def _refuse_half_a_pin(self, environment: str, own: Read[Environment]) -> None:
        """Argo CD takes the pin from the environment's own file, so one that is extended pins nothing here; not to say so would
        send every change of the chart to this environment at once."""
        extended = own.value.extends
        if extended is None or extended not in self.environments():
            return
        base = self.file(environment_file(extended), Environment)
        if base and base.value.chart:
            version = base.value.chart.version
            at = place_of(base.tree, "chart", "version")
            wrong = f"{extended}, which it extends, pins a chart ({at}) and this environment does not; a pin is not inherited"
            todo = f"pin one: `bento-gitops chart pin {environment} {version}`"
            raise InvalidInput([Problem(place_of(own.tree, "extends"), "chart", wrong, "", todo)])

    def chart(self, environment: str) -> MarkedMap:
        """The values of the chart that an environment runs, the lowest layer, in snake_case.

        Raises InvalidInput.
        """
        return self.charts.layer(self.chart_folder(environment)).tree

    def _pinned(self, environment: str, problems: list[Problem]) -> MarkedMap | None:
        """As `chart`; adds what is wrong with it."""
        try:
            return self.chart(environment)
        except InvalidInput as error:
            problems.extend(error.problems)
            return None
