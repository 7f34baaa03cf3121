"""Tells what has a key in YAML files, as PyYAML (YAML 1.1) or ruamel.yaml (1.2)
reads them, with keys in revstamp's spelling.

Each line of the input is a file and, after a tab, a key or nothing. For each a
line of JSON is printed: of the one scalar with this key its value and tag; or
of everything that has a key, in order, the key, and of a scalar its value, the
line and the column where it begins (null when that is an anchor or a tag), and
those where it ends; or null when the file cannot be read."""
import json
import re
import sys

import yaml


class PyYAML:
    scalar = yaml.ScalarNode
    errors = (yaml.YAMLError,)
    resolve = yaml.SafeLoader("").resolve

    def parse(self, text):
        return yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


class Ruamel:
    def __init__(self):
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError
        from ruamel.yaml.nodes import ScalarNode

        self.scalar = ScalarNode
        self.errors = (YAMLError,)
        self.yaml = YAML(typ="safe", pure=True)
        self.resolve = self.yaml.resolver.resolve

    def parse(self, text):
        return self.yaml.parse(text)


ODD = re.compile(r'[.\[\]"\\:]')


def member(key, name):
    if name == "" or ODD.search(name):
        name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return key + "." + name if key else name


class Walk:
    def __init__(self, events):
        self.events = events
        self.found = []
        document = -1
        for event in events:
            kind = type(event).__name__
            if kind == "DocumentStartEvent":
                document += 1
                self.prefix = "doc[%d]:" % document if document else ""
                self.node(next(events), "")

    def node(self, event, key):
        """key is None below a key that is no scalar."""
        kind = type(event).__name__
        if key is not None:
            self.found.append((self.prefix + key, event if kind == "ScalarEvent" else None))
        if kind == "MappingStartEvent":
            for name in self.until("MappingEndEvent"):
                if type(name).__name__ == "ScalarEvent" and key is not None:
                    self.node(next(self.events), member(key, name.value))
                else:
                    self.node(name, None)
                    self.node(next(self.events), None)
        elif kind == "SequenceStartEvent":
            for i, item in enumerate(self.until("SequenceEndEvent")):
                self.node(item, None if key is None else "%s[%d]" % (key, i))

    def until(self, end):
        while type(event := next(self.events)).__name__ != end:
            yield event


def entry(key, event):
    if event is None:
        return [key]
    start = event.start_mark
    bare = event.anchor is None and event.tag is None
    return [key, event.value, start.line if bare else None, start.column if bare else None, event.end_mark.line, event.end_mark.column]


reader = Ruamel() if sys.argv[1] == "ruamel" else PyYAML()
for line in sys.stdin:
    name, _, key = line.rstrip("\n").partition("\t")
    with open(name, encoding="utf-8", newline="") as f:
        text = f.read()
    try:
        found = Walk(iter(reader.parse(text))).found
    except reader.errors:
        found = None
    if found is None:
        print("null")
    elif key == "":
        print(json.dumps([entry(k, event) for k, event in found]))
    else:
        events = [event for k, event in found if k == key]
        event = events[0] if len(events) == 1 else None
        tag = event and (event.tag or reader.resolve(reader.scalar, event.value, event.implicit))
        print(json.dumps(event and [event.value, str(tag)]))
