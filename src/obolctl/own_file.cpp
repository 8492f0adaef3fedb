// Opens files without following links, and looks at what was opened, not at the path.
#include "obolctl/own_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

namespace obol::ctl {
namespace {

constexpr std::size_t read_at_once = std::size_t{256} * 1024;

std::unexpected<Error> untrusted(const std::string& path, std::string_view why) {
  return std::unexpected(
      Error{ErrorCode::invalid_argument,
            fmt::format("{} {}, so it cannot be trusted: check who made it, then remove it or name another file", path,
                        why)});
}

/// Why the open file may be somebody else's work; empty if it cannot be.
std::string_view objection_to(const struct stat& status) {
  if (!S_ISREG(status.st_mode)) return "is not a regular file";
  if (status.st_uid != ::geteuid()) return "belongs to another user";
  if (status.st_nlink != 1) return "has a second name (a hard link)";
  if ((status.st_mode & 07777) != 0600) return "is open to other users (its mode is not 0600)";
  return {};
}

Result<Descriptor> checked(Descriptor file, const std::string& path) {
  struct stat status{};
  if (::fstat(file.number(), &status) != 0) return file_error("examine", path);
  if (const auto objection = objection_to(status); !objection.empty()) return untrusted(path, objection);
  return file;
}

// O_NONBLOCK: a named pipe must not hold us up; it means nothing to a regular file.
Result<Descriptor> open_existing(const std::string& path, int access) {
  Descriptor file(::open(path.c_str(), access | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (file.number() >= 0) return checked(std::move(file), path);
  if (errno == ELOOP) return untrusted(path, "is a symbolic link");
  if (errno == ENOENT && access == O_RDONLY) return file;
  return file_error("open", path);
}

Descriptor create(const std::string& path) {
  return Descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
}

}  // namespace

Descriptor::~Descriptor() {
  if (number_ >= 0) ::close(number_);
}

Result<Descriptor> open_own_file(const std::string& path) {
  auto file = create(path);
  if (file.number() >= 0) return file;
  return errno == EEXIST ? open_existing(path, O_RDWR) : file_error("write", path);
}

Result<Descriptor> read_own_file(const std::string& path) { return open_existing(path, O_RDONLY); }

Result<Descriptor> replace_own_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return file_error("replace", path);
  auto file = create(path);
  if (file.number() < 0) return file_error("write", path);
  return file;
}

bool is_named(const Descriptor& file, const std::string& path) {
  struct stat open{};
  struct stat named{};
  return ::fstat(file.number(), &open) == 0 && ::lstat(path.c_str(), &named) == 0 && open.st_dev == named.st_dev &&
         open.st_ino == named.st_ino;
}

// File systems such as NFS and some of FUSE know no flags. A link is refused if the name is taken, too.
bool rename_to_new_name(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return true;
  if (errno != EINVAL && errno != ENOSYS) return false;
  return ::link(from.c_str(), to.c_str()) == 0 && ::unlink(from.c_str()) == 0;
}

Result<void> write_all(const Descriptor& file, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const auto written = ::write(file.number(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return file_error("write", path);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

bool Lines::next(std::string& line) {
  for (std::size_t searched = begin_;;) {
    const auto end = buffer_.find('\n', searched);
    if (end != std::string::npos) {
      line.assign(buffer_, begin_, end - begin_);
      begin_ = end + 1;
      return true;
    }
    searched = buffer_.size() - begin_;
    buffer_.erase(0, std::exchange(begin_, 0));
    if (!fill()) return false;
  }
}

bool Lines::fill() {
  const auto size = buffer_.size();
  buffer_.resize(size + read_at_once);
  ssize_t got = -1;
  do {
    got = ::pread(descriptor_, buffer_.data() + size, read_at_once, static_cast<off_t>(offset_));
  } while (got < 0 && errno == EINTR);
  buffer_.resize(size + (got > 0 ? static_cast<std::size_t>(got) : 0));
  offset_ += buffer_.size() - size;
  return got > 0;
}

std::unexpected<Error> file_error(const char* what, const std::string& path) {
  const std::error_code code(errno, std::generic_category());
  return std::unexpected(Error{ErrorCode::internal, fmt::format("cannot {} {}: {}", what, path, code.message())});
}

}  // namespace obol::ctl
