"""What of a person's HOME an agent's tools need to be found and run, and what of that is a secret."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

FOLDERS = (
    ".local/bin .local/lib .local/pipx .local/share/pipx .local/share/uv .local/share/mise .local/share/fnm "
    ".local/share/pnpm .local/share/claude .local/share/virtualenvs .local/share/gem .local/share/nvim "
    ".pyenv .rye .nvm .volta .fnm .nodenv .npm-global .bun .deno .yarn .pnpm .cargo .rustup .rbenv .rvm .gem/ruby "
    ".goenv .go go/bin go/pkg .sdkman .jenv .jabba .asdf .mise .nix-profile .local/state/nix .opam .ghcup .cabal/bin "
    ".stack .juliaup .julia .dotnet .swiftly .elan .foundry .wasmtime .wasmer miniconda3 miniforge3 anaconda3 mambaforge "
    ".pixi .micromamba .m2/wrapper .gradle/wrapper .gradle/jdks"
).split()
FILES = (
    ".profile .bash_profile .bash_login .bashrc .bash_aliases .zshenv .zprofile .zshrc .zlogin .inputrc .tool-versions"
).split()
#: Below the folders above; an agent sees them empty.
SECRETS = ".cargo/credentials .cargo/credentials.toml .gem/credentials .nvm/.npmrc".split()


def below(home: Path, path: str) -> list[Path]:
    """The folders and files of `home` that tools need: known ones, and folders on PATH."""
    known = [home / name for name in (*FOLDERS, *FILES)]
    searched = [Path(folder) for folder in path.split(":") if folder.startswith(f"{home}/")]
    return [found for found in dict.fromkeys((*known, *searched)) if found.exists() and found != home]


def secrets(home: Path) -> Iterable[Path]:
    """Files with credentials inside what `below` shows."""
    return (home / name for name in SECRETS)
