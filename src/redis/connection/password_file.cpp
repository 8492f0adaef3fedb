// Reads the file in one go, so that what replaces it at the same moment is read whole or not at all.
#include "redis/connection/password_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

namespace obol { inline namespace v0 { namespace redis {
namespace {

constexpr std::size_t most_bytes = std::size_t{64} * 1024;

std::unexpected<Error> refuse(const std::string& path, std::string_view what) {
  return std::unexpected(Error{ErrorCode::auth, fmt::format("the password file {} {}", path, what)});
}

std::unexpected<Error> unreadable(const std::string& path, int error) {
  return refuse(path, fmt::format("cannot be read: {}", std::generic_category().message(error)));
}

class File {
 public:
  // A pipe would block, and could be read only once.
  explicit File(const std::string& path) : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  int descriptor() const { return descriptor_; }

  bool is_regular() const {
    struct stat facts{};
    return ::fstat(descriptor_, &facts) == 0 && S_ISREG(facts.st_mode);
  }

 private:
  int descriptor_;
};

}  // namespace

Result<std::string> read_password_file(const std::string& path) {
  const File file(path);
  if (file.descriptor() < 0) return unreadable(path, errno);
  if (!file.is_regular()) return refuse(path, "is not a regular file");
  std::string text(most_bytes + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const auto count = ::read(file.descriptor(), text.data() + size, text.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return unreadable(path, errno);
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  if (size > most_bytes) return refuse(path, fmt::format("is larger than {} bytes", most_bytes));
  text.resize(size);
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  if (text.empty()) return refuse(path, "is empty");
  if (text.contains('\n')) return refuse(path, "has more than one line; it must contain only the password");
  return text;
}

}}}  // namespace obol::v0::redis
