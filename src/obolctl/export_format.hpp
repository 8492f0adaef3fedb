// The lines of an export, each a JSON object; docs/export-format.md describes them.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "store/session_commands.hpp"

struct evp_md_ctx_st;

namespace obol::ctl {

/// The first line.
struct ExportHeader {
  std::string key_prefix;
  std::string server;  ///< Kind and version, such as "Redis 8.0.6".
  std::chrono::sys_seconds created_at{};
};

/// A session as it stands, sealed.
struct ExportedSession {
  std::string user_id;
  std::string type;
  std::string id;
  FieldExpiry expires_at{};
  std::string sealed;
};

/// A revocation mark.
struct ExportedMark {
  std::string user_id;
  std::string type;
  FieldExpiry expires_at{};
  std::string mark;
};

/// True for the text of a mark: Unix seconds.
bool is_mark(std::string_view text);

/// How far the export has come: what is above it is whole.
struct Checkpoint {
  std::string run_id;  ///< Of the primary that is being read.
  bool is_at_marks = false;
  std::string cursor;
};

/// The last line.
struct ExportTrailer {
  std::uint64_t sessions = 0;
  std::uint64_t marks = 0;
  std::string sha256;  ///< Of every byte above the line, in hexadecimal.
};

using ExportLine = std::variant<ExportHeader, ExportedSession, ExportedMark, Checkpoint, ExportTrailer>;

/// With its line feed.
std::string to_text(const ExportLine& line);

/// Nothing where it is no such line, or holds what no session may have.
std::optional<ExportLine> parse_export_line(std::string_view text);

/// SHA-256 of bytes as they come.
class Checksum {
 public:
  Checksum();
  void add(std::string_view bytes);

  /// In hexadecimal, of all that was added so far.
  std::string hex() const;

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const noexcept;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

}  // namespace obol::ctl
