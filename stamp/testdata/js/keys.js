'use strict';
// The spelling of keys, and the list of them.

exports.key = function (base, name, instance) {
	if (!instance && /^(?:0|[1-9]\d{0,14})$/.test(name)) {
		return `${base}[${name}]`;
	}
	const written = name === '' || /[.[\]"\\:#]/.test(name) ? '"' + name.replace(/["\\]/g, '\\$&') + '"' : name;
	return base + (instance ? '#' : '.') + written;
};

exports.Keys = class {
	list = [];

	refuse(key, start, type) {
		if (key !== null) {
			this.list.push({ key, start, end: start, type, text: '' });
		}
	}

	literal(key, start, end, type, value, source) {
		if (type === 'string' && /[\r\n]/.test(source)) {
			return this.refuse(key, start, 'lines');
		}
		const text = type === 'number' ? source : type === 'bigint' ? source.slice(0, -1) : String(value);
		this.list.push({ key, start, end, type, text });
	}
};
