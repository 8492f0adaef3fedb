// A store of random bytes for each thread: one draw costs as much as hashing a session.
#include "randomness.hpp"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <array>
#include <cstdint>
#include <cstring>

#include "fork_registration.hpp"

namespace obol::inline v0 {
namespace {

class RandomStore {
 public:
  RandomStore() = default;
  RandomStore(const RandomStore&) = delete;
  RandomStore& operator=(const RandomStore&) = delete;
  ~RandomStore() { ::OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

  bool take(unsigned char* out, std::size_t size) {
    if (size > bytes_.size()) return ::RAND_bytes(out, static_cast<int>(size)) == 1;
    // What is left of the parent's store, the parent will hand out, too.
    const auto process = fork_generation();
    if (left_ < size || process_ != process) {
      left_ = 0;
      if (::RAND_bytes(bytes_.data(), static_cast<int>(bytes_.size())) != 1) return false;
      left_ = bytes_.size();
      process_ = process;
    }
    left_ -= size;
    std::memcpy(out, bytes_.data() + left_, size);
    ::OPENSSL_cleanse(bytes_.data() + left_, size);
    return true;
  }

 private:
  std::array<unsigned char, 512> bytes_{};
  std::size_t left_ = 0;
  std::uint64_t process_ = 0;
};

}  // namespace

bool random_bytes(unsigned char* out, std::size_t size) {
  static thread_local RandomStore store;
  return store.take(out, size);
}

}  // namespace obol::inline v0
