"""The Python of README.md and of the guide, run block by block, page by page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


PAGES = ["README.md", "docs/python.md", "docs/clusters.md"]


def blocks(page):
    found = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no Python"
    return found


@pytest.mark.parametrize("name", PAGES)
def test_the_code_of_a_page_runs(name, tmp_path, monkeypatch):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    names = {}
    for number, block in enumerate(blocks(ROOT / name)):
        exec(compile(block, f"{name}, block {number + 1}", "exec"), names)
