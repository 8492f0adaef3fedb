// Reads Cookie headers and writes Set-Cookie headers (RFC 6265).
#include "cookies.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace example::auth_server {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool is_base64url(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

std::string_view plain_name(Cookie cookie) {
  switch (cookie) {
    case Cookie::access:
      return "obol_access";
    case Cookie::refresh:
      return "obol_refresh";
    case Cookie::form:
      return "obol_form";
    case Cookie::device:
      break;
  }
  return "obol_device";
}

}  // namespace

std::string Cookies::name(Cookie cookie) const {
  return fmt::format("{}{}", is_over_tls_ ? "__Host-" : "", plain_name(cookie));
}

std::string Cookies::read(const std::vector<std::string>& headers, Cookie cookie) const {
  const auto wanted = name(cookie);
  std::string value;
  int found = 0;
  for (const std::string_view header : headers) {
    for (std::size_t begin = 0; begin < header.size();) {
      const auto end = std::min(header.find(';', begin), header.size());
      const auto pair = trimmed(header.substr(begin, end - begin));
      begin = end + 1;
      const auto equals = pair.find('=');
      if (equals == std::string_view::npos || pair.substr(0, equals) != wanted) continue;
      value = pair.substr(equals + 1);
      ++found;
    }
  }
  return found == 1 && is_base64url(value) ? value : "";
}

bool is_form_secret(std::string_view text) { return text.size() == 22 && is_base64url(text); }

std::string Cookies::set(Cookie cookie, std::string_view value, std::chrono::seconds lifetime) const {
  return fmt::format("{}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{}", name(cookie), value, lifetime.count(),
                     is_over_tls_ ? "; Secure" : "");
}

}  // namespace example::auth_server
