# Checks a stored session with other people's libraries (the gems cose and cbor, OpenSSL): reads four lines of hexadecimal
# digits, key, Redis key, field and sealed session; prints what the session holds, or fails where it does not verify.
require "cbor"
require "cose"
require "openssl"

def verified_payload(message, key, external_data)
  mac0 = COSE::Mac0.deserialize(CBOR.encode(message))
  mac_key = COSE::Key::Symmetric.new(k: key)
  mac_key.kid = mac0.unprotected_headers[4]
  mac0.verify(mac_key, external_data)
  mac0.payload
end

def decrypted_payload(message, key, external_data)
  protected_header, unprotected_header, ciphertext = message.value
  raise "not A256GCM" unless CBOR.decode(protected_header) == { 1 => 3 }
  cipher = OpenSSL::Cipher.new("aes-256-gcm").decrypt
  cipher.key = OpenSSL::KDF.hkdf(key, salt: "", info: "obol session encryption A256GCM", length: 32, hash: "SHA256")
  cipher.iv = unprotected_header[5]
  cipher.auth_tag = ciphertext[-16..]
  cipher.auth_data = CBOR.encode(["Encrypt0".encode("UTF-8"), protected_header, external_data])
  cipher.update(ciphertext[...-16]) + cipher.final
end

key, stored_key, field, sealed = STDIN.each_line.map { |line| [line.strip].pack("H*") }
lock_version = sealed[0, 8].unpack1("Q>")
external_data = CBOR.encode(["obol".encode("UTF-8"), stored_key.b, field.b, lock_version])

message = CBOR.decode(sealed[8..])
payload = case message.tag
          when 17 then verified_payload(message, key, external_data)
          when 16 then decrypted_payload(message, key, external_data)
          else raise "neither tag 16 nor 17"
          end

session = CBOR.decode(payload)
puts "lock_version=#{lock_version}"
(1..9).each do |label|
  value = session[label]
  puts "#{label}=#{value.is_a?(String) ? value.unpack1("H*") : value}"
end
puts "write_id_bytes=#{session[10].bytesize}"
