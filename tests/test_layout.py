"""The project's files agree with each other, and light imports stay light."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
HEAVY = (
    *("torch", "transformers", "peft", "sklearn", "scipy", "optuna", "matplotlib", "pyarrow"),
    "docker",
)


def pins() -> dict[str, str]:
    """Name, normalised, to its version in the constraints."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {normalised(name): version for name, version in pairs}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_dependency_is_pinned_without_a_local_tag() -> None:
    project = PROJECT["project"]
    extras = project["optional-dependencies"].values()
    wanted = project["dependencies"] + [one for extra in extras for one in extra]
    names = {normalised(re.split(r"[\[<>=!~; ]", one)[0]) for one in wanted}
    assert names - {"llmtune"} <= set(pins())
    assert not [version for version in pins().values() if "+" in version]


def test_make_installs_the_pinned_torch() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert f"TORCH := torch=={pins()['torch']}" in makefile


def test_every_module_has_its_layer() -> None:
    contract = PROJECT["tool"]["importlinter"]["contracts"][0]
    layered = set(re.findall(r"[\w.]+", " ".join(contract["layers"])))
    package = ROOT / "llmtune"
    modules = {f"llmtune.{path.stem}" for path in package.glob("[!_]*.py")}
    modules |= {f"llmtune.{path.parent.name}" for path in package.glob("*/__init__.py")}
    assert modules <= layered


@pytest.mark.parametrize(
    "module", ["llmtune.cli.app", "llmtune.report.page", "optimizers.registry"]
)
def test_importing_it_does_not_load_the_heavy_libraries(module: str) -> None:
    code = f"import sys, {module}; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_the_readme_has_a_line_for_every_module() -> None:
    readme = (ROOT / "README.md").read_text()
    folders = ("llmtune", "datagen", "workloads", "optimizers", "benchmarks")
    names = {path.name for folder in folders for path in (ROOT / folder).rglob("*.py")}
    assert {name for name in names if f"{name}`" not in readme} == set()
