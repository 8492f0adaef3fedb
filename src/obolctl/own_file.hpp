// Files that obolctl goes on with: those that nobody else can have written or read, held by their descriptors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

#include "obol/error.hpp"

namespace obol::ctl {

/// Closes its file.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor();

  int number() const { return number_; }

 private:
  int number_ = -1;
};

/// A new file with mode 0600, or an earlier one of that name if it is a regular file of this user with mode 0600 and
/// one link. Anything else is refused with `invalid_argument`: somebody else may have written it, or may read it.
Result<Descriptor> open_own_file(const std::string& path);

/// The same for reading; a descriptor of -1 if there is none.
Result<Descriptor> read_own_file(const std::string& path);

/// A new file with mode 0600 in place of whatever has that name.
Result<Descriptor> replace_own_file(const std::string& path);

/// Whether the path names the file of the descriptor.
bool is_named(const Descriptor& file, const std::string& path);

/// Gives a file a name that no file has yet. False with errno if that cannot be done, EEXIST if the name is taken.
bool rename_to_new_name(const std::string& from, const std::string& to);

/// Writes all bytes; the path stands in an error.
Result<void> write_all(const Descriptor& file, std::string_view bytes, const std::string& path);

/// The lines of a file, read by its descriptor.
class Lines {
 public:
  explicit Lines(int descriptor, std::uint64_t offset = 0) : descriptor_(descriptor), offset_(offset) {}

  /// The next line, without its end; false behind the last whole line, and if the file cannot be read.
  bool next(std::string& line);

 private:
  bool fill();

  int descriptor_;
  std::uint64_t offset_;  ///< Of the byte behind the buffer.
  std::string buffer_;
  std::size_t begin_ = 0;
};

/// "cannot write FILE: No space left on device", from errno.
std::unexpected<Error> file_error(const char* what, const std::string& path);

}  // namespace obol::ctl
