"""A package that is really installed: its metadata name an estimator, and commands find it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from own_kinds import SETTINGS

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_estimator.py"
ARM = {"name": "own", "reliability": "weighted_share", "selection": "keep"}
COMMAND = [sys.executable, "-c", "from steelyard.cli.main import run; run()"]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of installed packages, as `pip install --target` leaves it."""
    folder = tmp_path / "site"
    metadata = folder / "own_package-1.0.dist-info"
    metadata.mkdir(parents=True)
    shutil.copy(EXAMPLE, folder / "own_package.py")
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: own-package\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[steelyard.plugins]\nweighted_share = own_package:WeightedShare\n"
    )
    return folder


def steelyard(folder: Path, *words: str, site: Path | None) -> subprocess.CompletedProcess[str]:
    paths = [os.environ.get("PYTHONPATH", ""), *([] if site is None else [str(site)])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    return subprocess.run(
        [*COMMAND, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_weigh_finds_an_installed_estimator(site: Path, tmp_path: Path) -> None:
    rows = ["id,ann,bo,cy", "1,yes,yes,no", "2,no,no,no", "3,yes,no,yes"]
    (tmp_path / "votes.csv").write_text("\n".join(rows))
    words = ("weigh", "votes.csv", "--method", "weighted_share")
    installed = steelyard(tmp_path, *words, site=site)
    assert installed.returncode == 0, installed.stderr
    assert "method: weighted_share" in installed.stdout
    missing = steelyard(tmp_path, *words, site=None)
    assert missing.returncode == 2
    assert "weighted_share" in missing.stderr


def test_a_plugin_with_the_name_of_a_built_in_kind_is_refused(site: Path, tmp_path: Path) -> None:
    entries = site / "own_package-1.0.dist-info" / "entry_points.txt"
    entries.write_text("[steelyard.plugins]\nmajority = own_package:WeightedShare\n")
    (tmp_path / "votes.csv").write_text("id,ann,bo\n1,yes,no\n2,no,no\n")
    refused = steelyard(tmp_path, "weigh", "votes.csv", "--method", "majority", site=site)
    assert refused.returncode == 2
    line = (
        "`majority` is a built-in kind, and the plugin own_package:WeightedShare has the same name"
    )
    assert line in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    arm = {**ARM, "reliability": "majority"}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump({**SETTINGS, "arms": [arm]}))
    study = steelyard(tmp_path, "study", "study.yaml", "--out", "run", "--workers", "1", site=site)
    assert study.returncode == 2
    assert line in study.stderr


def test_a_study_and_why_find_it_or_say_that_it_is_not_installed(
    site: Path, tmp_path: Path
) -> None:
    (tmp_path / "study.yaml").write_text(yaml.safe_dump({**SETTINGS, "arms": [ARM]}))
    done = steelyard(tmp_path, "study", "study.yaml", "--out", "run", "--workers", "1", site=site)
    assert done.returncode == 0, done.stderr
    assert "own " in done.stdout
    fresh = steelyard(tmp_path, "why", "run", site=site)
    assert "stored results are up to date" in fresh.stdout, fresh.stderr
    assert steelyard(tmp_path, "report", "run", site=None).returncode == 0
    uninstalled = steelyard(tmp_path, "why", "run", site=None)
    assert uninstalled.returncode == 2
    assert uninstalled.stderr.count("\n") == 1
    assert "'weighted_share'" in uninstalled.stderr
    assert "install the package that provides it" in uninstalled.stderr
