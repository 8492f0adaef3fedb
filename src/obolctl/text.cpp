// Writes bytes, times and tables.
#include "obolctl/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/decimal.hpp"

namespace obol::ctl {
std::string escaped(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    if (byte == '\\') {
      text += R"(\\)";
    } else if (byte >= ' ' && byte <= '~') {
      text += byte;
    } else {
      text += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
    }
  }
  return text;
}

std::string printable(std::string_view message) {
  std::string text;
  for (const char byte : message) text += byte == '\\' ? std::string(1, byte) : escaped({&byte, 1});
  return text;
}

Result<std::string> unescaped(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    if (text.front() != '\\') {
      bytes += text.front();
      text.remove_prefix(1);
    } else if (text.starts_with(R"(\\)")) {
      bytes += '\\';
      text.remove_prefix(2);
    } else if (const auto byte = text.starts_with("\\x") ? hex_byte(text.substr(2, 2)) : std::nullopt) {
      bytes += static_cast<char>(*byte);
      text.remove_prefix(4);
    } else {
      return std::unexpected(
          Error{ErrorCode::invalid_argument, R"(with --escaped a backslash begins \\ or \xHH, and nothing else)"});
    }
  }
  return bytes;
}

std::string iso8601(std::chrono::sys_seconds time) {
  using namespace std::chrono;
  constexpr sys_seconds first = sys_days{year{0} / January / 1};
  constexpr sys_seconds behind = sys_days{year{10000} / January / 1};
  if (time < first || time >= behind) return "-";
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss clock{time - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count());
}

std::string byte_count(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  auto value = static_cast<double>(bytes) / 1024;
  for (const auto* unit : {"KiB", "MiB", "GiB"}) {
    if (value < 1024) return fmt::format("{:.1f} {}", value, unit);
    value /= 1024;
  }
  return fmt::format("{:.1f} TiB", value);
}

std::string counted(std::uint64_t number, std::string_view noun) {
  return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s");
}

std::string Table::text() const {
  std::vector<std::size_t> widths(rows_.front().size());
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}  ", row[i], widths[i]);
    line.erase(line.find_last_not_of(' ') + 1);
    text.append(line).append("\n");
  }
  return text;
}

}  // namespace obol::ctl
