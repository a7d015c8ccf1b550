"""The system's own folders that every agent sees, and the secrets in them that none does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

FOLDERS = (
    "/usr /bin /sbin /lib /lib32 /lib64 /libx32 /etc /opt /nix /gnu /snap /var/lib/dpkg /var/lib/ca-certificates "
    "/var/lib/alternatives /var/cache/fontconfig /var/lib/snapd"
).split()
#: Below /etc; readable where the worker is root, and never an agent's business.
SECRETS = (
    "shadow shadow- gshadow gshadow- security/opasswd sudoers sudoers.d ssh ssl/private krb5.keytab wireguard openvpn "
    "ppp NetworkManager/system-connections wpa_supplicant docker/key.json kubernetes rancher letsencrypt"
).split()


def folders() -> Iterator[Path]:
    """Those that exist; some are links to others."""
    return (path for path in map(Path, FOLDERS) if path.exists())


def secrets() -> Iterator[Path]:
    return (Path("/etc", name) for name in SECRETS)


def resolver() -> Path | None:
    """The settings of name resolution, where they are kept below /run."""
    real = Path(os.path.realpath("/etc/resolv.conf"))
    return real if real.is_relative_to("/run") and real.exists() else None
