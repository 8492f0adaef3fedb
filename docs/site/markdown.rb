# Converts a Markdown page for Doxygen 1.9.4, which does not resolve links to headings, images and sources. Headings get labels,
# and links use them. Images come from img/. A link to a file that is not a page becomes its name. Pages get their place in the
# navigation.
# Usage: ruby markdown.rb PAGE
def slug(heading) = heading.gsub(/\[([^\]]*)\]\([^)]*\)/, '\1').downcase.gsub(/[^a-z0-9_\- ]/, '').tr(' ', '-')
def page(path) = File.basename(path, '.md')


# The two indexes form the tree of the site's navigation: the pages they link to are below them.
def is_below?(here, path) = (here == 'index' && path != 'index.md') || (here == 'errors' && path.start_with?('errors/'))

def label(here, path)
  from_root = File.expand_path(path, "/#{here == 'errors' || here == 'index' ? 'docs' : ''}").delete_prefix('/')
  "md_#{from_root.delete_suffix('.md').gsub(/[^A-Za-z0-9]/, '_')}"
end

def link(text, target, here)
  return "[#{text}](#{target})" if target.match?(/\A(https?|mailto):/)

  path, anchor = target.split('#', 2)
  if anchor && (path.empty? || path.end_with?('.md')) then "[#{text}](@ref #{page(path.empty? ? here : path)}-#{anchor})"
  elsif path.end_with?('.md') && is_below?(here, path) then "@subpage #{label(here, path)} \"#{text.delete('`')}\""
  elsif path.end_with?('.md') && !path.include?('examples/') then "[#{text}](#{target})"
  elsif text.delete('`').end_with?(File.basename(path)) then text.include?('`') ? text : "`#{text}`"
  else "#{text} (`#{File.basename(path)}`)" end
end

here = ARGV.fetch(0)
in_code = false
File.foreach(here, encoding: 'UTF-8') do |line|
  in_code = !in_code if line.start_with?('```')
  unless in_code || line.start_with?('    ')
    line = line.delete('`') if line.start_with?('# ')
    line = line.sub(/^(\#{2,6} +)(.+?) *$/) { "#{$1}#{$2} {##{page(here)}-#{slug($2)}}" }
    line = line.gsub(/!\[([^\]]*)\]\(([^)\s]+)\)/) { "<img src=\"img/#{File.basename($2)}\" alt=\"#{$1}\"/>" }
    line = line.gsub(/(<img[^>]* src=")([^"]+)"/) { "#{$1}img/#{File.basename($2)}\"" }
    line = line.gsub(/(?<!!)\[([^\]]*)\]\(([^)\s]+)\)/) { link($1, $2, page(here)) }
  end
  puts line
end
