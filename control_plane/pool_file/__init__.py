"""The pool file: how operators write down what the pool consists of.

One description travels three ways: as YAML that people keep in their own repository (`parse`,
`to_yaml`), as JSON over the HTTP API (`from_json`, `to_json`), and as the difference between what
stands and what is wanted (`compare`). All of it is pure: text in, values out.
"""

from control_plane.pool_file.description import HostDescription, PoolDescription
from control_plane.pool_file.difference import Change, ChangeKind, compare
from control_plane.pool_file.reading import from_json, parse
from control_plane.pool_file.writing import to_json, to_yaml

__all__ = [
    "Change",
    "ChangeKind",
    "HostDescription",
    "PoolDescription",
    "compare",
    "from_json",
    "parse",
    "to_json",
    "to_yaml",
]
