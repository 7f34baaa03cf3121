"""Prints, for each source (base64, one a line on standard input), what its keys
are by Python's own parser, and where its tokens are by Python's tokenizer: a line
of JSON, or null for what Python does not read."""
import ast
import base64
import bisect
import io
import json
import sys
import token
import tokenize
import warnings

warnings.simplefilter('ignore')
KINDS = {token.NAME: 'name', token.NUMBER: 'number', token.STRING: 'string'}
NONE = {token.NEWLINE, token.INDENT, token.DEDENT, token.ENDMARKER, tokenize.NL, tokenize.COMMENT}
AUGMENTED = {
    ast.Add: '+=', ast.Sub: '-=', ast.Mult: '*=', ast.Div: '/=', ast.FloorDiv: '//=', ast.Mod: '%=', ast.MatMult: '@=',
    ast.BitAnd: '&=', ast.BitOr: '|=', ast.BitXor: '^=', ast.RShift: '>>=', ast.LShift: '<<=', ast.Pow: '**=',
}


class Source:
    def __init__(self, raw):
        self.raw = raw
        self.encoding, _ = tokenize.detect_encoding(io.BytesIO(raw.replace(b'\r', b'\n')).readline)
        bom = 3 if raw.startswith(b'\xef\xbb\xbf') else 0
        if bom:
            self.encoding = 'utf-8'
        self.starts = [bom]  # of the lines, in bytes
        at = bom
        while at < len(raw):
            if raw[at] == 10 or raw[at] == 13:
                at += raw[at:at + 2] == b'\r\n'
                self.starts.append(at + 1)
            at += 1
        self.lines = [raw[a:b].decode(self.encoding) for a, b in zip(self.starts, self.starts[1:] + [len(raw)])]
        self.tree = ast.parse(raw)
        self.strings = []  # where the tokens of strings begin
        self.found = []

    def offset(self, line, column):
        """line from 1, column in characters"""
        return self.starts[line - 1] + len(self.lines[line - 1][:column].encode(self.encoding))

    def offset8(self, line, column):
        """column in bytes of UTF-8, as ast has it"""
        return self.offset(line, len(self.lines[line - 1].encode()[:column].decode()))

    def tokens(self):
        for kind, start, end in c_tokens(self):
            if kind in ('string', 'interpolated'):
                self.strings.append(start)
            yield f'{kind} {start} {end}'

    def span(self, node):
        return self.offset8(node.lineno, node.col_offset), self.offset8(node.end_lineno, node.end_col_offset)

    def add(self, key, start, end, kind='', text='', refused=''):
        if refused:
            end = start
        self.found.append([start, end, key, kind, base64.b64encode(text.encode('utf-8', 'surrogatepass') if isinstance(text, str) else text).decode(), refused])

    def value(self, key, node):
        start, end = self.span(node)
        many = bisect.bisect_left(self.strings, end) - bisect.bisect_left(self.strings, start) > 1
        raw = self.raw[start:end].decode(self.encoding)
        match node:
            case ast.Constant(value=str() | bytes() as v) if not many:
                if raw[0] in 'uU':
                    start += 1
                lines = len(raw.splitlines()) > 1 and ('\n' in raw or '\r' in raw)
                prefix = raw[:min(raw.find(q) % 9 for q in '\'"')].lower()
                refused = ''
                if lines:
                    refused = 'a block of text'
                elif not raw.isascii() and self.encoding not in ('utf-8', 'utf-8-sig', 'iso-8859-1'):
                    refused = 'in an encoding that is not decoded here'
                elif isinstance(v, str) and 'r' not in prefix and '\\N' in raw.replace('\\\\', ''):
                    refused = 'written with a \\N{name}'
                self.add(key, start, end, 'string' if isinstance(v, str) else 'bytes', v, refused)
            case ast.Constant(value=str() | bytes()) | ast.JoinedStr():
                self.add(key, start, end, refused='several literals' if many else 'interpolated')
            case ast.Constant(value=True | False as v):
                self.add(key, start, end, 'bool', str(v).lower())
            case ast.Constant(value=None):
                self.add(key, start, end, 'null', 'null')
            case ast.Constant(value=int()) | ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int())) if raw.lstrip('-')[:1].isdigit() and not raw.endswith(('True', 'False')):
                self.add(key, start, end, 'int', raw)
            case ast.Constant(value=float()) | ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=float())) if raw.lstrip('-')[:1] in '.0123456789' and ' ' not in raw and '(' not in raw:
                self.add(key, start, end, 'float', raw)
            case ast.Constant(value=complex()) | ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=complex())) if ' ' not in raw and '(' not in raw:
                self.add(key, start, end, refused='a complex number')
            case ast.List(elts=elements):
                self.add(key, start, end, refused='a list')
                self.elements(key, elements)
            case ast.Tuple(elts=elements):
                self.add(key, start, end, refused='a tuple')
                self.elements(key, elements)
            case ast.Dict(keys=keys, values=values):
                self.add(key, start, end, refused='a dict')
                for k, v in zip(keys, values):
                    k = k and self.subscript(k)
                    if k:
                        self.value(key + k, v)
            case ast.Set():
                self.add(key, start, end, refused='a set')
            case _:
                self.add(key, start, end, refused='an expression')

    def elements(self, key, elements):
        for n, element in enumerate(elements):
            if isinstance(element, ast.Starred):
                return
            self.value(f'{key}[{n}]', element)

    def subscript(self, node):
        start, end = self.span(node)
        raw = self.raw[start:end].decode(self.encoding)
        match node:
            case ast.Constant(value=str(v)):
                many = bisect.bisect_left(self.strings, end) - bisect.bisect_left(self.strings, start) > 1
                if many or '\\N' in raw or '\n' in raw or '\r' in raw:
                    return None
                try:
                    v.encode()
                except UnicodeEncodeError:
                    return None
                v = v.replace('\\', '\\\\').replace("'", "\\'").replace('\n', '\\n')
                return "['" + ''.join(f'\\x{ord(c):02x}' if c < ' ' or c == '\x7f' else c for c in v) + "']"
            case ast.Constant(value=bool()):
                return None
            case ast.Constant(value=int(v)) | ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(v))):
                if raw in (str(v), f'-{v}') and v < 10 ** 18:
                    return f'[{raw}]' if raw != '-0' else None
        return None

    def target(self, scope, node):
        match node:
            case ast.Name():
                return scope + self.name(node)
            case ast.Attribute(value=value, attr=attr):
                base = self.target(scope, value)
                return base and base + '.' + attr
            case ast.Subscript(value=value, slice=s):
                base, k = self.target(scope, value), self.subscript(s)
                return base and k and base + k
        return None

    def name(self, node):
        start, end = self.span(node)
        return self.raw[start:end].decode(self.encoding)  # node.id is normalized

    def several(self, scope, node, at, why):
        key = self.target(scope, node)
        if key:
            self.add(key, at, at, refused=why)
        elif isinstance(node, ast.Starred):
            self.several(scope, node.value, at, 'unpacked from several')
        elif isinstance(node, (ast.List, ast.Tuple)):
            for element in node.elts:
                self.several(scope, element, at, 'unpacked from several')

    def block(self, scope, nodes):
        for node in nodes:
            match node:
                case ast.Assign(targets=[target], value=value) if self.target(scope, target):
                    self.value(self.target(scope, target), value)
                case ast.Assign(targets=targets, value=value):
                    for target in targets:
                        self.several(scope, target, self.span(value)[0], 'assigned to several names')
                case ast.AnnAssign(target=target, value=value) if value:
                    key = self.target(scope, target)
                    if key:
                        self.value(key, value)
                case ast.AugAssign(target=target, op=op, value=value):
                    key, op = self.target(scope, target), AUGMENTED[type(op)]
                    if key:
                        at = self.span(target)[1]
                        self.add(key, self.raw.index(op.encode(), at), 0, refused='computed with ' + op)
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    pass
                case ast.ClassDef(name=name, body=body):
                    self.block(scope + name + '.', body)
                case ast.Match(cases=cases):
                    for case in cases:
                        self.block(scope, case.body)
                case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=final):
                    self.block(scope, body)
                    for handler in handlers:
                        self.block(scope, handler.body)
                    self.block(scope, orelse)
                    self.block(scope, final)
                case ast.If() | ast.For() | ast.AsyncFor() | ast.While():
                    self.block(scope, node.body)
                    self.block(scope, node.orelse)
                case ast.With() | ast.AsyncWith():
                    self.block(scope, node.body)


