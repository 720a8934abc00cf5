"""The same files read the same on disk, at a ref and through an overlay."""

from __future__ import annotations

from pathlib import Path

import pytest
from bento_gitops.model.problem import InvalidInput
from bento_gitops.repository.files import GitTree, OverlayTree, Tree, WorkingTree, contents, remove
from git_repositories import Repository
from hypothesis import given
from hypothesis import strategies as st

PATTERNS = (
    "*",
    "*.yaml",
    "a/*",
    "a/*/*",
    "*/*/*.yaml",
    "a/b/*.yaml",
    "a/b/c.yaml",
    "a/**/*.yaml",
    "**/*",
    "**/*.yaml",
    "x+y/*",
    "a/b/.*",
)
PATHS = st.sampled_from(
    ["a.yaml", "b.txt", "a/b.yaml", "a/b/c.yaml", "a/b/.hidden.yaml", "a/b/d/e.yaml", "ab/c.yaml", "x+y/c.yaml", "a-b/c"]
)
FILES = st.dictionaries(PATHS, st.binary(max_size=5), max_size=8)


def plain_tree(root: Path, files: dict[str, bytes]) -> WorkingTree:
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    return WorkingTree(root)


def everything(tree: Tree) -> dict[str, object]:
    paths = tree.glob("**/*")
    return {
        **{pattern: tree.glob(pattern) for pattern in PATTERNS},
        "read": contents(tree, paths),
        "none": contents(tree, ["nowhere", "a"]),
    }


@given(base=FILES, changes=st.dictionaries(PATHS, st.none() | st.binary(max_size=5), max_size=8))
def test_an_overlay_reads_as_the_files_that_it_stands_for(
    tmp_path_factory: pytest.TempPathFactory, base: dict[str, bytes], changes: dict[str, bytes | None]
) -> None:
    folder = tmp_path_factory.mktemp("trees")
    overlay = OverlayTree(plain_tree(folder / "base", base), changes)
    merged = {path: data for path, data in {**base, **changes}.items() if data is not None}
    assert everything(overlay) == everything(plain_tree(folder / "merged", merged))
    for path in {"nowhere", *(path for path, data in changes.items() if data is None)}:
        assert not overlay.exists(path)
        with pytest.raises(FileNotFoundError):
            overlay.read(path)


def test_a_commit_reads_as_the_files_that_were_committed(clone: Repository) -> None:
    files = {"a/b/c.yaml": b"1", "a/b/.hidden.yaml": b"2", "ab/c.yaml": b"3", "x+y/c.yaml": b"\xff\x00", "a.yaml": b""}
    tree = plain_tree(clone.root, files)
    for path in ("environments", ".gitignore", "NOTES.txt"):
        clone.git("rm", "-r", "--quiet", path)
    clone.git("add", "--all")
    clone.git("commit", "--quiet", "--message", "Files")
    committed = GitTree(clone.root, "HEAD")
    (clone.root / ".git").rename(clone.root.parent / "moved")
    on_disk = everything(tree)
    (clone.root.parent / "moved").rename(clone.root / ".git")
    assert everything(committed) == on_disk
    clone.commit("Later", {"a.yaml": "later"})
    assert committed.read("a.yaml") == b""  # what HEAD stood for, not what it stands for now


def test_a_symbolic_link_in_a_commit_is_refused_and_not_taken_for_its_text(clone: Repository) -> None:
    (clone.root / "link.yaml").symlink_to("NOTES.txt")
    clone.commit("Link")
    tree = GitTree(clone.root, "HEAD")
    assert tree.glob("*.yaml") == ["link.yaml"]
    with pytest.raises(InvalidInput, match=r"link\.yaml: is a symbolic link in HEAD; replace it by what it points to"):
        tree.read("link.yaml")


def test_a_file_is_removed_with_the_folders_that_it_leaves_empty_and_no_others(tmp_path: Path) -> None:
    plain_tree(tmp_path, {"a/b/c/d.yaml": b"", "a/e.yaml": b""})
    assert remove(tmp_path, "a/b/c/d.yaml")
    assert not remove(tmp_path, "a/b/c/d.yaml")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["e.yaml"]
    with pytest.raises(InvalidInput, match="leaves the repository"):
        remove(tmp_path, "../x")
