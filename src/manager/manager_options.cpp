// Which options of a session manager fit together.
#include <fmt/format.h>

#include "manager/session_issuer.hpp"
#include "obol/session_limits.hpp"
#include "values/refusal.hpp"

namespace obol { inline namespace v0 { namespace manager {
namespace {

/// A lifetime or another duration, by the name of its option.
struct Named {
  std::string_view name;
  std::chrono::seconds duration;
};

Result<void> require_positive(const Named& option) {
  if (option.duration > std::chrono::seconds::zero()) return {};
  return refuse(fmt::format("{} is {} s; it must be at least 1 s", option.name, option.duration.count()));
}

Result<void> require_not_negative(const Named& option) {
  if (option.duration >= std::chrono::seconds::zero()) return {};
  return refuse(fmt::format("{} is {} s; it must not be negative", option.name, option.duration.count()));
}

Result<void> require_at_most(const Named& option, const Named& limit) {
  if (option.duration <= limit.duration) return {};
  return refuse(fmt::format("{} ({} s) is longer than {} ({} s); shorten the first or lengthen the second", option.name,
                            option.duration.count(), limit.name, limit.duration.count()));
}

Result<void> check_durations(const SessionManagerOptions& options) {
  const Named access{"access_lifetime", options.access_lifetime};
  const Named refresh{"refresh_lifetime", options.refresh_lifetime};
  const Named absolute{"absolute_lifetime", options.absolute_lifetime.value_or(std::chrono::seconds::max())};
  const Named overlap{"overlap", options.overlap};
  const Named drift{"drift", options.drift};
  const Named touch{"touch_interval", options.touch_interval};
  for (const auto& lifetime : {access, refresh, absolute}) {
    if (auto valid = require_positive(lifetime); !valid) return valid;
  }
  for (const auto& duration : {overlap, drift, touch}) {
    if (auto valid = require_not_negative(duration); !valid) return valid;
  }
  struct Pair {
    Named option;
    Named limit;
  };
  for (const auto& [option, limit] : {Pair{access, refresh}, Pair{refresh, absolute}, Pair{overlap, access},
                                      Pair{drift, access}, Pair{touch, refresh}}) {
    if (auto valid = require_at_most(option, limit); !valid) return valid;
  }
  return {};
}

}  // namespace

Result<void> validate(bool has_store, const SessionManagerOptions& options) {
  if (!has_store) return refuse("there is no store; give the manager one, for example a RedisStore or a MemoryStore");
  if (options.keyring.empty()) return refuse("the keyring is empty; make one with Keyring::from_base_secret");
  if (!options.clock) return refuse("the clock is empty; leave it at obol::system_clock()");
  if (auto valid = obol::validate("user", options.session_type); !valid) return valid;
  return check_durations(options);
}

}}}  // namespace obol::v0::manager
