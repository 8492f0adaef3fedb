// One handler for the library, registered when it is loaded: handlers run in the opposite order, with the destructors
// of static objects among them.
#include "base/process_end.hpp"

#include <openssl/crypto.h>

#include <cstdlib>
#include <mutex>
#include <utility>
#include <vector>

#include "base/openssl_use.hpp"
#include "obol/fork_safe_mutex.hpp"

namespace obol { inline namespace v0 {
namespace {

struct EndOfProcess {
  ForkSafeMutex mutex;
  std::vector<const ProcessEndRegistration*> entries;
};

// Never destroyed: it is used when static objects have been.
EndOfProcess& end_of_process() {
  static auto* const instance = new EndOfProcess;
  return *instance;
}

void end_all() {
  const std::scoped_lock lock(end_of_process().mutex);
  for (const auto* entry : end_of_process().entries) entry->run();
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
  const std::scoped_lock lock(end_of_process().mutex);
  end_of_process().entries.push_back(this);
}

ProcessEndRegistration::~ProcessEndRegistration() {
  const std::scoped_lock lock(end_of_process().mutex);
  std::erase(end_of_process().entries, this);
}

}}  // namespace obol::v0
