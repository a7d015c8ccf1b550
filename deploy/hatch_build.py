"""Build hook: one name reaches site-packages, with the application's folders under `openruntime/_app`."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDERS = ("web", "workers", "broker", "shared")
SHIPPED = (
    "Procfile",
    "deploy/supervisor",
    "deploy/systemd",
    "deploy/docker",
)  # read by `up` and `deploy print`


class AppFolders(BuildHookInterface[Any]):
    """Adds the folders to standard wheels only: an editable install reads them in the checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "standard":
            build_data["force_include"] |= {name: f"openruntime/_app/{name}" for name in (*FOLDERS, *SHIPPED)}
