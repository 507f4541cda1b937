"""The package's version: the one place, read by the build as well."""

VERSION = "0.1.0"
