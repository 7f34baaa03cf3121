# Prints, for each source (base64, one a line on standard input), what its tokens
# and its keys are by Ruby's own parser: a line of JSON, or null for what Ruby does
# not read.
require_relative 'tokens'

# Ripper's tree, in which strings and symbols in quotes know where they are.
class Tree < Ripper::SexpBuilderPP
  def self.starts(src)
    starts = [src.b.start_with?("\xEF\xBB\xBF".b) ? 3 : 0]
    at = 0
    src.each_line { |line| starts << (at += line.bytesize) }
    starts
  end

  def initialize(src)
    super
    @src = src
    @starts = Tree.starts(src)
    @open = []
    @labels = []
  end

  def offset = @starts[lineno - 1] + column

  %i[tstring_beg backtick regexp_beg words_beg qwords_beg symbols_beg qsymbols_beg heredoc_beg].each do |event|
    define_method("on_#{event}") do |text|
      @open << offset unless event == :backtick && state.to_s.match?(/FNAME|DOT|ENDFN|ARG/)
      super(text)
    end
  end

  def on_symbeg(text)
    @open << offset unless text == ':'
    super
  end

  %i[tstring_end regexp_end heredoc_end label_end].each do |event|
    define_method("on_#{event}") do |text|
      @closed = [@open.pop, offset + text.bytesize - (event == :label_end ? 1 : 0)]
      @labels << @closed if event == :label_end
      @symbol = @closed if @src.getbyte(@closed[0]) == 58
      super(text)
    end
  end

  def on_string_literal(content) = super + [@closed]

  # That of a label comes after the value.
  def on_dyna_symbol(content)
    at, @symbol = @symbol, nil
    super + [at || @labels.pop]
  end
end

