// The server and the keys, from options, environment and files. Secrets are never taken from the command line, which
// every user of the machine can read.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "obol/redis_store_options.hpp"

namespace obol::ctl {

/// Options that every command takes.
struct CommonArguments {
  std::string uri{};                       ///< Without a password; empty: OBOL_REDIS_URI.
  std::string password_file{};             ///< Of the servers; empty: OBOL_REDIS_PASSWORD.
  std::string sentinel_password_file{};    ///< Of the sentinels; empty: OBOL_SENTINEL_PASSWORD.
  std::vector<std::string> address_map{};  ///< ANNOUNCED=REACHABLE.
  bool uses_scripts = false;               ///< FunctionLoading::scripts.
  std::string prefix = "obol_";
  std::string secret_file{};  ///< Empty: OBOL_SECRET and OBOL_OLD_SECRETS.
  std::uint32_t timeout_seconds = 5;
  bool is_json = false;
};

/// The value of an environment variable; nothing where it is unset or empty.
using Environment = std::function<std::optional<std::string>(const char* name)>;
Environment process_environment();

/// From --uri or OBOL_REDIS_URI, with the passwords of files or the environment if the address has none.
Result<ConnectionOptions> read_connection(const CommonArguments& arguments, const Environment& environment);

/// Empty where no secret is given. The current secret, and the older ones that still verify: the lines of a file, or
/// OBOL_SECRET and the words of OBOL_OLD_SECRETS. One is a base secret, or `hex-key:HEX[:ID]` for a key of given bytes.
Result<Keyring> read_keyring(const std::string& secret_file, const Environment& environment);

/// Everything but the keyring, checked.
Result<RedisStoreOptions> read_options(const CommonArguments& arguments, const Environment& environment);

}  // namespace obol::ctl
