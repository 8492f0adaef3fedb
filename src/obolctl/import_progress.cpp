// A small JSON file, replaced as a whole.
#include "obolctl/import_progress.hpp"

#include <unistd.h>

#include <cstdio>

#include "obolctl/json.hpp"
#include "obolctl/own_file.hpp"

namespace obol::ctl {

std::string import_progress_path(const std::string& export_path) { return export_path + ".import"; }

Result<std::optional<ImportProgress>> read_import_progress(const std::string& export_path,
                                                           const ImportProgress& expected) {
  const auto file = read_own_file(import_progress_path(export_path));
  if (!file) return std::unexpected(file.error());
  std::string text;
  if (file->number() < 0 || !Lines(file->number()).next(text)) return std::nullopt;
  try {
    const auto object = Json::parse(text);
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
  const auto file = replace_own_file(temporary);
  if (!file) return std::unexpected(file.error());
  if (auto written = write_all(*file, text, temporary); !written) return written;
  if (std::rename(temporary.c_str(), path.c_str()) != 0) return file_error("write", path);
  return {};
}

void remove_import_progress(const std::string& export_path) { ::unlink(import_progress_path(export_path).c_str()); }

}  // namespace obol::ctl
