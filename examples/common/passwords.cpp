// libsodium's crypto_pwhash_str with the cost it advises for interactive logins.
#include "passwords.hpp"

#include <sodium.h>

#include <array>
#include <chrono>

namespace example {
namespace {

constexpr std::chrono::seconds longest_wait{5};

template <std::ptrdiff_t Most>
class Slot {
 public:
  explicit Slot(std::counting_semaphore<Most>& slots) : slots_(slots), is_taken_(slots.try_acquire_for(longest_wait)) {}
  ~Slot() {
    if (is_taken_) slots_.release();
  }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  explicit operator bool() const { return is_taken_; }

 private:
  std::counting_semaphore<Most>& slots_;
  bool is_taken_;
};

std::expected<std::string, HashingProblem> make_hash(const std::string& password) {
  std::array<char, crypto_pwhash_STRBYTES> text{};
  if (::crypto_pwhash_str(text.data(), password.data(), password.size(), crypto_pwhash_OPSLIMIT_INTERACTIVE,
                          crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0) {
    return std::unexpected(HashingProblem::out_of_memory);
  }
  return std::string(text.data());
}

}  // namespace

PasswordHasher::PasswordHasher() : nobodys_hash_(make_hash("nobody's password").value_or("")) {}

std::expected<std::string, HashingProblem> PasswordHasher::hash(const std::string& password) {
  const Slot slot(slots_);
  if (!slot) return std::unexpected(HashingProblem::busy);
  return make_hash(password);
}

std::expected<bool, HashingProblem> PasswordHasher::verify(const std::string& password, const std::string& hash) {
  const Slot slot(slots_);
  if (!slot) return std::unexpected(HashingProblem::busy);
  const auto& text = hash.empty() ? nobodys_hash_ : hash;
  const bool is_right = ::crypto_pwhash_str_verify(text.c_str(), password.data(), password.size()) == 0;
  return is_right && !hash.empty();
}

}  // namespace example
