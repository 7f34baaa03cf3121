# Where the tokens of a source are by Ruby's own lexer. A literal with code in it
# is one token.
require 'ripper'
require 'json'
require 'base64'

SINGLE = {
  on_ident: 'name', on_const: 'name', on_kw: 'name', on_ivar: 'variable', on_gvar: 'variable', on_cvar: 'variable', on_backref: 'variable',
  on_int: 'number', on_float: 'number', on_rational: 'number', on_imaginary: 'number', on_label: 'label', on_CHAR: 'char',
  on_op: 'op', on_lparen: 'op', on_rparen: 'op', on_lbracket: 'op', on_rbracket: 'op', on_lbrace: 'op', on_rbrace: 'op',
  on_comma: 'op', on_period: 'op', on_semicolon: 'op', on_tlambda: 'op', on_tlambeg: 'op', on_comment: 'comment', on_nl: 'newline'
}.freeze
OPENS = {
  on_tstring_beg: 'string', on_backtick: 'shell', on_regexp_beg: 'regexp',
  on_words_beg: 'words', on_qwords_beg: 'words', on_symbols_beg: 'words', on_qsymbols_beg: 'words'
}.freeze

# What belongs to a literal that goes on, and what to call it.
Literal = Struct.new(:kind, :start)

def tokens(src)
  starts = [0]
  src.each_line { |line| starts << starts.last + line.bytesize }
  bom = src.b.start_with?("\xEF\xBB\xBF".b) ? 3 : 0
  found = []
  stack = []
  symbol = nil
  embdoc = nil
  body = nil
  last = nil
  list = Ripper.lex(src)
  list.each_with_index do |((line, column), event, text, state), i|
    start = starts[line - 1] + column + (line == 1 ? bom : 0)
    stop = start + text.bytesize
    depth = stack.size
    case event
    when :on_embdoc_beg then embdoc = start
    when :on_embdoc_end then found << ['comment', embdoc, start + text.chomp("\n").bytesize] if depth.zero?
    when :on___end__ then found << ['data', start, src.bytesize]
    when :on_heredoc_beg
      found << [text.end_with?('`') ? 'shell' : 'heredoc', start, stop] if depth.zero?
    when :on_heredoc_end
      found << ['body', body || start, stop] if depth.zero?
      body = nil
    when :on_symbeg
      if text == ':'
        symbol = start
      else
        stack << Literal.new('symbol', start)
      end
      next
    when :on_backtick
      if symbol || state.to_s =~ /ENDFN|ARG/ && last && ['.', 'def', '&.', '::'].include?(last)
        found << [symbol ? 'symbol' : 'op', symbol || start, stop] if depth.zero?
        symbol = nil
      else
        stack << Literal.new('shell', start)
      end
    when *OPENS.keys
      stack << Literal.new(OPENS[event], start)
    when :on_embexpr_beg
      stack << Literal.new('code', start)
    when :on_embexpr_end
      stack.pop
    when :on_tstring_end, :on_regexp_end, :on_label_end
      literal = stack.pop or raise "nothing to end in #{line}"
      found << [event == :on_label_end ? 'label' : literal.kind, literal.start, stop] if stack.empty?
    else
      if symbol
        found << ['symbol', symbol, stop] if depth.zero?
        symbol = nil
      elsif depth.zero? && SINGLE[event]
        if SINGLE[event] == 'number' && text.start_with?('+')
          found << ['op', start, start + 1]
          start += 1
        end
        found << [SINGLE[event], start, event == :on_comment ? start + text.chomp("\n").bytesize : stop]
      end
    end
    body = starts[line - 1] if body.nil? && depth.zero? && %i[on_tstring_content on_embexpr_beg on_embvar].include?(event)
    last = text unless event == :on_sp
  end
  found
end
