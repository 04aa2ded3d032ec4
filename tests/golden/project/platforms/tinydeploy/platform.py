"""PlatformIO's view of the platform: it needs nothing but SCons, and finds that without PlatformIO's registry.

PlatformIO runs its builds with its own package ``platformio/tool-scons``, normally a download. The same SCons comes from
PyPI as the package ``SCons``; where this Python has it, a small package that calls it is put into the project's package
folder (``packages_dir`` in platformio.ini, below ``.pio``), where it concerns no other project. It stands there as a link,
because PlatformIO neither updates nor removes what it has linked. Where this Python has no SCons, PlatformIO downloads
its package as for any other project.
"""

import importlib.util
import json
import os

from platformio.dependencies import get_core_dependencies
from platformio.package.manager.tool import ToolPackageManager
from platformio.platform.base import PlatformBase

SCONS_MAIN = """\
import sys

import SCons.Script

sys.exit(SCons.Script.main())
"""


class TinydeployPlatform(PlatformBase):
    """The platform of the generated project that it lies in."""

    def configure_project_packages(self, *args, **kwargs):
        """Called before PlatformIO looks for SCons."""
        self._provide_scons()
        return super().configure_project_packages(*args, **kwargs)

    def _provide_scons(self):
        requirement = get_core_dependencies()["tool-scons"]
        wanted = f"platformio/tool-scons@{requirement}"
        if self.pm.get_package(wanted):
            return
        genuine = ToolPackageManager(self._users_packages()).get_package(wanted)
        folder = genuine.path if genuine else self._scons_of_this_python(requirement.lstrip("~^"))
        if folder:
            self._link("tool-scons", folder)
            self.pm.memcache_reset()

    def _users_packages(self):
        """Where PlatformIO keeps the packages of all projects."""
        return os.path.join(self.config.get("platformio", "core_dir"), "packages")

    def _scons_of_this_python(self, version):
        """A package of PlatformIO's form around the SCons that Python imports, or None where there is none."""
        if importlib.util.find_spec("SCons") is None:
            return None
        folder = os.path.join(os.path.dirname(self.pm.package_dir), "scons-of-this-python")
        os.makedirs(folder, exist_ok=True)
        _write(os.path.join(folder, "package.json"), json.dumps({"name": "tool-scons", "version": version}))
        _write(os.path.join(folder, "scons.py"), SCONS_MAIN)
        return folder

    def _link(self, name, folder):
        spec = {"owner": "platformio", "id": None, "name": name, "requirements": None, "uri": f"symlink://{folder}"}
        os.makedirs(self.pm.package_dir, exist_ok=True)
        link = os.path.join(self.pm.package_dir, f"{name}.pio-link")
        _write(link, json.dumps({"cwd": folder, "spec": spec}))


def _write(path, text):
    """Whole or not at all: two builds may do this at the same time."""
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.replace(temporary, path)
