# Prints what configparser finds in each source (base64, one a line on standard
# input) with each of its interpolations: "interpolation section key value"
# lines, the last three in base64 after a colon, then one with a dot. A file that
# it refuses has no lines, nor has a value that an interpolation refuses.
import base64, configparser, io, sys


def word(text):
    return ":" + base64.b64encode(text.encode("utf-8", "surrogateescape")).decode()


def show(name, parser, raw):
    for section in parser.sections():
        for key in parser.options(section):
            try:
                value = parser.get(section, key, raw=raw)
            except (configparser.Error, ValueError):
                continue
            out.append(" ".join((name, word(section), word(key), word(value))))


for line in sys.stdin:
    text = base64.b64decode(line).decode("utf-8-sig", "surrogateescape")
    out = []
    # Only where there is a $ the two differ.
    kinds = [("basic", configparser.BasicInterpolation())]
    if "$" in text:
        kinds.append(("extended", configparser.ExtendedInterpolation()))
    for name, interpolation in kinds:
        parser = configparser.ConfigParser(default_section=None, interpolation=interpolation)
        parser.optionxform = str
        try:
            parser.read_file(io.StringIO(text, newline=None))
        except (configparser.Error, AttributeError):
            continue
        if name == "basic":
            show("raw", parser, True)
        show(name, parser, False)
    print(*out, ".", sep="\n")
