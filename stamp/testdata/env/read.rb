# Prints the value of each of K0, K1 ... in the file that the argument names, by
# the dotenv on the load path, in base64.
require "dotenv"

values = Dotenv::Parser.call(File.read(ARGV[0], encoding: "utf-8"))
values.size.times { |i| puts [values["K#{i}"]].pack("m0") }
