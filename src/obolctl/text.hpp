// How bytes, times and tables are written for a human, and read back.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "obol/error.hpp"

namespace obol::ctl {

/// Printable ASCII as it is, a backslash as \\, every other byte as \xHH: nothing that could steer a terminal.
std::string escaped(std::string_view bytes);

/// A message: as `escaped`, but a backslash stays as it is, so that this cannot be read back.
std::string printable(std::string_view message);

/// The bytes that `escaped` writes so. `invalid_argument` for anything else.
Result<std::string> unescaped(std::string_view text);

/// ISO 8601 in UTC, such as 2026-11-24T15:40:21Z; "-" outside the years 0 to 9999.
std::string iso8601(std::chrono::sys_seconds time);

/// With a unit, such as "1.5 MiB".
std::string byte_count(std::uint64_t bytes);

/// A number with its noun, in the plural where it is not 1.
std::string counted(std::uint64_t number, std::string_view noun);

/// Columns as wide as their widest cell; no spaces at the ends of lines.
class Table {
 public:
  explicit Table(std::vector<std::string> head) : rows_{std::move(head)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace obol::ctl
