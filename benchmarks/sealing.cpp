// Sealing and opening against a bare HMAC of the same bytes.
#include "sealing/sealing.hpp"

#include <fmt/format.h>

#include <functional>

#include "bare_hmac.hpp"
#include "load.hpp"
#include "scenarios.hpp"
#include "world.hpp"

namespace obol::benchmark {
namespace {

void compare(std::string what, const std::function<void()>& ours, const std::function<void()>& bare,
             const Settings& settings, Report& report, std::optional<double> most = {}) {
  constexpr std::size_t calls = 20'000;
  std::vector<double> ratios;
  std::vector<double> times;
  std::vector<double> bare_times;
  for (int round = 0; round < settings.rounds * 4; ++round) {
    bare_times.push_back(nanoseconds_each(calls, bare));
    times.push_back(nanoseconds_each(calls, ours));
    ratios.push_back(times.back() / bare_times.back());
  }
  report.add(Row{.server = "none",
                 .what = std::move(what),
                 .limit = "bare HMAC-SHA-256 of the sealed bytes",
                 .obol = spread_of(times).median,
                 .bare = spread_of(bare_times).median,
                 .unit = "ns",
                 .ratio = spread_of(ratios),
                 .most = most});
}

}  // namespace

void run_sealing(const Settings& settings, Report& report) {
  if (!settings.only.empty() && settings.only != "sealing") return;
  const auto keyring = Keyring(SigningKey::from_bytes(std::string(32, 'k'), "bench").value());
  auto session = make_session(1, 1);
  session.lock_version = 1;
  const auto key = session.key();
  const auto stored_key = World::stored_key_of(session.user_id);
  BareHmac hmac;
  for (const auto encryption : {Encryption::off, Encryption::encrypt}) {
    const auto sealed = sealing::seal(session, stored_key, keyring, encryption).value();
    const auto open = [&] {
      require(sealing::open(sealed, stored_key, key, keyring, encryption).has_value(), "opening a session");
    };
    const auto seal = [&] { require(sealing::seal(session, stored_key, keyring, encryption).has_value(), "sealing"); };
    const auto bare = [&] { hmac.compute(sealed); };
    const std::string_view form = encryption == Encryption::off ? "signed" : "encrypted";
    compare(fmt::format("open, {} bytes {}", sealed.size(), form), open, bare, settings, report,
            encryption == Encryption::off ? std::optional(1.5) : std::nullopt);
    compare(fmt::format("seal, {} bytes {}", sealed.size(), form), seal, bare, settings, report);
    const auto before = allocations();
    open();
    const auto between = allocations();
    seal();
    report.add_note(fmt::format("Allocations, {}: open {}, of which the session's own strings need 3; seal {}.", form,
                                between - before, allocations() - between));
  }
}

}  // namespace obol::benchmark