class Keys
  PLAIN = /\A[A-Za-z_][A-Za-z0-9_]*[?!]?\z/

  def initialize(src)
    @src = src
    @starts = Tree.starts(src)
    @encoding = src.encoding
    @found = []
    tree = Tree.new(src)
    program = tree.parse
    raise ArgumentError, 'no Ruby' if tree.error?

    statements(program[1], '')
  end

  def found
    ends = @found.flat_map { |key,| parts = key.split('::', -1); (1...parts.size).map { |n| parts[n..].join('::') } }.to_h { [_1, true] }
    @found.map { |key, *rest| [ends[key] ? '::' + key : key, *rest] }
  end

  def offset((line, column)) = @starts[line - 1] + column

  def statements(list, scope) = list&.each { statement(_1, scope) }

  def statement(node, scope)
    case node
    in [:assign, target, value]
      assign(target, value, scope)
      visit(value, scope)
    in [:opassign, target, [:@op, op, _], value]
      key = target(target, scope)
      add(key, nil, nil, '', '', "computed with #{op}") if key
      visit(value, scope)
    in [:massign, targets, value]
      several(targets, scope)
      visit(value, scope)
    in [:command, [:@ident, 'set', _], [:args_add_block, [name, value, *more], false]]
      set(name, value, more, scope)
      visit(value, scope)
    in [:method_add_arg, [:fcall, [:@ident, 'set', _]], [:arg_paren, [:args_add_block, [name, value, *more], false]]]
      set(name, value, more, scope)
      visit(value, scope)
    in [:method_add_block, [:command, [:@ident, 'set', _], [:args_add_block, [name, *values], false]], block]
      set(name, nil, values, scope)
      visit(block, scope)
    in [:binary, left, :and | :or, right]
      statement(left, scope)
      visit(right, scope)
    in [:case, [:assign | :opassign, target, *] => inner, [:in, *]] # a = b => c
      before = @found.size
      statement(inner, scope)
      (before...@found.size).each { |i| @found[i] = [@found[i][0], nil, nil, '', '', 'an expression'] if @found[i][5] !~ /assigned|computed/ }
      @found.slice!(before + 1..) unless @found[before]&.last =~ /assigned/
    in [:rescue_mod, inner, other]
      statement(inner, scope)
      visit(other, scope)
    in [:if_mod | :unless_mod | :while_mod | :until_mod, condition, inner]
      statement(inner, scope)
      visit(condition, scope)
    else
      visit(node, scope)
    end
  end

  # visit looks for statements inside of an expression.
  def visit(node, scope)
    return unless node.is_a?(Array)

    case node
    in [:def | :defs | :sclass | :string_embexpr, *] then nil
    in [:class, path, above, body]
      scope = inner(path, scope)
      if scope
        visit(above, scope)
        visit(body, scope)
      end
    in [:module, path, body]
      scope = inner(path, scope)
      visit(body, scope) if scope
    in [:bodystmt, body, rescued, otherwise, ensured]
      statements(body, scope)
      visit(rescued, scope)
      statements(otherwise, scope)
      visit(ensured, scope)
    in [:if | :elsif | :unless | :while | :until | :when | :in, condition, body, *rest]
      visit(condition, scope)
      statements(body, scope)
      rest.each { visit(_1, scope) }
    in [:else, body] then statements(body, scope)
    in [:ensure, body] then statements(body, scope)
    in [:rescue, classes, name, body, rest]
      visit(classes, scope)
      statements(body, scope)
      visit(rest, scope)
    in [:for, names, list, body]
      visit(list, scope)
      statements(body, scope)
    in [:brace_block, params, body]
      visit(params, scope)
      statements(body, scope)
    in [:lambda, params, body]
      visit(params, scope)
      body[0] == :bodystmt ? visit(body, scope) : statements(body, scope)
    in [:BEGIN | :END, body] then statements(body, scope)
    in [:paren, [[Symbol, *], *] => body] then body.each { visit(_1, scope) }
    else node.each { visit(_1, scope) }
    end
  end

  def inner(path, scope)
    case path
    in [:const_ref, [:@const, name, _]] then "#{scope}#{name}::"
    in [:top_const_ref, [:@const, name, _]] then "#{name}::"
    in [:const_path_ref, above, [:@const, name, _]]
      above = case above
              in [:var_ref, [:@const, n, _]] then "#{scope}#{n}::"
              else inner(above, scope)
              end
      above && "#{above}#{name}::"
    else nil
    end
  end

  def add(key, start, stop, kind, text, refused)
    start = stop = nil unless refused.empty?
    kind = text = '' unless refused.empty?
    @found << [key, start, stop, kind, Base64.strict_encode64(text.b), refused]
  end

  def assign(target, value, scope)
    keys = [target(target, scope)]
    while value in [:assign, other, inner]
      break unless target(other, scope)

      keys << target(other, scope)
      value = inner
    end
    return unless keys[0]

    if value in [:mrhs_new_from_args, [[:assign, other, *], *], *]
      keys << target(other, scope)
    end
    if keys.size > 1
      keys.each { add(_1, nil, nil, '', '', 'assigned to several names') }
    elsif value in [:mrhs_new_from_args | :mrhs_add_star, *]
      list(keys[0], value)
    elsif value in [:mrhs_add, *]
      list(keys[0], value)
    elsif paren?(value)
      add(keys[0], nil, nil, '', '', 'an expression')
    else
      value(keys[0], value)
    end
  end

  def paren?(node) = node[0] == :paren

  def set(name, value, more, scope)
    key = symbol(name) or return
    more.empty? ? value(scope + key, value) : add(scope + key, nil, nil, '', '', 'an expression')
  end

  # list handles a = 1, 2.
  def list(key, value)
    first = value
    elements = []
    if value in [:mrhs_new_from_args, Array => given, *rest]
      elements = given + rest
    end
    first = elements[0]
    if first && first in [:string_literal | :@int | :@float | :@rational | :@imaginary | :@CHAR | :symbol_literal | :dyna_symbol | :xstring_literal | :regexp_literal | :array | :hash | :var_ref | :vcall, *]
      add(key, nil, nil, '', '', 'an array')
      elements(key, elements)
    else
      add(key, nil, nil, '', '', 'an expression')
    end
  end

  def several(node, scope)
    key = target(node, scope)
    if key
      add(key, nil, nil, '', '', 'unpacked from several')
    elsif node.is_a?(Array)
      node.each { several(_1, scope) if _1.is_a?(Array) }
    end
  end

  def decode(name) = name.encode('UTF-8')

  def target(node, scope)
    case node
    in [:var_field, [:@gvar, name, _]] then name
    in [:var_field | :var_ref, [:@ident | :@const | :@ivar | :@cvar, name, _]] then scope + decode(name)
    in [:vcall, [:@ident, name, _]] then scope + decode(name) unless name.end_with?('?', '!')
    in [:@ident | :@const | :@ivar | :@cvar, name, _] then scope + decode(name)
    in [:@gvar, name, _] then name
    in [:var_field | :var_ref, [:@kw, 'self', _]] then "#{scope}self"
    in [:var_ref, [:@gvar | :@backref, name, _]] then name
    in [:top_const_field | :top_const_ref, [:@const, name, _]] then decode(name)
    in [:const_path_field | :const_path_ref, above, [:@const, name, _]]
      above = target(above, scope)
      above && "#{above}::#{decode(name)}"
    in [:field | :call, above, [:@period, '.', _], [:@ident | :@const | :@kw, name, _]]
      above = target(above, scope)
      above && "#{above}.#{decode(name)}"
    in [:aref_field | :aref, above, [:args_add_block, [arg], false]]
      above = target(above, scope)
      k = subscript(arg)
      above && k && above + k
    else nil
    end
  end

  def quote(name)
    '"' + name.each_char.map do |c|
      case c
      when "\n" then '\n'
      when '\\', '"' then "\\#{c}"
      when /[\x00-\x1f\x7f]/ then format('\x%02X', c.ord)
      else c
      end
    end.join.gsub(/#(?=[{$@])/, '\#') + '"'
  end

  def symbol_key(name) = name.match?(PLAIN) ? ":#{name}" : ":#{quote(name)}"

  # symbol returns the key of a symbol without interpolation.
  def symbol(node)
    case node
    in [:symbol_literal, [:symbol, [_, name, _]]] then symbol_key(decode(name))
    in [:dyna_symbol, _, [start, stop]]
      raw = @src.byteslice(start...stop)
      return nil if raw.start_with?('%s') || raw.include?("\n") || raw.include?('#{') || raw.match?(/\\[cCM]/)

      raw = raw.delete_prefix(':')
      name = evaluate(raw)
      name = decode(name) rescue nil
      name&.valid_encoding? ? symbol_key(name) : nil
    else nil
    end
  end

  def evaluate(raw) = eval("# encoding: #{@encoding}\n".encode(@encoding) + raw, nil, 'literal') # rubocop:disable Security/Eval

  def subscript(node)
    case node
    in [:symbol_literal | :dyna_symbol, *] then (k = symbol(node)) && "[#{k}]"
    in [:unary, :-@, [:@int, text, pos]] then @src.getbyte(offset(pos) - 1) == 45 && text.match?(/\A[1-9][0-9]{0,17}\z/) ? "[-#{text}]" : nil
    in [:@int, text, _] then text.match?(/\A(?:0|-?[1-9][0-9]{0,17})\z/) ? "[#{text}]" : nil
    in [:string_literal, [:string_content, *parts], [start, stop]]
      raw = @src.byteslice(start...stop)
      return nil if parts.any? { _1[0] != :@tstring_content } || !raw.start_with?('"', "'") || raw.include?("\n") || raw.match?(/\\[cCM]/)

      text = evaluate(raw)
      text = decode(text) rescue nil
      return nil unless text&.valid_encoding?

      "[#{text.match?(/[\x00-\x1f\x7f]/) ? quote(text) : "'" + text.gsub(/[\\']/) { "\\#{_1}" } + "'"}]"
    else nil
    end
  end

  def string(key, node)
    _, content, (start, stop) = node
    raw = @src.byteslice(start...stop)
    refused = if raw.start_with?('%') then 'a string in other than quotes'
              elsif raw.start_with?('<<') then 'a block of text'
              elsif content[1..].any? { _1[0] != :@tstring_content } then 'interpolated'
              elsif raw.include?("\n") then 'a block of text'
              elsif raw.start_with?('"') && raw.gsub('\\\\', '').match?(/\\[cCM]/) then 'written with a control escape'
              end
    return add(key, nil, nil, '', '', refused) if refused

    text = evaluate(raw)
    text = text.encode('UTF-8') unless text.encoding == Encoding::UTF_8
    add(key, start, stop, 'string', text, '')
  rescue EncodingError
    add(key, nil, nil, '', '', 'in an encoding that is not decoded here')
  end

  def value(key, node)
    if node in [:call, [:string_literal | :array | :hash, *] => inner, [:@period, '.', _], [:@ident, 'freeze', _]]
      if !(inner in [:string_literal, _, [start, _]]) || !@src.byteslice(start, 2).start_with?('%', '<<')
        node = inner
      end
    end
    case node
    in [:string_literal, *] then string(key, node)
    in [:string_concat, *] then add(key, nil, nil, '', '', 'several literals')
    in [:@int | :@float, text, pos]
      add(key, offset(pos), offset(pos) + text.bytesize, node[0] == :@int ? 'int' : 'float', text, text.start_with?('+') ? 'an expression' : '')
    in [:unary, :-@, [:@int | :@float => type, text, pos]] if @src.getbyte(offset(pos) - 1) == 45
      add(key, offset(pos) - 1, offset(pos) + text.bytesize, type == :@int ? 'int' : 'float', "-#{text}", '')
    in [:unary, :-@, [:@rational | :@imaginary, _, pos]] if @src.getbyte(offset(pos) - 1) == 45
      add(key, nil, nil, '', '', 'a rational or complex number')
    in [:@rational | :@imaginary, *] then add(key, nil, nil, '', '', 'a rational or complex number')
    in [:symbol_literal, [:symbol, [_, name, pos]]]
      add(key, offset(pos) - 1, offset(pos) + name.bytesize, 'symbol', decode(name), '')
    in [:dyna_symbol, _, [start, _]] then add(key, nil, nil, '', '', 'a symbol in quotes')
    in [:var_ref, [:@kw, 'true' | 'false' => word, pos]] then add(key, offset(pos), offset(pos) + word.size, 'bool', word, '')
    in [:var_ref, [:@kw, 'nil', pos]] then add(key, offset(pos), offset(pos) + 3, 'null', 'null', '')
    in [:@CHAR, *] then add(key, nil, nil, '', '', 'a character')
    in [:xstring_literal, *] then add(key, nil, nil, '', '', 'a shell command')
    in [:regexp_literal, *] then add(key, nil, nil, '', '', 'a regular expression')
    in [:array, [] | [[:@tstring_content | :word, *], *]] then add(key, nil, nil, '', '', 'a list of words')
    in [:array, [[Symbol, *], *] | nil => elements]
      add(key, nil, nil, '', '', 'an array')
      elements(key, elements || [])
    in [:array, [:args_add_star, *] => star]
      add(key, nil, nil, '', '', 'an array')
      elements(key, star[1].is_a?(Array) ? star[1] : [])
    in [:array, words] then add(key, nil, nil, '', '', 'a list of words')
    in [:hash, content]
      add(key, nil, nil, '', '', 'a hash')
      pairs(key, content ? content[1] : [])
    else add(key, nil, nil, '', '', 'an expression')
    end
  end

  def elements(key, elements)
    elements.each_with_index do |element, n|
      break unless element.is_a?(Array)
      break if element in [:bare_assoc_hash, *]

      paren?(element) ? add("#{key}[#{n}]", nil, nil, '', '', 'an expression') : value("#{key}[#{n}]", element)
    end
  end

  def pairs(key, pairs)
    pairs.each do |pair|
      next unless pair in [:assoc_new, name, value]
      next unless value

      k = case name
          in [:@label, text, _] then "[#{symbol_key(decode(text.chomp(':')))}]"
          in [:dyna_symbol, *] then subscript(name)
          else subscript(name)
          end
      next unless k

      paren?(value) ? add(key + k, nil, nil, '', '', 'an expression') : value(key + k, value)
    end
  end
end

# The encoding that a magic comment declares.
def encoding(src)
  return Encoding::UTF_8 if src.start_with?("\xEF\xBB\xBF".b)

  line = src.lines.drop_while { _1.start_with?('#!') }.first.to_s
  name = line[/\A[ \t]*#.*?coding[ \t]*[:=][ \t]*([-\w.]+)/i, 1] or return Encoding::UTF_8
  Encoding.find(name.sub(/-(unix|dos|mac)\z/, ''))
end

$stdin.each_line do |line|
  src = Base64.decode64(line)
  src.force_encoding(encoding(src))
  keys = Keys.new(src).found
  puts JSON.generate({ tokens: tokens(src), keys: keys })
rescue ArgumentError
  puts JSON.generate(nil)
end
