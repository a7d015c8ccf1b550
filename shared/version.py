"""The program's version, as every process reports it."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("openruntime")
except PackageNotFoundError:
    VERSION = "0+unknown"
