"""The URLs of the site's assets with their versions, for Jinja and Python 3.

Written by "revstamp helper jinja"; write it again instead of changing it.

    import revstamp_assets
    revstamp_assets.install(environment)

    <link rel="stylesheet" href="{{ asset('css/site.css') }}">

The manifest is read again when it is another file than before, which costs a
stat for each call. The functions may be called by several threads.
"""

import json
import os
import re

_FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), @MANIFEST@)
_now = None  # the signature of the file, and what it holds


def _data():
    global _now
    before = _now
    try:
        stat = os.stat(_FILE)
        signature = (stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if before is None or before[0] != signature:
            with open(_FILE, encoding="utf-8") as file:
                data = json.load(file)
            if data["format"] != 1 or "url" not in data or "assets" not in data:
                raise ValueError("%s is no manifest that this helper knows" % _FILE)
            before = _now = (signature, data)
    except (OSError, ValueError, KeyError, TypeError):
        if before is None:
            raise
        # A page is not lost because a file is, for a moment.
    return before[1]


def _cut(path):
    path = path.lstrip("/")
    end = re.search(r"[?#]|\Z", path).start()
    return path[:end], path[end:]


def asset(path):
    """The URL of an asset. Jinja escapes it for HTML where that is on."""
    data = _data()
    name, rest = _cut(path)
    known = data["assets"].get(name)
    if known is None:
        return data["url"] + name + rest
    if rest.startswith("?") and "?" in known["url"]:
        rest = "&" + rest[1:]
    return known["url"] + rest


def integrity(path):
    """What the attribute integrity is to be for an asset; empty when it is not known."""
    return _data()["assets"].get(_cut(path)[0], {}).get("integrity", "")


def revision():
    """The site's revision."""
    return _data().get("revision", "")


def install(environment):
    """Gives the templates of an environment the functions."""
    environment.globals.update(asset=asset, integrity=integrity, revision=revision)
