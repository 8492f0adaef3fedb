// Looks for well-known words in the User-Agent header, and keeps only part of the address.
#include "device.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <string>

namespace example::auth_server {
namespace {

struct Word {
  std::string_view word;
  std::string_view name;
};

// The first match counts: most browsers also claim to be those further down.
constexpr std::array browsers{
    Word{"Edg/", "Edge"},        Word{"OPR/", "Opera"},     Word{"SamsungBrowser/", "Samsung Internet"},
    Word{"Firefox/", "Firefox"}, Word{"FxiOS/", "Firefox"}, Word{"CriOS/", "Chrome"},
    Word{"Chrome/", "Chrome"},   Word{"Safari/", "Safari"}, Word{"curl/", "curl"}};
constexpr std::array systems{Word{"iPhone", "iPhone"}, Word{"iPad", "iPad"},       Word{"Android", "Android"},
                             Word{"CrOS", "ChromeOS"}, Word{"Windows", "Windows"}, Word{"Macintosh", "Mac"},
                             Word{"Linux", "Linux"}};

std::string_view find_word(std::string_view text, std::span<const Word> words) {
  for (const auto& [word, name] : words) {
    if (text.contains(word)) return name;
  }
  return {};
}

// A product's name is a token (RFC 9110). Other text could contain characters that change the writing direction.
bool is_product_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

std::string name_of(std::string_view user_agent) {
  const auto browser = find_word(user_agent, browsers);
  const auto system = find_word(user_agent, systems);
  if (!browser.empty() && !system.empty()) return fmt::format("{} on {}", browser, system);
  if (!browser.empty()) return std::string(browser);
  if (!system.empty()) return std::string(system);
  const auto product = user_agent.substr(0, user_agent.find_first_of(" /"));
  return is_product_name(product) ? std::string(product.substr(0, 40)) : "Unknown device";
}

std::string_view kind_of(std::string_view user_agent) {
  if (user_agent.contains("iPad") || (user_agent.contains("Android") && !user_agent.contains("Mobile")))
    return "tablet";
  return user_agent.contains("iPhone") || user_agent.contains("Mobile") ? "phone" : "computer";
}

std::string place_of(std::string address) {
  if (address.starts_with("::ffff:")) address.erase(0, 7);
  if (in_addr v4{}; ::inet_pton(AF_INET, address.c_str(), &v4) == 1) {
    return address.starts_with("127.") ? "this computer" : address.substr(0, address.rfind('.')) + ".x";
  }
  if (in6_addr v6{}; ::inet_pton(AF_INET6, address.c_str(), &v6) == 1) {
    if (IN6_IS_ADDR_LOOPBACK(&v6)) return "this computer";
    return fmt::format("{:x}:{:x}:{:x}::", ntohs(v6.s6_addr16[0]), ntohs(v6.s6_addr16[1]), ntohs(v6.s6_addr16[2]));
  }
  return "unknown place";
}

}  // namespace

Device recognise_device(std::string_view user_agent, std::string_view address) {
  return {
      .name = name_of(user_agent), .kind = std::string(kind_of(user_agent)), .place = place_of(std::string(address))};
}

}  // namespace example::auth_server
