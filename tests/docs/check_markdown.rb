# Every link of the Markdown files to a file or a heading resolves. Every file of the project that they name exists, and so does
# every docs/ page that sources and scripts name. Each error code has a page. The indexes lead to every page.
# Usage: ruby check_markdown.rb FOLDER
require 'set'

Dir.chdir(ARGV.fetch(0))
$wrong = []
IGNORED = %r{\A(build|\.deps|\.git|node_modules)/}

def text_outside_code(path)
  File.read(path, encoding: 'UTF-8').gsub(/^```.*?^```/m, '').gsub(/^ {4}.*$/, '').gsub(/`[^`\n]*`/) { |code| code.tr('[]()', '') }
end

# Headings as GitHub names them: lower case, without punctuation, spaces as hyphens, repeated ones counted.
def anchors(path)
  seen = Hash.new(0)
  File.read(path, encoding: 'UTF-8').gsub(/^```.*?^```/m, '').scan(/^\#{1,6} +(.+?) *$/).flatten.to_set do |heading|
    slug = heading.gsub(/\[([^\]]*)\]\([^)]*\)/, '\1').downcase.gsub(/[^\p{Word}\- ]/, '').tr(' ', '-')
    count = (seen[slug] += 1) - 1
    count.zero? ? slug : "#{slug}-#{count}"
  end
end

files = Dir.glob('**/*.md').grep_v(IGNORED)
links = 0
files.each do |file|
  text_outside_code(file).scan(/\]\(<?([^)>\s]+)>?\)|(?:href|src)="([^"]+)"/) do |markdown, html|
    target = markdown || html
    next if target.match?(/\A(https?|mailto):/)

    links += 1
    path, anchor = target.split('#', 2)
    path = path.empty? ? file : File.join(File.dirname(file), path)
    if !File.exist?(path) then $wrong << "#{file}: #{target} leads to no file"
    elsif anchor && path.end_with?('.md') && !anchors(path).include?(anchor) then $wrong << "#{file}: #{target} has no such heading"
    end
  end
end

# CHANGELOG.md also names files of the past.
paths = 0
(files - ['CHANGELOG.md']).each do |file|
  File.read(file, encoding: 'UTF-8').scan(%r{`((?:src|include|tests|scripts|examples|benchmarks|cmake|lua|packaging|docs)/[\w./*-]+)}) do |(path)|
    paths += 1
    $wrong << "#{file}: names #{path}, which is not there" if Dir.glob(path).empty?
  end
end

named = Dir.glob('{src,include,scripts,cmake,examples,benchmarks,lua,adapters,tests}/**/*').select { |path| File.file?(path) }
named.each do |file|
  next if file.start_with?('tests/fuzz/corpus/')

  File.binread(file).scan(%r{docs/[A-Za-z0-9_/-]+\.md}) { |page| $wrong << "#{file}: names #{page}, which is not there" unless File.exist?(page) }
end

codes = File.read('include/obol/error.hpp')[/enum class ErrorCode \{(.*?)\n\};/m, 1].scan(/^ *(\w+)(?: = \d+)?,/).flatten
pages = Dir.glob('docs/errors/*.md').map { |path| File.basename(path, '.md') }
index = File.read('docs/errors.md')
(codes - pages).each { |code| $wrong << "docs/errors/#{code}.md is missing" }
(pages - codes).each { |page| $wrong << "docs/errors/#{page}.md is of no ErrorCode" }
codes.each do |code|
  $wrong << "docs/errors.md does not lead to #{code}" unless index.include?("(errors/#{code}.md)")
  next unless pages.include?(code)

  page = File.read("docs/errors/#{code}.md")
  ["# #{code}\n", "\n## Cause\n", "\n## Cure\n"].each { |part| $wrong << "docs/errors/#{code}.md lacks '#{part.strip}'" unless page.include?(part) }
end

indexes = File.read('docs/index.md') + index
(Dir.glob('docs/**/*.md') - ['docs/index.md']).each do |path|
  $wrong << "#{path}: docs/index.md does not lead to it" unless indexes.include?("(#{path.delete_prefix('docs/')})")
end

abort $wrong.join("\n") unless $wrong.empty?
abort 'nothing was looked at' if links < 50 || paths < 50 || codes.size < 20
puts "#{links} links and #{paths} paths in #{files.size} files, #{codes.size} error codes"
