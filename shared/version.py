"""The program's version, said once: the package takes it from here."""

VERSION = "0.1.0"
