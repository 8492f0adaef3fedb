// How far an import has come, kept beside the export, so that an import that was killed goes on where it was: whoever
// was logged out on the new server in between must not be logged in again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "obol/error.hpp"

namespace obol::ctl {

struct ImportProgress {
  std::string target;  ///< Which run of which server, and which database.
  std::string sha256;  ///< Of the export.
  std::uint64_t offset = 0;
};

/// "FILE.import".
std::string import_progress_path(const std::string& export_path);

/// Nothing if there is none, or it is of another export or another target. An error if somebody else may have written
/// it, since sessions that it claims to be imported are left out.
Result<std::optional<ImportProgress>> read_import_progress(const std::string& export_path,
                                                           const ImportProgress& expected);

Result<void> write_import_progress(const std::string& export_path, const ImportProgress& progress);
void remove_import_progress(const std::string& export_path);

}  // namespace obol::ctl
