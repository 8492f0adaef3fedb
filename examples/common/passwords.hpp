// Password hashes: Argon2id by libsodium, a bounded number at once. The cost does not reveal whether a user exists.
#pragma once

#include <expected>
#include <semaphore>
#include <string>

namespace example {

enum class HashingProblem { busy, out_of_memory };

/// Thread-safe. libsodium must have been initialised.
class PasswordHasher {
 public:
  PasswordHasher();

  /// A string with salt, parameters and hash.
  std::expected<std::string, HashingProblem> hash(const std::string& password);

  /// True if it is that password. Without a hash (unknown user) it costs the same and returns false.
  std::expected<bool, HashingProblem> verify(const std::string& password, const std::string& hash);

 private:
  // Each takes 64 MiB and a processor: more at once would only help an attacker.
  static constexpr int most_at_once = 4;
  std::counting_semaphore<most_at_once> slots_{most_at_once};
  std::string nobodys_hash_;
};

}  // namespace example
