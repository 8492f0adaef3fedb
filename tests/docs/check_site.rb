# Every local link of the built site leads to a file of it, and to a place in that file. Usage: ruby check_site.rb FOLDER
require 'set'

Dir.chdir(ARGV.fetch(0))
pages = Dir.glob('*.html')
ids = Hash.new { |known, page| known[page] = File.read(page).scan(/(?:id|name)="([^"]+)"/).flatten.to_set }
links = 0
wrong = pages.flat_map do |page|
  File.read(page).scan(/(?:href|src)="([^"]+)"/).flatten.reject { |target| target.match?(/\A(https?|mailto|javascript):|\$/) }.map do |target|
    links += 1
    path, anchor = target.split('#', 2)
    path = page if path.to_s.empty?
    next "#{page}: #{target} leads to no file" unless File.exist?(path)

    "#{page}: #{target} leads to no place" if anchor && !anchor.empty? && path.end_with?('.html') && !ids[path].include?(anchor)
  end
end
wrong.compact!
abort wrong.uniq.join("\n") unless wrong.empty?
abort 'there is no site' if pages.size < 50 || !pages.include?('index.html')
puts "#{links} links in #{pages.size} pages"
