"""Without torch nothing in here can be collected: `make test-export` installs and runs it."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = ["test_*.py"] if find_spec("torch") is None else []
