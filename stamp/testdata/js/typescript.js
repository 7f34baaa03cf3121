'use strict';
// What TypeScript's own parser reads: tokens with comments, and from its tree
// the keys.
const { key, Keys } = require('./keys.js');
let ts;

// Words that are hardly ever names.
const notNames = new Set(['async', 'await', 'yield', 'undefined']);

exports.read = function (typescript, text) {
	ts = typescript;
	const tree = ts.createSourceFile('a.ts', text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
	if (tree.parseDiagnostics.length > 0) {
		return null;
	}
	const tokens = [];
	leaves(tree, tree, text, tokens);
	const keys = new Keys();
	new Walker(tree, text, keys).walk(tree, '');
	return { tokens, keys: keys.list };
};

function leaves(node, tree, text, tokens) {
	if (node.kind >= ts.SyntaxKind.FirstJSDocNode && node.kind <= ts.SyntaxKind.LastJSDocNode) {
		return;
	}
	if (!ts.isTokenKind(node.kind)) {
		for (const child of node.getChildren(tree)) {
			leaves(child, tree, text, tokens);
		}
		return;
	}
	const start = node.getStart(tree, false), end = node.end;
	for (const c of text.slice(node.pos, start).matchAll(/^#!.*|\/\/.*|\/\*[^]*?\*\//g)) {
		tokens.push({ kind: 'comment', start: node.pos + c.index, end: node.pos + c.index + c[0].length });
	}
	const add = (kind, from, to) => tokens.push({ kind, start: from, end: to });
	const K = ts.SyntaxKind;
	switch (node.kind) {
	case K.EndOfFileToken: return;
	case K.StringLiteral: return add('string', start, end);
	case K.NumericLiteral: case K.BigIntLiteral: return add('number', start, end);
	case K.RegularExpressionLiteral: return add('regexp', start, end);
	case K.PrivateIdentifier: return add('private', start, end);
	case K.NoSubstitutionTemplateLiteral: return add('chunk', start + 1, end - 1);
	case K.TemplateHead: return add('chunk', start + 1, end - 2);
	case K.TemplateMiddle: add('punctuation', start, start + 1); return add('chunk', start + 1, end - 2);
	case K.TemplateTail: add('punctuation', start, start + 1); return add('chunk', start + 1, end - 1);
	}
	add(node.kind >= K.Identifier ? 'name' : 'punctuation', start, end);
}

class Walker {
	constructor(tree, text, keys) {
		this.tree = tree;
		this.text = text;
		this.keys = keys;
	}

	start(node) {
		return node.getStart(this.tree, false);
	}

	children(node, prefix) {
		ts.forEachChild(node, (child) => this.walk(child, prefix));
	}

	// walk looks for what is given a value below a node. Prefix is the key of the
	// namespace that declarations are in.
	walk(node, prefix) {
		const named = (name) => (prefix ? key(prefix, name) : name);
		if (ts.isVariableDeclaration(node) && node.initializer) {
			this.walk(node.name, prefix);
			return this.given(ts.isIdentifier(node.name) ? named(node.name.text) : null, node.initializer, prefix);
		}
		if (ts.isExpressionStatement(node)) {
			return this.sequence(node.expression, prefix);
		}
		if (ts.isExportAssignment(node)) {
			return this.given(node.isExportEquals ? 'module.exports' : 'default', node.expression, prefix);
		}
		if (ts.isClassDeclaration(node)) {
			return this.classBody(node, node.name ? named(node.name.text) : 'default', prefix);
		}
		if (ts.isEnumDeclaration(node)) {
			for (const m of node.members) {
				const name = this.propertyName(m.name);
				if (m.initializer) {
					this.value(name === undefined ? null : key(named(node.name.text), name), m.initializer, prefix);
				}
			}
			return;
		}
		if (ts.isModuleDeclaration(node)) {
			const global = node.flags & ts.NodeFlags.GlobalAugmentation;
			const inner = ts.isStringLiteral(node.name) ? '' : global ? prefix : named(node.name.text);
			return node.body && this.walk(node.body, inner);
		}
		if (ts.isFunctionLike(node) || ts.isClassStaticBlockDeclaration(node)) {
			prefix = '';
		}
		this.children(node, prefix);
	}

	sequence(node, prefix) {
		if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.CommaToken) {
			this.sequence(node.left, prefix);
			return this.assignment(node.right, prefix);
		}
		this.assignment(node, prefix);
	}

	// target returns the key of a.b['c'], null when it is not constant, and
	// undefined when it is something else.
	target(node) {
		if (node.kind === ts.SyntaxKind.ThisKeyword) {
			return 'this';
		}
		if (ts.isIdentifier(node)) {
			return notNames.has(node.text) ? undefined : node.text;
		}
		if (!ts.isPropertyAccessExpression(node) && !ts.isElementAccessExpression(node) || node.questionDotToken) {
			return undefined;
		}
		let base = this.target(node.expression);
		if (ts.isParenthesizedExpression(node.expression)) {
			const inner = node.expression.expression;
			if ((ts.isAsExpression(inner) || ts.isTypeAssertionExpression(inner)) &&
				(ts.isIdentifier(inner.expression) || inner.expression.kind === ts.SyntaxKind.ThisKeyword)) {
				base = this.target(inner.expression);
			}
		}
		if (base === undefined || base === null) {
			return base;
		}
		if (ts.isPropertyAccessExpression(node)) {
			return ts.isPrivateIdentifier(node.name) ? null : key(base, node.name.text);
		}
		const name = this.constantName(node.argumentExpression);
		return name === undefined ? null : key(base, name);
	}

	constantName(node) {
		if (ts.isStringLiteral(node) || ts.isNumericLiteral(node)) {
			return node.text;
		}
		return ts.isBigIntLiteral(node) ? node.text.slice(0, -1) : undefined;
	}

	isAssignment(node) {
		return ts.isBinaryExpression(node) && ts.isAssignmentOperator(node.operatorToken.kind) && this.target(node.left) !== undefined;
	}

	assignment(node, prefix) {
		if (!this.isAssignment(node)) {
			return this.walk(node, prefix);
		}
		const k = this.target(node.left);
		this.walk(node.left, prefix);
		if (node.operatorToken.kind === ts.SyntaxKind.EqualsToken) {
			return this.given(k, node.right, prefix);
		}
		this.keys.refuse(k, this.start(node.operatorToken), 'computed');
		this.walk(node.right, prefix);
	}

	given(k, node, prefix) {
		if (this.isAssignment(node)) {
			this.keys.refuse(k, this.start(node), 'expression');
			return this.assignment(node, prefix);
		}
		this.value(k, node, prefix);
	}

	value(k, outer, prefix) {
		if (k === null) {
			return this.walk(outer, prefix);
		}
		let node = outer;
		while (ts.isAsExpression(node) || ts.isSatisfiesExpression && ts.isSatisfiesExpression(node)) {
			node = node.expression;
		}
		const start = this.start(node), source = this.text.slice(start, node.end);
		const literal = (type, value) => this.keys.literal(k, start, node.end, type, value, source);
		const K = ts.SyntaxKind;
		switch (node.kind) {
		case K.StringLiteral: case K.NoSubstitutionTemplateLiteral: return literal('string', node.text);
		case K.NumericLiteral: return literal('number', 0);
		case K.BigIntLiteral: return literal('bigint', 0);
		case K.TrueKeyword: case K.FalseKeyword: return literal('boolean', source);
		case K.NullKeyword: return literal('null', null);
		case K.Identifier:
			if (node.text === 'undefined') {
				return literal('undefined', undefined);
			}
			break;
		case K.PrefixUnaryExpression:
			if (/^-[\d.]/.test(source) && (ts.isNumericLiteral(node.operand) || ts.isBigIntLiteral(node.operand))) {
				return literal(ts.isBigIntLiteral(node.operand) ? 'bigint' : 'number', 0);
			}
			break;
		case K.ObjectLiteralExpression:
			this.keys.refuse(k, start, 'object');
			for (const p of node.properties) {
				this.property(k, p, prefix);
			}
			return;
		case K.ArrayLiteralExpression: {
			this.keys.refuse(k, start, 'array');
			let known = true;
			node.elements.forEach((e, i) => {
				known = known && !ts.isSpreadElement(e);
				if (!ts.isOmittedExpression(e)) {
					this.value(known ? key(k, String(i)) : null, e, prefix);
				}
			});
			return;
		}
		}
		this.keys.refuse(k, this.start(outer), 'expression');
		this.walk(outer, prefix);
	}

	propertyName(node) {
		return ts.isIdentifier(node) ? node.text : this.constantName(node);
	}

	property(k, p, prefix) {
		if (ts.isSpreadAssignment(p)) {
			return this.walk(p, prefix);
		}
		const name = this.propertyName(p.name);
		const member = name === undefined ? null : key(k, name);
		if (ts.isPropertyAssignment(p)) {
			this.walk(p.name, prefix);
			this.value(member, p.initializer, prefix);
		} else if (ts.isShorthandPropertyAssignment(p)) {
			this.keys.refuse(member, this.start(p.name), 'expression');
		} else {
			this.keys.refuse(member, this.start(p.name), 'method');
			this.walk(p, prefix);
		}
	}

	classBody(node, k, prefix) {
		ts.forEachChild(node, (child) => {
			if (!ts.isClassElement(child)) {
				return this.walk(child, prefix);
			}
			let member = null, name = child.name;
			if (ts.isConstructorDeclaration(child)) {
				name = child.getChildren(this.tree).find((c) => c.kind === ts.SyntaxKind.ConstructorKeyword || ts.isStringLiteral(c));
				member = key(k, 'constructor', !(ts.getCombinedModifierFlags(child) & ts.ModifierFlags.Static));
			} else if (name && ts.isPrivateIdentifier(name)) {
				member = k + '.' + name.text;
			} else if (name && this.propertyName(name) !== undefined) {
				member = key(k, this.propertyName(name), !(ts.getCombinedModifierFlags(child) & ts.ModifierFlags.Static));
			}
			if (!ts.isPropertyDeclaration(child)) {
				if (name) {
					this.keys.refuse(member, this.start(name), 'method');
				}
				return this.walk(child, prefix);
			}
			ts.forEachChild(child, (part) => {
				if (part === child.initializer) {
					return this.value(member, part, prefix);
				}
				this.walk(part, prefix);
			});
		});
	}
}
