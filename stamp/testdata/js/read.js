'use strict';
// Reads sources (base64, one a line on standard input) with acorn, or with
// TypeScript, and prints for each "token kind start end" and "key key start end
// type text" lines, key and text in base64, then an "end" line; before that may
// be only "refused". Offsets are in bytes.
//
// node read.js DIRECTORY js|ts all|keys|digest, where the directory is that of
// acorn or typescript. keys prints no tokens; digest prints a hash of
// all that is said of tokens, one of keys, and the number of keys.
const crypto = require('crypto');
const fs = require('fs');
const parser = require(process.argv[2]);
const reader = require(process.argv[3] === 'ts' ? './typescript.js' : './acorn.js');
const mode = process.argv[4];

const base64 = (text) => Buffer.from(text).toString('base64');
const digest = (lines) => crypto.createHash('sha1').update(lines.join('')).digest('hex');

// places returns where the characters of a text are in its bytes.
function places(text, utf8) {
	const all = new Uint32Array(text.length + 1);
	for (let i = 0, at = 0; i < text.length; i++) {
		const c = text.charCodeAt(i);
		at += !utf8 || c < 0x80 ? 1 : c < 0x800 || c >= 0xd800 && c < 0xe000 ? 2 : 3;
		all[i + 1] = at;
	}
	return all;
}

// read finds what is in text, or nothing when the parser refuses it or node has
// no stack left for it.
function read(text) {
	try {
		return reader.read(parser, text);
	} catch (e) {
		if (e instanceof RangeError) {
			return null;
		}
		throw e;
	}
}

for (const line of fs.readFileSync(0, 'latin1').split('\n').slice(0, -1)) {
	const bytes = Buffer.from(line, 'base64');
	let text = bytes.toString('utf8');
	const utf8 = Buffer.from(text, 'utf8').equals(bytes);
	if (!utf8) {
		text = bytes.toString('latin1');
	}
	const skip = text.startsWith('\ufeff') ? 1 : 0;
	const found = read(text.slice(skip));
	if (!found) {
		console.log('refused\nend');
		continue;
	}
	const place = places(text, utf8).subarray(skip);
	const tokens = mode === 'keys' ? [] : found.tokens.map((t) => `${t.kind} ${place[t.start]} ${place[t.end]}\n`);
	const keys = found.keys.sort((a, b) => a.start - b.start).
		map((k) => `${base64(k.key)} ${place[k.start]} ${place[k.end]} ${k.type} ${base64(k.text)}\n`);
	const out = mode === 'digest' ? [`digest ${digest(tokens)} ${digest(keys)} ${keys.length}\n`] :
		[...tokens.map((line) => 'token ' + line), ...keys.map((line) => 'key ' + line)];
	process.stdout.write(out.join('') + 'end\n');
}
