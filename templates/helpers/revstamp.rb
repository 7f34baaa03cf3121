# frozen_string_literal: true

# The URLs of the site's assets with their versions, for ERB and Ruby 2.5 and
# later. Written by "revstamp helper erb"; write it again instead of changing it.
#
#   require_relative 'revstamp'
#   include Revstamp
#
#   <link rel="stylesheet" href="<%= h asset('css/site.css') %>">
#
# The manifest is read again when it is another file than before, which costs a
# stat for each call. The functions may be called by several threads.

require 'json'

module Revstamp
  FILE = File.expand_path(@MANIFEST@, __dir__)
  private_constant :FILE

  @now = nil # the signature of the file, and what it holds

  class << self
    # What the manifest holds now.
    def data
      before = @now
      begin
        stat = File.stat(FILE)
        signature = [stat.dev, stat.ino, stat.mtime, stat.size]
        unless before && before[0] == signature
          data = JSON.parse(File.read(FILE, encoding: 'UTF-8'))
          unless data.is_a?(Hash) && data['format'] == 1 && data['url'] && data['assets']
            raise JSON::ParserError, "#{FILE} is no manifest that this helper knows"
          end

          before = @now = [signature, data]
        end
      rescue SystemCallError, JSON::ParserError
        raise unless before # a page is not lost because a file is, for a moment
      end
      before[1]
    end

    # The path under the asset root, and the query or fragment behind it.
    def cut(path)
      path = path.sub(%r{\A/+}, '')
      finish = path.index(/[?#]/) || path.length
      [path[0...finish], path[finish..-1]]
    end
  end

  module_function

  # The URL of an asset. Escape it for HTML.
  def asset(path)
    data = Revstamp.data
    name, rest = Revstamp.cut(path)
    known = data['assets'][name]
    return data['url'] + name + rest unless known

    rest = "&#{rest[1..-1]}" if rest.start_with?('?') && known['url'].include?('?')
    known['url'] + rest
  end

  # What the attribute integrity is to be for an asset; empty when it is not known.
  def integrity(path)
    known = Revstamp.data['assets'][Revstamp.cut(path)[0]]
    known ? known['integrity'] : ''
  end

  # The site's revision.
  def revision
    Revstamp.data['revision'] || ''
  end
end
