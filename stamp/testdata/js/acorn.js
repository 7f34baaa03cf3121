'use strict';
// What acorn reads: tokens with comments, and from its tree the keys.
const { key, Keys } = require('./keys.js');

exports.read = function (acorn, text) {
	let tree, tokens;
	const options = {
		ecmaVersion: 'latest', allowReturnOutsideFunction: true, allowAwaitOutsideFunction: true,
		allowSuperOutsideMethod: true, allowHashBang: true, preserveParens: true,
		onToken: (t) => {
			const kind = tokenKind(acorn.tokTypes, t);
			if (kind) {
				tokens.push({ kind, start: t.start, end: t.end });
			}
		},
		onComment: (block, _, start, end) => tokens.push({ kind: 'comment', start, end }),
	};
	for (const sourceType of ['script', 'module']) {
		tokens = [];
		try {
			tree = acorn.parse(text, { ...options, sourceType, allowAwaitOutsideFunction: sourceType === 'module' });
			break;
		} catch (e) {
			if (!(e instanceof SyntaxError)) {
				throw e;
			}
		}
	}
	if (!tree) {
		return null;
	}
	const keys = new Keys();
	walk(tree, keys, text);
	return { tokens, keys: keys.list };
};

function tokenKind(types, t) {
	switch (t.type) {
	case types.eof: case types.backQuote: case types.dollarBraceL: return '';
	case types.string: return 'string';
	case types.num: return 'number';
	case types.regexp: return 'regexp';
	case types.template: case types.invalidTemplate: return 'chunk';
	case types.privateId: return 'private';
	case types.name: return 'name';
	}
	return t.type.keyword ? 'name' : 'punctuation';
}

function walk(node, keys, text) {
	switch (node.type) {
	case 'VariableDeclarator':
		if (node.init) {
			walk(node.id, keys, text);
			return given(node.id.type === 'Identifier' ? node.id.name : null, node.init, keys, text);
		}
		break;
	case 'ExpressionStatement':
		for (const e of node.expression.type === 'SequenceExpression' ? node.expression.expressions : [node.expression]) {
			assignment(e, keys, text);
		}
		return;
	case 'ExportDefaultDeclaration':
		if (node.declaration.type === 'ClassDeclaration') {
			return classBody(node.declaration, node.declaration.id ? node.declaration.id.name : 'default', keys, text);
		}
		if (node.declaration.type !== 'FunctionDeclaration') {
			return given('default', node.declaration, keys, text);
		}
		break;
	case 'ClassDeclaration':
		return classBody(node, node.id.name, keys, text);
	}
	children(node, keys, text);
}

function children(node, keys, text) {
	for (const name in node) {
		for (const child of Array.isArray(node[name]) ? node[name] : [node[name]]) {
			if (child && typeof child.type === 'string') {
				walk(child, keys, text);
			}
		}
	}
}

// Words that are hardly ever names.
const notNames = new Set(['async', 'await', 'yield', 'undefined']);

// target returns the key of a.b['c'], null when it is not constant, and
// undefined when it is something else.
function target(node) {
	switch (node.type) {
	case 'ThisExpression': return 'this';
	case 'Identifier': return notNames.has(node.name) ? undefined : node.name;
	case 'MemberExpression': {
		const base = target(node.object);
		if (base === undefined || base === null) {
			return base;
		}
		if (!node.computed) {
			return node.property.type === 'PrivateIdentifier' ? null : key(base, node.property.name);
		}
		const name = literalName(node.property);
		return name === undefined ? null : key(base, name);
	}
	}
	return undefined;
}

function literalName(node) {
	if (node.type !== 'Literal' || !(typeof node.value === 'string' || typeof node.value === 'number' || typeof node.value === 'bigint')) {
		return undefined;
	}
	return String(node.value);
}

function assignment(node, keys, text) {
	if (node.type !== 'AssignmentExpression') {
		return walk(node, keys, text);
	}
	const k = target(node.left);
	if (k === undefined) {
		return walk(node, keys, text);
	}
	walk(node.left, keys, text);
	if (node.operator === '=') {
		return given(k, node.right, keys, text);
	}
	keys.refuse(k, text.indexOf(node.operator, gap(text, node.left.end)), 'computed');
	walk(node.right, keys, text);
}

// gap returns where what follows blanks and comments begins.
function gap(text, at) {
	return at + /^(?:\s|\/\*[^]*?\*\/|\/\/.*)*/.exec(text.slice(at, at + 2000))[0].length;
}

function given(k, node, keys, text) {
	if (node.type === 'AssignmentExpression' && target(node.left) !== undefined) {
		keys.refuse(k, node.start, 'expression');
		return assignment(node, keys, text);
	}
	value(k, node, keys, text);
}

function value(k, node, keys, text) {
	if (k === null) {
		return walk(node, keys, text);
	}
	const source = text.slice(node.start, node.end);
	switch (node.type) {
	case 'Literal':
		if (node.regex) {
			break;
		}
		return keys.literal(k, node.start, node.end, node.bigint ? 'bigint' : node.value === null ? 'null' : typeof node.value, node.value, source);
	case 'TemplateLiteral':
		if (node.expressions.length) {
			break;
		}
		return keys.literal(k, node.start, node.end, 'string', node.quasis[0].value.cooked, source);
	case 'UnaryExpression':
		if (/^-[\d.]/.test(source) && node.argument.type === 'Literal') {
			return keys.literal(k, node.start, node.end, node.argument.bigint ? 'bigint' : 'number', 0, source);
		}
		break;
	case 'Identifier':
		if (node.name === 'undefined') {
			return keys.literal(k, node.start, node.end, 'undefined', undefined, source);
		}
		break;
	case 'ObjectExpression':
		keys.refuse(k, node.start, 'object');
		return object(k, node, keys, text);
	case 'ArrayExpression':
		keys.refuse(k, node.start, 'array');
		let known = true;
		node.elements.forEach((e, i) => {
			if (e) {
				known = known && e.type !== 'SpreadElement';
				value(known ? key(k, String(i)) : null, e, keys, text);
			}
		});
		return;
	}
	keys.refuse(k, node.start, 'expression');
	walk(node, keys, text);
}

function propertyName(node) {
	if (node.computed) {
		return undefined;
	}
	return node.key.type === 'Identifier' ? node.key.name : literalName(node.key);
}

function object(k, node, keys, text) {
	for (const p of node.properties) {
		if (p.type === 'SpreadElement') {
			walk(p, keys, text);
			continue;
		}
		const name = propertyName(p);
		const member = name === undefined ? null : key(k, name);
		walk(p.key, keys, text);
		if (p.method || p.kind !== 'init') {
			keys.refuse(member, p.key.start, 'method');
			walk(p.value, keys, text);
		} else if (p.shorthand) {
			keys.refuse(member, p.key.start, 'expression');
		} else {
			value(member, p.value, keys, text);
		}
	}
}

function classBody(node, k, keys, text) {
	if (node.superClass) {
		walk(node.superClass, keys, text);
	}
	for (const m of node.body.body) {
		if (m.type === 'StaticBlock') {
			children(m, keys, text);
			continue;
		}
		walk(m.key, keys, text);
		let member = null;
		if (m.key.type === 'PrivateIdentifier') {
			member = k + '.#' + m.key.name;
		} else if (propertyName(m) !== undefined) {
			member = key(k, propertyName(m), !m.static);
		}
		if (m.type === 'MethodDefinition') {
			keys.refuse(member, m.key.start, 'method');
			walk(m.value, keys, text);
		} else if (m.value) {
			value(member, m.value, keys, text);
		}
	}
}
