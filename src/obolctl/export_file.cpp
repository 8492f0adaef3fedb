// Writes and reads export files.
#include "obolctl/export_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

namespace obol::ctl {
namespace {

constexpr std::size_t flushed_from = std::size_t{1024} * 1024;

std::unexpected<Error> damaged(const std::string& path, const char* how) {
  return std::unexpected(
      Error{ErrorCode::protocol,
            fmt::format("{} {}; nothing was imported. Export again, or copy the file again", path, how)});
}

}  // namespace

Result<ExportWriter> ExportWriter::open(const std::string& path, const std::string& key_prefix) {
  ExportWriter writer(path);
  if (::access(path.c_str(), F_OK) == 0) {
    return std::unexpected(
        Error{ErrorCode::invalid_argument, fmt::format("{} already exists; move it away or name another file", path)});
  }
  auto file = open_own_file(writer.partial_);
  if (!file) return std::unexpected(std::move(file.error()));
  writer.file_ = std::move(*file);
  // One that has just ended may have given the file its final name.
  if (::flock(writer.file_.number(), LOCK_EX | LOCK_NB) != 0 || !is_named(writer.file_, writer.partial_)) {
    return std::unexpected(
        Error{ErrorCode::invalid_argument, fmt::format("another obolctl is writing {}", writer.partial_)});
  }
  if (auto taken = writer.take_up(key_prefix); !taken) return std::unexpected(std::move(taken.error()));
  return writer;
}

// Counts and sums up what stands above the last checkpoint; what follows it may be cut anywhere.
Result<void> ExportWriter::take_up(const std::string& key_prefix) {
  Lines lines(file_.number());
  std::uint64_t sessions = 0;
  std::uint64_t marks = 0;
  std::uint64_t offset = 0;
  std::uint64_t whole = 0;
  for (std::string text; lines.next(text);) {
    const auto line = parse_export_line(text);
    if (!line) break;
    const auto* header = std::get_if<ExportHeader>(&*line);
    if ((offset == 0) != (header != nullptr) || (header != nullptr && header->key_prefix != key_prefix)) break;
    offset += text.size() + 1;
    if (std::holds_alternative<ExportedSession>(*line)) ++sessions;
    if (std::holds_alternative<ExportedMark>(*line)) ++marks;
    if (const auto* checkpoint = std::get_if<Checkpoint>(&*line)) {
      resumed_at_ = *checkpoint;
      sessions_ = sessions;
      marks_ = marks;
      whole = offset;
    }
  }
  if (!resumed_at_) return restart();
  Lines again(file_.number());
  std::uint64_t left = whole;
  for (std::string text; left > 0 && again.next(text); left -= text.size()) checksum_.add(text.append("\n"));
  if (::ftruncate(file_.number(), static_cast<off_t>(whole)) != 0 || ::lseek(file_.number(), 0, SEEK_END) < 0) {
    return file_error("write", partial_);
  }
  return {};
}

Result<void> ExportWriter::restart() {
  if (::ftruncate(file_.number(), 0) != 0 || ::lseek(file_.number(), 0, SEEK_SET) < 0) {
    return file_error("write", partial_);
  }
  resumed_at_.reset();
  sessions_ = marks_ = 0;
  buffer_.clear();
  checksum_ = Checksum();
  return {};
}

Result<void> ExportWriter::write(const ExportLine& line) {
  const auto text = to_text(line);
  if (std::holds_alternative<ExportedSession>(line)) ++sessions_;
  if (std::holds_alternative<ExportedMark>(line)) ++marks_;
  checksum_.add(text);
  buffer_ += text;
  return buffer_.size() < flushed_from ? Result<void>{} : flush();
}

Result<void> ExportWriter::flush() {
  if (auto written = write_all(file_, buffer_, partial_); !written) return written;
  buffer_.clear();
  return {};
}

Result<void> ExportWriter::checkpoint(const Checkpoint& checkpoint) {
  if (auto written = write(checkpoint); !written) return written;
  return flush();
}

Result<void> ExportWriter::finish() {
  const ExportTrailer trailer{.sessions = sessions_, .marks = marks_, .sha256 = checksum_.hex()};
  if (auto written = write(trailer); !written) return written;
  if (auto flushed = flush(); !flushed) return flushed;
  if (::fsync(file_.number()) != 0) return file_error("write", partial_);
  if (!rename_to_new_name(partial_, path_)) return file_error("rename the finished export to", path_);
  if (!is_named(file_, path_)) {
    return std::unexpected(
        Error{ErrorCode::internal, fmt::format("{} is not what was written: somebody replaced {} meanwhile. Remove it, "
                                               "and export to a folder that only you can write to",
                                               path_, partial_)});
  }
  return {};
}

Result<ExportReader> ExportReader::open(const std::string& path) {
  ExportReader reader;
  reader.path_ = path;
  reader.file_ = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status{};
  if (reader.file_.number() < 0 || ::fstat(reader.file_.number(), &status) != 0) {
    auto error = file_error("read", path);
    error.error().code = ErrorCode::invalid_argument;
    return error;
  }
  reader.size_ = static_cast<std::uint64_t>(status.st_size);
  if (auto verified = reader.verify(); !verified) return std::unexpected(std::move(verified.error()));
  return reader;
}

Result<void> ExportReader::verify() {
  Checksum checksum;
  std::string text;
  std::optional<ExportLine> line;
  std::uint64_t sessions = 0;
  std::uint64_t marks = 0;
  std::uint64_t end = 0;
  Lines lines(file_.number());
  for (std::uint64_t number = 0; lines.next(text); ++number) {
    end += text.size() + 1;
    line = parse_export_line(text);
    if (!line) return damaged(path_, number == 0 ? "is not an export that this release can read" : "was changed");
    if (number == 0 && !std::holds_alternative<ExportHeader>(*line)) return damaged(path_, "has no header");
    if (number == 0) header_ = std::get<ExportHeader>(*line);
    if (std::holds_alternative<ExportTrailer>(*line)) break;
    if (std::holds_alternative<ExportedSession>(*line)) ++sessions;
    if (std::holds_alternative<ExportedMark>(*line)) ++marks;
    checksum.add(text.append("\n"));
  }
  if (!line || !std::holds_alternative<ExportTrailer>(*line)) return damaged(path_, "is truncated");
  trailer_ = std::get<ExportTrailer>(*line);
  if (end != size_) return damaged(path_, "continues after its end");
  if (trailer_.sessions != sessions || trailer_.marks != marks || trailer_.sha256 != checksum.hex()) {
    return damaged(path_, "was changed");
  }
  seek(0);
  return {};
}

void ExportReader::seek(std::uint64_t offset) {
  lines_ = Lines(file_.number(), offset);
  offset_ = offset;
}

Result<ExportLine> ExportReader::next() {
  std::string text;
  auto line = lines_.next(text) ? parse_export_line(text) : std::nullopt;
  if (!line) {
    return std::unexpected(Error{ErrorCode::protocol, fmt::format("{} was changed while it was read", path_)});
  }
  offset_ += text.size() + 1;
  return std::move(*line);
}

}  // namespace obol::ctl
