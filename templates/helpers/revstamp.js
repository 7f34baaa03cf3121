// The URLs of the site's assets with their versions, for Node.js 12 and later.
// Written by "revstamp helper js"; write it again instead of changing it.
//
//   const { asset, integrity, revision } = require('./revstamp.js');
//   import { asset } from './revstamp.js';
//
// Call it revstamp.cjs where package.json says "type": "module".
//
// The manifest is read again when it is another file than before, which costs a
// stat for each call.
'use strict';

const fs = require('fs');
const path = require('path');

const file = path.resolve(__dirname, @MANIFEST@);
let now; // the signature of the file, and what it holds

function data() {
  try {
    const stat = fs.statSync(file, { bigint: true });
    const signature = [stat.dev, stat.ino, stat.mtimeNs, stat.size].join(':');
    if (!now || now.signature !== signature) {
      const read = JSON.parse(fs.readFileSync(file, 'utf8'));
      if (read === null || read.format !== 1 || !read.url || !read.assets) {
        throw new Error(`${file} is no manifest that this helper knows`);
      }
      read.assets = new Map(Object.entries(read.assets));
      now = { signature, read };
    }
  } catch (error) {
    if (!now) throw error; // a page is not lost because a file is, for a moment
  }
  return now.read;
}

// The path under the asset root, and the query or fragment behind it.
function cut(asked) {
  const trimmed = asked.replace(/^\/+/, '');
  const end = trimmed.search(/[?#]/);
  return end < 0 ? [trimmed, ''] : [trimmed.slice(0, end), trimmed.slice(end)];
}

// The URL of an asset. Escape it for HTML.
exports.asset = function asset(asked) {
  const { assets, url } = data();
  const [name, rest] = cut(asked);
  const known = assets.get(name);
  if (!known) return url + name + rest;
  return known.url + (rest.startsWith('?') && known.url.includes('?') ? '&' + rest.slice(1) : rest);
};

// What the attribute integrity is to be for an asset; empty when it is not known.
exports.integrity = function integrity(asked) {
  const known = data().assets.get(cut(asked)[0]);
  return known ? known.integrity : '';
};

// The site's revision.
exports.revision = function revision() {
  return data().revision || '';
};
