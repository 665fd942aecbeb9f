"""Builds the package `opitios` from protos/: `python hatch_build.py`, and the wheel's build hook.

The package goes to build/stubs, whole or not at all, with the protos'
fingerprint in it, so that a stale or half-built one cannot be used.
`python hatch_build.py breaking` compares the protos with those of the last commit.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
STUBS = ROOT / "build" / "stubs"


def build_stubs(root: Path = ROOT, target: Path = STUBS) -> bool:
    """Return whether anything had to be built; the package stands at `target`/opitios afterwards."""
    sys.path.insert(0, str(root))
    from runtime.stubs import fingerprint  # the checkout's own, so that builder and checker cannot differ

    wanted = fingerprint(root / "protos")
    marker = target / "opitios" / "__init__.py"
    if marker.is_file() and wanted in marker.read_text():
        return False
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        _generate(root / "protos", Path(scratch))
        _finish(Path(scratch) / "opitios", wanted)
        shutil.rmtree(target / "opitios", ignore_errors=True)
        (Path(scratch) / "opitios").rename(target / "opitios")
    return True


def _generate(protos: Path, out: Path) -> None:
    (out / "opitios").mkdir()
    _protoc(
        protos,
        f"--python_out={out}",
        f"--grpc_python_out={out}",
        f"--mypy_out=quiet:{out}",
        f"--mypy_grpc_out=quiet:{out}",
        *_image_options(out / "opitios" / "descriptors.binpb"),
    )


def _image_options(image: Path) -> list[str]:
    return [f"--descriptor_set_out={image}", "--include_imports", "--include_source_info"]


def _protoc(protos: Path, *options: str) -> None:
    import google.api.annotations_pb2 as bundled  # google/api/*.proto lie beside the modules in this wheel
    import grpc_tools

    includes = [protos, Path(grpc_tools.__file__).parent / "_proto", Path(bundled.__file__).parents[2]]
    command = [sys.executable, "-m", "grpc_tools.protoc", *(f"-I{path}" for path in includes), *options]
    command += [str(path) for path in sorted(protos.rglob("*.proto"))]
    # protoc finds protoc-gen-mypy on the PATH; the environment's own folder need not be on it.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    subprocess.run(command, check=True, env={**os.environ, "PATH": path})  # noqa: S603 - our own compiler on our own files


def check_breaking(root: Path = ROOT) -> int:
    """Return 0 when the protos can still serve callers built on the last commit's, else buf's status."""
    with tempfile.TemporaryDirectory() as scratch:
        earlier = Path(scratch)
        archive = subprocess.run(
            ["git", "archive", "HEAD", "protos"],  # noqa: S607 - git is wherever the developer has it
            cwd=root,
            check=False,
            capture_output=True,
        )
        if archive.returncode:
            print("no earlier protos to compare with")  # noqa: T201 - its one answer
            return 0
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as bundle:
            bundle.extractall(earlier, filter="data")
        _protoc(earlier / "protos", *_image_options(earlier / "earlier.binpb"))
        image = STUBS / "opitios" / "descriptors.binpb"
        command = [str(Path(sys.executable).parent / "buf"), "breaking", str(image)]
        command += [
            "--against",
            str(earlier / "earlier.binpb"),
            "--config",
            str(root / "protos" / "buf.yaml"),
        ]
        return subprocess.run(command, check=False).returncode  # noqa: S603 - fixed arguments


def _finish(package: Path, wanted: str) -> None:
    for folder in [package, *(path for path in package.rglob("*") if path.is_dir())]:
        (folder / "__init__.py").write_text('"""Generated from protos/; do not edit."""\n')
        (folder / "py.typed").touch()
    (package / "__init__.py").write_text(
        f'"""Generated from protos/; do not edit."""\n\nFINGERPRINT = "{wanted}"\n'
    )


class StubsHook(BuildHookInterface):  # type: ignore[type-arg]  # hatchling's parameter is its own config class
    """Puts freshly built stubs into a wheel; an editable install finds them at build/stubs."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the stubs and, for a real wheel, add them to its files."""
        build_stubs(Path(self.root), Path(self.root) / "build" / "stubs")
        if version != "editable":
            build_data["force_include"][str(Path(self.root) / "build" / "stubs" / "opitios")] = "opitios"


if __name__ == "__main__":
    if sys.argv[1:] == ["breaking"]:
        sys.exit(check_breaking())
    print("stubs built" if build_stubs() else "stubs are up to date")  # noqa: T201 - its one answer
