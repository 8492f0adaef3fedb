// Writes and reads export files.
#include "obolctl/export_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
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

std::unexpected<Error> file_error(const char* what, const std::string& path) {
  const std::error_code code(errno, std::generic_category());
  return std::unexpected(Error{ErrorCode::internal, fmt::format("cannot {} {}: {}", what, path, code.message())});
}

Result<ExportWriter> ExportWriter::open(const std::string& path, const std::string& key_prefix) {
  ExportWriter writer(path);
  if (::access(path.c_str(), F_OK) == 0) {
    return std::unexpected(
        Error{ErrorCode::invalid_argument, fmt::format("{} is there already; move it away or name another", path)});
  }
  writer.descriptor_ = ::open(writer.partial_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (writer.descriptor_ < 0) return file_error("write", writer.partial_);
  if (::flock(writer.descriptor_, LOCK_EX | LOCK_NB) != 0) {
    return std::unexpected(
        Error{ErrorCode::invalid_argument, fmt::format("another obolctl is writing {}", writer.partial_)});
  }
  if (::fchmod(writer.descriptor_, 0600) != 0) return file_error("protect", writer.partial_);
  if (auto taken = writer.take_up(key_prefix); !taken) return std::unexpected(std::move(taken.error()));
  return writer;
}

ExportWriter::ExportWriter(ExportWriter&& other) noexcept
    : path_(std::move(other.path_)),
      partial_(std::move(other.partial_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      buffer_(std::move(other.buffer_)),
      checksum_(std::move(other.checksum_)),
      resumed_at_(std::move(other.resumed_at_)),
      sessions_(other.sessions_),
      marks_(other.marks_) {}

ExportWriter::~ExportWriter() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

// Counts and sums up what stands above the last checkpoint; what follows it may be cut anywhere.
Result<void> ExportWriter::take_up(const std::string& key_prefix) {
  std::ifstream file(partial_);
  std::uint64_t sessions = 0;
  std::uint64_t marks = 0;
  std::uint64_t offset = 0;
  std::uint64_t whole = 0;
  for (std::string text; std::getline(file, text) && !file.eof();) {
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
  file.clear();
  file.seekg(0);
  std::uint64_t left = whole;
  for (std::string text; left > 0 && std::getline(file, text); left -= text.size()) checksum_.add(text.append("\n"));
  if (::ftruncate(descriptor_, static_cast<off_t>(whole)) != 0 || ::lseek(descriptor_, 0, SEEK_END) < 0) {
    return file_error("write", partial_);
  }
  return {};
}

Result<void> ExportWriter::restart() {
  if (::ftruncate(descriptor_, 0) != 0 || ::lseek(descriptor_, 0, SEEK_SET) < 0) return file_error("write", partial_);
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
  std::string_view rest = buffer_;
  while (!rest.empty()) {
    const auto written = ::write(descriptor_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return file_error("write", partial_);
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
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
  if (::fsync(descriptor_) != 0) return file_error("write", partial_);
  if (::renameat2(AT_FDCWD, partial_.c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE) != 0) {
    return file_error("give its name to", path_);
  }
  return {};
}

Result<ExportReader> ExportReader::open(const std::string& path) {
  ExportReader reader;
  reader.path_ = path;
  reader.file_.open(path, std::ios::binary);
  struct stat status{};
  if (!reader.file_ || ::stat(path.c_str(), &status) != 0) {
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
  for (std::uint64_t number = 0; std::getline(file_, text) && !file_.eof(); ++number) {
    line = parse_export_line(text);
    if (!line) return damaged(path_, number == 0 ? "is no export that this release reads" : "was changed");
    if (number == 0 && !std::holds_alternative<ExportHeader>(*line)) return damaged(path_, "has no header");
    if (number == 0) header_ = std::get<ExportHeader>(*line);
    if (std::holds_alternative<ExportTrailer>(*line)) break;
    if (std::holds_alternative<ExportedSession>(*line)) ++sessions;
    if (std::holds_alternative<ExportedMark>(*line)) ++marks;
    checksum.add(text.append("\n"));
  }
  if (!line || !std::holds_alternative<ExportTrailer>(*line)) return damaged(path_, "is cut short");
  trailer_ = std::get<ExportTrailer>(*line);
  if (static_cast<std::uint64_t>(file_.tellg()) != size_) return damaged(path_, "goes on behind its end");
  if (trailer_.sessions != sessions || trailer_.marks != marks || trailer_.sha256 != checksum.hex()) {
    return damaged(path_, "was changed");
  }
  seek(0);
  return {};
}

void ExportReader::seek(std::uint64_t offset) {
  file_.clear();
  file_.seekg(static_cast<std::streamoff>(offset));
  offset_ = offset;
}

Result<ExportLine> ExportReader::next() {
  std::string text;
  std::getline(file_, text);
  auto line = parse_export_line(text);
  if (!line) {
    return std::unexpected(Error{ErrorCode::protocol, fmt::format("{} was changed while it was read", path_)});
  }
  offset_ += text.size() + 1;
  return std::move(*line);
}

}  // namespace obol::ctl
