// One handler for the library, registered when it is loaded: handlers run in the opposite order, with the destructors
// of static objects among them.
#include "process_end.hpp"

#include <openssl/crypto.h>

#include <cstdlib>
#include <mutex>
#include <utility>
#include <vector>

#include "obol/fork_safe_mutex.hpp"
#include "openssl_use.hpp"

namespace obol::inline v0 {
namespace {

struct Registry {
  ForkSafeMutex mutex;
  std::vector<const ProcessEndRegistration*> entries;
};

// Never destroyed: it is used when static objects have been.
Registry& registry() {
  static auto* const instance = new Registry;
  return *instance;
}

void end_all() {
  const std::scoped_lock lock(registry().mutex);
  for (const auto* entry : registry().entries) entry->run();
  OpensslUse::end();
}

// OpenSSL registers its clean-up the first time that something is asked of it, so something is: the texts of errors,
// which every use of it loads.
[[gnu::constructor(101)]] void install_handler() {
  ::OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CRYPTO_STRINGS, nullptr);
  static_cast<void>(std::atexit(end_all));
}

}  // namespace

ProcessEndRegistration::ProcessEndRegistration(std::function<void()> at_end) : at_end_(std::move(at_end)) {
  const std::scoped_lock lock(registry().mutex);
  registry().entries.push_back(this);
}

ProcessEndRegistration::~ProcessEndRegistration() {
  const std::scoped_lock lock(registry().mutex);
  std::erase(registry().entries, this);
}

}  // namespace obol::inline v0
