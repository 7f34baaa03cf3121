// Reads YAML files as the package yaml does, whose directory and version of YAML
// (1.1 or 1.2) come first, and prints each as a line of JSON. What is no string,
// number, bool, null, list or mapping is printed as the name of its type in a list.
const [, , dir, version, ...files] = process.argv;
const { readFileSync } = require("fs");
const yaml = require(dir);
for (const name of files) {
  const value = yaml.parse(readFileSync(name, "utf8"), { version, logLevel: "error" });
  console.log(JSON.stringify(value, function (key) {
    const v = this[key];
    if (typeof v === "bigint" || v instanceof Date || v instanceof Uint8Array || (typeof v === "number" && !isFinite(v)))
      return [Object.prototype.toString.call(v)];
    return v;
  }));
}
