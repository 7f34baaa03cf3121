"""Tells what expat finds in documents: one JSON object a line for each.

A line of standard input is a document in base64. The answer is its error, or
all that has a key, in the order of the file: the key, as stamp spells it, and
the text, which is null for an element that holds others or anything but text.
Entities of the document are no text, as stamp reads no others.
"""
import base64
import functools
import json
import sys
from xml.parsers import expat


class Element:
    def __init__(self, name, parent):
        self.name, self.parent = name, parent
        self.counts, self.nth = {}, 0
        self.text, self.whole = "", True
        if parent:
            parent.whole = False
            self.nth = parent.counts[name] = parent.counts.get(name, 0) + 1

    @functools.cache
    def path(self):
        if not self.parent:
            return "/" + self.name
        number = "[%d]" % self.nth if self.parent.counts[self.name] > 1 else ""
        return self.parent.path() + "/" + self.name + number


def read(document):
    found, opened = [], []

    def start(name, attributes):
        element = Element(name, opened[-1] if opened else None)
        opened.append(element)
        for i in range(0, len(attributes), 2):
            found.append((element, attributes[i], attributes[i + 1]))
        found.append((element, None, None))

    def text(data):
        opened[-1].text += data

    def other(*_):
        if opened:
            opened[-1].whole = False

    def default(data):  # with it expat leaves entities unexpanded
        if data.startswith("&"):
            other()

    parser = expat.ParserCreate()
    parser.ordered_attributes = parser.specified_attributes = True
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda name: opened.pop()
    parser.CharacterDataHandler = text
    parser.CommentHandler = parser.ProcessingInstructionHandler = other
    parser.SkippedEntityHandler = other
    parser.DefaultHandler = default
    parser.Parse(document, True)
    keys = []
    for element, attribute, value in found:
        if attribute is not None:
            keys.append((element.path() + "/@" + attribute, value))
        else:
            keys.append((element.path(), element.text if element.whole else None))
    return keys


for line in sys.stdin:
    try:
        answer = {"keys": read(base64.b64decode(line))}
    except (expat.ExpatError, LookupError, ValueError) as error:
        answer = {"error": str(error) or type(error).__name__}
    print(json.dumps(answer))
