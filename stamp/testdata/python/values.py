# Prints what Python reads. Each line on standard input is a JSON object: the
# "format", the source as "text" (base64), and "steps", the way to one value.
# Each line on standard output is one of the answers: [type, text] of the value
# there, or, without steps, a list of [steps, type, text] of every value (of JSON
# in the order of the file); or null for a source that is not of its format. A
# float is written as its bits.
import base64, datetime, json, struct, sys, tomllib


class Object(list):
    """The members of a JSON object, duplicates too."""


def member(value, step):
    if isinstance(value, Object):
        return [v for k, v in value if k == step][-1]
    return value[step]


def read_json(text):
    def no_constant(name):
        raise ValueError(name)
    return json.loads(text.decode("utf-8-sig"), object_pairs_hook=Object, parse_constant=no_constant,
                      parse_int=lambda s: ("number", s), parse_float=lambda s: ("number", s))


def read_toml(text):
    return tomllib.loads(text.decode("utf-8-sig"))


READERS = {"json": read_json, "toml": read_toml}


def describe(value):
    match value:
        case ("number", text):
            return "number", text
        case bool():
            return "bool", str(value).lower()
        case None:
            return "null", "null"
        case str():
            return "string", value
        case int():
            return "int", str(value)
        case float():
            return "float", "nan" if value != value else struct.pack(">d", value).hex()
        case datetime.datetime():
            return ("datetime" if value.tzinfo else "local-datetime"), value.isoformat(timespec="microseconds")
        case datetime.date():
            return "date", value.isoformat()
        case datetime.time():
            return "time", value.isoformat(timespec="microseconds")
    return "other", ""


def walk(steps, value, out):
    if isinstance(value, Object):
        out.append([steps, "an object", ""])
        members = value
    elif isinstance(value, dict):
        out.append([steps, "a table", ""])
        members = value.items()
    elif isinstance(value, list):
        out.append([steps, "an array", ""])
        members = enumerate(value)
    else:
        out.append([steps, *describe(value)])
        return
    for step, v in members:
        walk(steps + [step], v, out)


for line in sys.stdin:
    job = json.loads(line)
    try:
        value = READERS[job["format"]](base64.b64decode(job["text"]))
    except (ValueError, RecursionError):
        print("null")
        continue
    if job.get("steps") is None:
        answer = []
        walk([], value, answer)
    else:
        for step in job["steps"]:
            value = member(value, step)
        answer = describe(value)
    print(json.dumps(answer))
