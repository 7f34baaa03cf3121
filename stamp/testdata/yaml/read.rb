# Reads YAML files as Psych (libyaml, YAML 1.1) does, and prints each as a line of
# JSON. What is no string, number, bool, null, list or mapping is printed as the
# name of its type in a list.
require "json"
require "yaml"

def plain(v)
  case v
  when Hash then v.to_h { |name, value| [name.to_s, plain(value)] }
  when Array then v.map { |value| plain(value) }
  when Float then v.finite? ? v : [v.to_s]
  when String, Integer, true, false, nil then v
  else [v.class.name]
  end
end

ARGV.each { |name| puts JSON.generate(plain(YAML.unsafe_load(File.read(name, encoding: "UTF-8")))) }
