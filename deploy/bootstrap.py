"""Makes `.venv` hold the locked dependencies: `python3 deploy/bootstrap.py run|test|lint` (standard library only).

Uses uv where it is on PATH, else venv and pip. Does nothing when the last set-up still fits, so every Make target
may call it. Must start on any Python 3, because it is what refuses the old ones.
"""

import configparser
import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
STAMP = os.path.join(VENV, ".ready")
SETS = ("run", "test", "lint")  # each holds the one before
OLDEST = (3, 11)
INTERPRETER = getattr(sys, "_base_executable", sys.executable)  # not that of an active virtual environment
SYSTEM = {"bwrap": "bubblewrap", "chromium": "chromium", "redis-server": "redis-server"}
POLICY_RC = "/usr/sbin/policy-rc.d"
# A person's pip options that would send the packages elsewhere than into .venv.
MISLEADING = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV", "PYTHONPATH", "PYTHONHOME")
PIP_TO_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
}


def say(text):
    print("bootstrap: " + text, file=sys.stderr, flush=True)


def stop(text):
    say(text)
    sys.exit(1)


def run(argv, **more):
    """Run to the end, raise CalledProcessError on failure; the child cannot wait for a keyboard."""
    subprocess.run(argv, check=True, cwd=ROOT, stdin=subprocess.DEVNULL, **more)


def environment():
    env = {name: value for name, value in os.environ.items() if name not in MISLEADING}
    return dict(env, PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1", VIRTUAL_ENV=VENV)


def uv_environment():
    """uv does not read pip's configuration; a machine whose index or certificate is set there must still work."""
    env, parser = environment(), configparser.RawConfigParser(strict=False)
    files = ("/etc/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf", env.get("PIP_CONFIG_FILE", ""))
    parser.read([os.path.expanduser(name) for name in files])
    for option, variable in PIP_TO_UV.items():
        named = env.get("PIP_" + option.upper().replace("-", "_"))
        value = named or parser.get("global", option, fallback="")
        if value and variable not in env:
            env[variable] = " ".join(value.split())
    return env


def place():
    """A virtual environment fits one interpreter and one folder; elsewhere its scripts are broken."""
    return [*sys.version_info[:3], sys.base_prefix, ROOT]


def fingerprint(level):
    """Hash of the files that decide what `.venv` holds."""
    digest = hashlib.sha256()
    for name in (os.path.join("deploy", "lock", level + ".txt"), "pyproject.toml"):
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def read_stamp():
    """What the last set-up wrote: place, set and fingerprint; empty where there was none."""
    try:
        with open(STAMP) as file:
            stamp = json.load(file)
        return stamp if isinstance(stamp, dict) else {}
    except (OSError, ValueError):
        return {}


def level_needed(wanted):
    """The set to install, never less than there already is; None when it is there."""
    stamp = read_stamp()
    level = SETS[max(SETS.index(name) for name in (wanted, stamp.get("set")) if name in SETS)]
    ready = {"place": place(), "set": level, "fingerprint": fingerprint(level)}
    return None if stamp == ready and os.access(PYTHON, os.X_OK) else level


def apt_install(packages):
    """As root on Debian or Ubuntu: one by one (an unknown name must not stop the rest), starting no service."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    apt = ["apt-get", "-qq", "-y", "-o", "DPkg::Lock::Timeout=120", "--no-install-recommends"]
    guard = not os.path.exists(POLICY_RC)
    if guard:
        with open(POLICY_RC, "w") as file:
            file.write("#!/bin/sh\nexit 101\n")
        os.chmod(POLICY_RC, 0o755)
    try:
        for command in (["update"], *(["install", package] for package in packages)):
            say("apt-get " + " ".join(command))
            if subprocess.call([*apt, *command], env=env, stdin=-3, stdout=-3):
                say("that failed")
    finally:
        if guard:
            os.unlink(POLICY_RC)


def system_packages():
    """What the tests drive beyond Python; without it they are skipped, or fail where CI is set."""

    def missing():
        return [package for program, package in SYSTEM.items() if shutil.which(program) is None]

    if missing():
        apt_install(missing())
    if missing():
        say("some tests cannot run without: sudo apt-get install " + " ".join(missing()))


def require_ensurepip():
    """Debian and Ubuntu keep it in a package of its own."""
    package = "python{}.{}-venv".format(*sys.version_info)
    if importlib.util.find_spec("ensurepip") is None:
        apt_install([package])
        importlib.invalidate_caches()
    if importlib.util.find_spec("ensurepip") is None:
        stop("this Python cannot make virtual environments; type: sudo apt-get install " + package)


def install_with_uv(lock):
    env, uv = uv_environment(), [shutil.which("uv"), "-q"]
    run([*uv, "venv", "--allow-existing", "--python", INTERPRETER, VENV], env=env)
    run([*uv, "pip", "install", "--require-hashes", "-r", lock], env=env)
    run([*uv, "pip", "install", "--no-deps", "--no-build-isolation", "-e", "."], env=env)


def install_with_pip(lock):
    env, pip = environment(), [PYTHON, "-m", "pip", "-q"]
    if not os.access(PYTHON, os.X_OK) or subprocess.call([*pip, "--version"], stdout=-3, stderr=-3):
        require_ensurepip()
        run([INTERPRETER, "-m", "venv", "--clear", VENV], env=env)
    run([*pip, "install", "--require-hashes", "-r", lock], env=env)
    run([*pip, "install", "--no-deps", "--no-build-isolation", "-e", "."], env=env)


def install(level):
    """Raise nothing: either `.venv` holds the set and the stamp says so, or one sentence and exit 1."""
    stamp = read_stamp()
    if stamp and stamp.get("place") != place():
        shutil.rmtree(VENV)
    elif stamp:
        os.unlink(STAMP)  # until the new one is written, an interruption means: do it again
    installers = (install_with_uv, install_with_pip) if shutil.which("uv") else (install_with_pip,)
    for installer in installers:
        say(f"{installer.__name__.replace('_', ' ')}: the {level} set, into .venv")
        try:
            installer(os.path.join("deploy", "lock", level + ".txt"))
            break
        except subprocess.CalledProcessError as error:
            say(f"that failed (exit {error.returncode}): {' '.join(error.cmd[:4])}")
    else:
        stop("the packages could not be installed; is the index reachable (pip's settings are honoured)?")
    with open(STAMP, "w") as file:
        json.dump({"place": place(), "set": level, "fingerprint": fingerprint(level)}, file)


def main(wanted):
    if sys.version_info < OLDEST:
        have = "{}.{}".format(*sys.version_info)
        stop(f"openRuntime needs Python 3.11 or newer, this is {have}; try: make PYTHON=python3.12 run")
    if level_needed(wanted):
        os.makedirs(os.path.join(ROOT, ".cache"), exist_ok=True)
        with open(os.path.join(ROOT, ".cache", "bootstrap.lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            level = level_needed(wanted)
            if level:  # else another process did it while we waited
                install(level)
    if wanted == "test":
        system_packages()


if __name__ == "__main__":
    if sys.argv[1:] not in [[name] for name in SETS]:
        stop("say one of: " + ", ".join(SETS))
    main(sys.argv[1])
