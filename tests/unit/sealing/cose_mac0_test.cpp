// COSE_Mac0 against the COSE working group's cases (cose-wg/Examples, mac0-tests and hmac-examples/HMac-01).
#include "sealing/cose_mac0.hpp"

#include <gtest/gtest.h>

#include "obol/keyring.hpp"
#include "sealing/cose_headers.hpp"
#include "support/hex.hpp"

namespace obol::sealing { namespace {

using testing::from_hex;
using testing::to_hex;

constexpr const char* working_group_key = "849b57219dae48de646d07dbb533566e976686457c1491be3a76dcea6c427188";
constexpr const char* content = "546869732069732074686520636f6e74656e742e";  // "This is the content."

struct Case {
  const char* name;
  std::string cbor;
  const char* external;
  bool genuine;
};

std::ostream& operator<<(std::ostream& out, const Case& value) { return out << value.name; }

std::string mac0(const std::string& head, const std::string& headers, const char* tag) {
  return head + headers + "54" + content + "5820" + tag;
}

constexpr const char* hmac_01_tag = "a1a848d3471f9d61ee49018d244c824772f223ad4f935293f1789fc3a08d8c58";
constexpr const char* hmac_01_changed = "a1a848d3471f9d61ee49018d244c824772f223ad4f935293f1789fc3a08d8c59";
constexpr const char* unprotected_tag = "176dce14c1e57430c13658233f41dc89aa4fa0ff9b8783f23b0ef51ca6b026bc";
constexpr const char* external_tag = "0fecaec59bb46cc8a488aaca4b205e322dd52696b75a45768d3c302dd4bae2f7";

/// A COSE_Mac0 of any form taken apart; views into the bytes it was read from.
struct Mac0 : CoseHeaders {
  std::string_view payload;
  std::string_view tag;
};

std::optional<Mac0> parse_mac0(std::string_view bytes) {
  constexpr std::int64_t hmac_256_256 = 5;
  cbor::Reader reader(bytes);
  Mac0 mac0;
  if (!read_headers(reader, 17, 4, mac0) || mac0.algorithm != hmac_256_256) return std::nullopt;
  mac0.payload = reader.bytes().value();
  mac0.tag = reader.bytes().value();
  return mac0;
}

class WorkingGroupCase : public ::testing::TestWithParam<Case> {};

TEST_P(WorkingGroupCase, IsToldGenuineFromForged) {
  const auto key = HmacKey::load(from_hex(working_group_key));
  const auto bytes = from_hex(GetParam().cbor);
  const auto parsed = parse_mac0(bytes);
  if (!parsed) {
    EXPECT_FALSE(GetParam().genuine);
    return;
  }
  EXPECT_EQ(to_hex(parsed->payload), content);
  const auto tag = mac0_tag(*key, parsed->protected_header, from_hex(GetParam().external), parsed->payload);
  ASSERT_TRUE(tag.has_value());
  EXPECT_EQ(equal_constant_time(as_text(*tag), parsed->tag), GetParam().genuine);
}

INSTANTIATE_TEST_SUITE_P(
    Mac0, WorkingGroupCase,
    ::testing::Values(Case{"HMac-01", mac0("d184", "43a10105a0", hmac_01_tag), "", true},
                      Case{"mac-pass-01", mac0("d184", "41a0a10105", unprotected_tag), "", true},
                      Case{"mac-pass-02", mac0("d184", "40a10105", external_tag), "ff00ee11dd22cc33bb44aa559966", true},
                      Case{"mac-pass-02 without its external data", mac0("d184", "40a10105", external_tag), "", false},
                      Case{"mac-pass-03", mac0("84", "40a10105", unprotected_tag), "", true},
                      Case{"mac-fail-01", mac0("d903e084", "43a10105a0", hmac_01_tag), "", false},
                      Case{"mac-fail-02", mac0("d184", "43a10105a0", hmac_01_changed), "", false},
                      Case{"mac-fail-03", mac0("d184", "45a1013903e6a0", hmac_01_tag), "", false},
                      Case{"mac-fail-04", mac0("d184", "4aa10167556e6b6e6f776ea0", hmac_01_tag), "", false}));

Keyring keyring() { return Keyring(SigningKey::from_bytes(from_hex(working_group_key), "our-secret").value()); }

TEST(ObolsForm, IsTaggedWithAProtectedAlgorithmAndAKeyId) {
  std::string bytes;
  ASSERT_TRUE(write_mac0(bytes, keyring().keys()->current(), "", from_hex(content)));
  EXPECT_EQ(to_hex(bytes), mac0("d184", "43a10105a1044a6f75722d736563726574", hmac_01_tag));
  EXPECT_EQ(open_mac0(bytes, "", *keyring().keys()), from_hex(content));
}

TEST(ObolsForm, RefusesEveryOtherForm) {
  const std::string key_id = "044a6f75722d736563726574";
  for (const auto& hex :
       {mac0("84", "43a10105a1" + key_id, hmac_01_tag), mac0("d184", "43a10105a0", hmac_01_tag),
        mac0("d184", "41a0a20105" + key_id, unprotected_tag), mac0("d184", "40a20105" + key_id, unprotected_tag),
        mac0("d184", "43a10105a20105" + key_id, hmac_01_tag), mac0("d184", "43a10105a1" + key_id, hmac_01_tag) + "00",
        mac0("d184", "43a10105a2" + key_id + "0500", hmac_01_tag),
        mac0("d184", "44a1011805a1" + key_id, hmac_01_tag)}) {
    EXPECT_EQ(open_mac0(from_hex(hex), "", *keyring().keys()), std::unexpected(VerificationFailure::malformed)) << hex;
  }
}

}}  // namespace obol::sealing
