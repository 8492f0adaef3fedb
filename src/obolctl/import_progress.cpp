// A small JSON file, replaced as a whole.
#include "obolctl/import_progress.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "obolctl/export_file.hpp"
#include "obolctl/json.hpp"

namespace obol::ctl {

std::string import_progress_path(const std::string& export_path) { return export_path + ".import"; }

std::optional<ImportProgress> read_import_progress(const std::string& export_path, const ImportProgress& expected) {
  std::ifstream file(import_progress_path(export_path));
  if (!file) return std::nullopt;
  try {
    const auto object = Json::parse(file);
    if (object.at("target") != expected.target || object.at("sha256") != expected.sha256) return std::nullopt;
    auto progress = expected;
    progress.offset = object.at("offset");
    return progress;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

Result<void> write_import_progress(const std::string& export_path, const ImportProgress& progress) {
  const auto path = import_progress_path(export_path);
  const auto temporary = path + ".new";
  const auto text =
      Json{{"target", progress.target}, {"sha256", progress.sha256}, {"offset", progress.offset}}.dump() + '\n';
  const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) return file_error("write", temporary);
  const auto written = ::write(descriptor, text.data(), text.size());
  ::close(descriptor);
  if (written != static_cast<ssize_t>(text.size()) || std::rename(temporary.c_str(), path.c_str()) != 0) {
    return file_error("write", path);
  }
  return {};
}

void remove_import_progress(const std::string& export_path) { ::unlink(import_progress_path(export_path).c_str()); }

}  // namespace obol::ctl
