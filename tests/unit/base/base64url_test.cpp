// Base64url: the vectors of RFC 4648, and one text only for each byte string.
#include "base/base64url.hpp"

#include <gtest/gtest.h>

#include <array>
#include <utility>

namespace obol { namespace {

TEST(Base64Url, EncodesAndDecodesTheVectorsOfRfc4648) {
  const std::array<std::pair<std::string_view, std::string_view>, 8> vectors{{{"", ""},
                                                                              {"f", "Zg"},
                                                                              {"fo", "Zm8"},
                                                                              {"foo", "Zm9v"},
                                                                              {"foob", "Zm9vYg"},
                                                                              {"fooba", "Zm9vYmE"},
                                                                              {"foobar", "Zm9vYmFy"},
                                                                              {"\xfb\xff\xfe", "-__-"}}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(base64url_encode(bytes), text);
    EXPECT_EQ(base64url_decode(text), bytes);
  }
}

TEST(Base64Url, RefusesPaddingForeignCharactersAndStrayBits) {
  for (const auto* text : {"Zg==", "Z", "Zm9vY", "Zm 8", "+//+", "Zh", "Zm9", "Z\x80"}) {
    EXPECT_FALSE(base64url_decode(text).has_value()) << text;
  }
}

}}  // namespace obol
