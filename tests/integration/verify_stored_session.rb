# Checks a stored session with other people's libraries (the gems cose and cbor): reads four lines of hexadecimal digits,
# key, Redis key, field and sealed session; prints what the session holds, or fails where its MAC does not verify.
require "cbor"
require "cose"

key, stored_key, field, sealed = STDIN.each_line.map { |line| [line.strip].pack("H*") }
lock_version = sealed[0, 8].unpack1("Q>")
text = "obol".encode("UTF-8")
external_data = CBOR.encode([text, stored_key.b, field.b, lock_version])

tagged = CBOR.decode(sealed[8..])
raise "not tag 17" unless tagged.tag == 17
mac0 = COSE::Mac0.deserialize(CBOR.encode(tagged))
mac_key = COSE::Key::Symmetric.new(k: key)
mac_key.kid = mac0.unprotected_headers[4]
mac0.verify(mac_key, external_data)

session = CBOR.decode(mac0.payload)
puts "lock_version=#{lock_version}"
(1..9).each do |label|
  value = session[label]
  puts "#{label}=#{value.is_a?(String) ? value.unpack1("H*") : value}"
end
puts "write_id_bytes=#{session[10].bytesize}"
