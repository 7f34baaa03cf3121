// Prints what TypeScript reads in JSON with comments. The argument is the path
// of typescript.js. Each line on standard input is a JSON object: the source as
// "text" (base64), and "steps", the way to one value. Each line on standard
// output is one of the answers: [type, text] of the value there, or, without
// steps, a list of [steps, type, text, start, end] of every value in the order
// of the file, with offsets in bytes; or null for a source that does not parse.
const ts = require(process.argv[2]);
const { SyntaxKind } = ts;

// offsets maps positions in UTF-16 units to positions in bytes.
function offsets(text) {
  const at = new Uint32Array(text.length + 1);
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    at[i] = bytes;
    bytes += c < 0x80 ? 1 : c < 0x800 ? 2 : c >= 0xd800 && c < 0xe000 ? 2 : 3;
  }
  at[text.length] = bytes;
  return at;
}

function everything(file) {
  const found = [];
  const at = offsets(file.text);
  const walk = (steps, node) => {
    const start = node.getStart(file);
    const add = (type, text) => found.push([steps, type, text, at[start], at[node.end]]);
    switch (node.kind) {
      case SyntaxKind.ObjectLiteralExpression:
        add('an object', '');
        for (const p of node.properties) walk([...steps, p.name.text], p.initializer);
        break;
      case SyntaxKind.ArrayLiteralExpression:
        add('an array', '');
        node.elements.forEach((e, i) => walk([...steps, i], e));
        break;
      case SyntaxKind.StringLiteral: add('string', node.text); break;
      case SyntaxKind.TrueKeyword: add('bool', 'true'); break;
      case SyntaxKind.FalseKeyword: add('bool', 'false'); break;
      case SyntaxKind.NullKeyword: add('null', 'null'); break;
      case SyntaxKind.NumericLiteral:
      case SyntaxKind.PrefixUnaryExpression: add('number', file.text.slice(start, node.end)); break;
      default: add(SyntaxKind[node.kind], '');
    }
  };
  if (file.statements.length) walk([], file.statements[0].expression);
  return found;
}

function value(file, steps) {
  const errors = [];
  let v = ts.convertToObject(file, errors);
  for (const step of steps) v = v[step];
  return errors.length ? null : [typeof v, String(v)];
}

for (const line of require('fs').readFileSync(0, 'utf8').split('\n').slice(0, -1)) {
  const job = JSON.parse(line);
  const text = Buffer.from(job.text, 'base64').toString('utf8').replace(/^\ufeff/, '');
  const file = ts.parseJsonText('config.json', text);
  const answer = file.parseDiagnostics.length ? null : job.steps ? value(file, job.steps) : everything(file);
  console.log(JSON.stringify(answer));
}