def c_tokens(source):
    """The tokens of CPython itself: the module tokenize uses them since 3.12."""
    lines = [line.rstrip('\r\n') + '\n' for line in source.lines]
    if sys.version_info < (3, 12):
        import _tokenize
        for text, kind, line, end_line, column, end_column, _ in _tokenize.TokenizerIter(''.join(lines)):
            if text == '' or text[0] == '#':
                continue
            kind = 'name' if text in ('async', 'await') else KINDS.get(kind, 'op')
            if kind == 'string' and 'f' in text[:text.index(text[-1])].lower():
                kind = 'interpolated'
            yield kind, source.offset8(line, column), source.offset8(end_line, end_column)
        return
    given, depth = iter(lines), 0
    for t in tokenize.generate_tokens(lambda: next(given, '')):
        name = token.tok_name[t.type]
        if name == 'FSTRING_START':
            depth += 1
            if depth == 1:
                start = t.start
        elif name == 'FSTRING_END':
            depth -= 1
            if depth == 0:
                yield 'interpolated', source.offset(*start), source.offset(*t.end)
        elif depth == 0 and t.type not in NONE:
            yield KINDS.get(t.type, 'op'), source.offset(*t.start), source.offset(*t.end)


def read(raw):
    try:
        source = Source(raw)
    except (SyntaxError, ValueError, RecursionError, MemoryError, LookupError) as error:
        return {'error': str(error)}
    tokens = '\n'.join(source.tokens())
    source.block('', source.tree.body)
    return {'tokens': tokens, 'keys': sorted(source.found, key=lambda f: f[0])}


for line in sys.stdin:
    print(json.dumps(read(base64.b64decode(line))))
