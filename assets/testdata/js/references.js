'use strict';
// Reads sources (base64, one a line on standard input) with acorn, whose directory
// is the argument, and prints for each a line of JSON: the list of what its modules
// are imported by and of the URLs that are beside one, and the URL of its source
// map; null for what acorn refuses.
const fs = require('fs');
const acorn = require(process.argv[2]);

const options = { ecmaVersion: 'latest', allowHashBang: true, allowReturnOutsideFunction: true };

// parse returns the tree of a module or, failing that, a script, with its comments.
function parse(text) {
	for (const sourceType of ['module', 'script']) {
		const comments = [];
		let end = 0;
		const onToken = (token) => {
			end = token.type === acorn.tokTypes.eof ? end : token.end;
		};
		try {
			const tree = acorn.parse(text, { ...options, sourceType, onComment: comments, onToken });
			return { tree, comments, end };
		} catch (e) {
			if (!(e instanceof SyntaxError || e instanceof RangeError)) {
				throw e;
			}
		}
	}
	return null;
}

// literal returns the text of a string, or of a template that is one.
function literal(node) {
	if (node && node.type === 'Literal' && typeof node.value === 'string') {
		return node.value;
	}
	if (node && node.type === 'TemplateLiteral' && node.expressions.length === 0) {
		return node.quasis[0].value.cooked;
	}
	return undefined;
}

function isModuleURL(node) {
	return node && node.type === 'MemberExpression' && !node.computed && node.property.name === 'url' &&
		node.object.type === 'MetaProperty' && node.object.meta.name === 'import';
}

// visit calls found with each node that imports, or makes a URL.
function visit(top, found) {
	const rest = [top];
	for (let node; (node = rest.pop());) {
		switch (node.type) {
		case 'ImportDeclaration': case 'ExportAllDeclaration': case 'ExportNamedDeclaration': case 'ImportExpression':
			found(node.source, true);
			break;
		case 'NewExpression':
			if (node.callee.name === 'URL' && node.arguments.length === 2 && isModuleURL(node.arguments[1])) {
				found(node.arguments[0], false);
			}
		}
		for (const key in node) {
			const child = node[key];
			if (Array.isArray(child)) {
				rest.push(...child.filter((c) => c && c.type));
			} else if (child && child.type) {
				rest.push(child);
			}
		}
	}
}

function sourceMap({ comments, end }) {
	for (const c of comments.reverse()) {
		const m = c.start >= end && /^[@#]\s*sourceMappingURL=(\S*?)\s*$/.exec(c.value);
		if (m) {
			return m[1];
		}
	}
	return '';
}

for (const line of fs.readFileSync(0, 'latin1').split('\n').slice(0, -1)) {
	const text = Buffer.from(line, 'base64').toString('utf8').replace(/^\ufeff/, '');
	const read = parse(text);
	if (!read) {
		console.log('null');
		continue;
	}
	const all = [];
	visit(read.tree, (node, specifier) => {
		const value = literal(node);
		if (value !== undefined) {
			all.push({ value, specifier, start: node.start });
		}
	});
	all.sort((a, b) => a.start - b.start);
	console.log(JSON.stringify({ urls: all, map: sourceMap(read) }));
}
