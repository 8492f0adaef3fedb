# Checks an access or refresh token with other people's libraries (the gems cose and cbor): reads two lines, the key in
# hexadecimal digits and the token; prints its type and claims, or fails where it does not verify.
require "base64"
require "cbor"
require "cose"

key, token = STDIN.each_line.map(&:strip)
mac0 = COSE::Mac0.deserialize(Base64.urlsafe_decode64(token))
mac_key = COSE::Key::Symmetric.new(k: [key].pack("H*"))
mac_key.kid = mac0.unprotected_headers[4]
mac0.verify(mac_key)

puts "typ=#{mac0.protected_headers[16]}"
CBOR.decode(mac0.payload).each do |label, value|
  is_bytes = value.is_a?(String) && value.encoding == Encoding::BINARY
  puts "#{label}=#{is_bytes ? value.unpack1("H*") : value}"
end
