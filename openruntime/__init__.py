"""openRuntime: the installed name.

The application's folders (web, workers, broker, shared) stand beside this one in a checkout and under `_app`
in a wheel; either way their parent goes first on the path, so a user's own `web/` or `shared/` cannot shadow them.
"""

import sys
from pathlib import Path

_here = Path(__file__).resolve().parent
APP = _here / "_app" if (_here / "_app").is_dir() else _here.parent
if sys.path[:1] != [str(APP)]:
    sys.path.insert(0, str(APP))

from shared.version import VERSION as __version__  # noqa: E402 — found only once the path is set

__all__ = ["APP", "__version__"]
