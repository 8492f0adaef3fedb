// The grammar of section 2.1: "Bearer" in any case, spaces, and a b64token.
#include "bearer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

namespace example::api_server {
namespace {

constexpr std::string_view scheme = "bearer";

bool equal_but_for_case(std::string_view text, std::string_view lower) {
  return std::ranges::equal(text, lower, [](char one, char other) {
    return (one >= 'A' && one <= 'Z' ? static_cast<char>(one - 'A' + 'a') : one) == other;
  });
}

bool is_b64token(std::string_view text) {
  text = text.substr(0, text.find_last_not_of('=') + 1);
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._~+/").contains(c);
  });
}

}  // namespace

Bearer read_bearer(const std::vector<std::string>& headers) {
  if (headers.empty()) return {};
  if (headers.size() > 1) return {.found = Bearer::Found::malformed};
  const std::string_view header = headers.front();
  const auto end = std::min(header.find(' '), header.size());
  if (!equal_but_for_case(header.substr(0, end), scheme)) return {};
  const auto token = header.substr(std::min(header.find_first_not_of(' ', end), header.size()));
  if (!is_b64token(token)) return {.found = Bearer::Found::malformed};
  return {.found = Bearer::Found::token, .token = token};
}

std::string challenge(std::string_view error, std::string_view description) {
  if (error.empty()) return R"(Bearer realm="api")";
  return fmt::format(R"(Bearer realm="api", error="{}", error_description="{}")", error, description);
}

}  // namespace example::api_server
