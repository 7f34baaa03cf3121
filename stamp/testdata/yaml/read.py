"""Reads YAML files as PyYAML (YAML 1.1) or ruamel.yaml (1.2) does, and prints
each as a line of JSON. What is no string, number, bool, null, list or mapping is
printed as the name of its type in a list."""
import json
import sys

if sys.argv[1] == "ruamel":
    from ruamel.yaml import YAML

    def load(text):
        return YAML(typ="safe", pure=True).load(text)
else:
    import yaml

    def load(text):
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))

for name in sys.argv[2:]:
    with open(name, encoding="utf-8", newline="") as f:
        print(json.dumps(load(f.read()), default=lambda v: [type(v).__name__]))
