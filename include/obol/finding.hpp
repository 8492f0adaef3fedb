// A fact about the server or its settings that the host should know.
#pragma once

#include <string>
#include <string_view>

namespace obol { inline namespace v0 {

/// Severity of a finding.
enum class Severity {
  note,     ///< For information.
  warning,  ///< Sessions are at risk, or will be.
  problem,  ///< Some calls fail now.
};

/// Returns "note", "warning" or "problem".
constexpr std::string_view to_string(Severity severity) noexcept {
  switch (severity) {
    case Severity::note:
      return "note";
    case Severity::warning:
      return "warning";
    case Severity::problem:
      break;
  }
  return "problem";
}

/// What was found, and what to do about it.
struct Finding {
  Severity severity = Severity::note;  ///< Severity.
  std::string_view topic{};            ///< One of a fixed set, such as "eviction_policy": see docs/operations.md.
  std::string message{};               ///< What was found and what to do, in English.
};

}}  // namespace obol::v0
