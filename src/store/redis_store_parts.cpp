#include "store/redis_store_parts.hpp"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "obol/observer.hpp"
#include "options/redis_store_options.hpp"
#include "sealing/sealing.hpp"
#include "store/client_options.hpp"
#include "store/diagnosis.hpp"
#include "store/needed_capabilities.hpp"
#include "store/session_commands.hpp"
#include "values/refusal.hpp"

namespace obol { inline namespace v0 {
namespace {

RedisStoreOptions without_keyring(RedisStoreOptions options) {
  options.keyring = {};
  return options;
}

}  // namespace

RedisStoreParts::RedisStoreParts(RedisStoreOptions options)
    : options_(without_keyring(options)),
      reports_(options_.observer),
      client_(client_options(options), session_functions()),
      cache_(options.near_cache.enabled ? std::make_unique<TrackedCache>(options, *client_.identifying_source())
                                        : nullptr),
      keyring_(std::move(options.keyring)) {}

Result<void> RedisStoreParts::start() {
  // A function that also works at maxmemory.
  const auto make_probe = [](std::string_view key) { return delete_others_command(key, "probe"); };
  const auto make_needs = [this](std::string_view key) { return needed_capabilities(options_, key); };
  if (auto started = client_.start(probe_key(options_.key_prefix), make_probe, make_needs); !started) return started;
  if (cache_) {
    if (auto started = cache_->start(); !started) return started;
  }
  if (!reports_.has_observer()) return {};
  // A look that fails takes nothing from a connection that works.
  if (const auto findings = diagnose()) {
    for (const auto& finding : *findings) reports_.tell(&Observer::on_finding, [&] { return finding; });
  }
  return {};
}

void RedisStoreParts::close() {
  client_.close();
  if (cache_) cache_->stop();
}

Result<std::vector<Finding>> RedisStoreParts::diagnose() {
  const auto inspections = client_.inspect(probe_key(options_.key_prefix), diagnosis_commands);
  if (!inspections) return std::unexpected(inspections.error());
  std::vector<Finding> findings;
  for (const auto& inspection : *inspections) {
    for (auto& finding : v0::diagnose(inspection, options_, options_.clock())) {
      // Of several servers, which.
      if (inspections->size() > 1) finding.message = fmt::format("{}: {}", inspection.endpoint, finding.message);
      findings.push_back(std::move(finding));
    }
  }
  return findings;
}

Result<void> RedisStoreParts::replace_keyring(Keyring keyring) {
  if (auto replaced = keyring_.replace(std::move(keyring)); !replaced) return replaced;
  if (cache_) cache_->sessions().clear();
  return {};
}

Result<void> RedisStoreParts::replace_credentials(UserCredentials credentials) {
  if (auto valid = validate_replacement(credentials); !valid) return valid;
  client_.replace_credentials(std::move(credentials));
  return {};
}

Result<void> RedisStoreParts::replace_sentinel_credentials(UserCredentials credentials) {
  if (options_.connection.sentinel.sentinels.empty()) {
    return refuse("connection.sentinel is not set, so there are no sentinels");
  }
  client_.replace_sentinel_credentials(std::move(credentials));
  return {};
}

NearCacheStatistics RedisStoreParts::near_cache_statistics() {
  return cache_ ? cache_->sessions().statistics() : NearCacheStatistics{};
}

Result<WriteContext> RedisStoreParts::context_to_write() {
  const auto randomness = sealing::draw_randomness(options_.encryption);
  if (!randomness) return std::unexpected(randomness.error());
  return WriteContext{.store = context(), .keyring = keyring(), .randomness = *randomness};
}

}}  // namespace obol::v0
