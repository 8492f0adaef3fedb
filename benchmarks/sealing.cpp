// Sealing and opening against a bare HMAC of the same bytes.
#include "sealing/sealing.hpp"

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>
#include <functional>
#include <memory>

#include "load.hpp"
#include "scenarios.hpp"
#include "world.hpp"

namespace obol::benchmark {
namespace {

/// The cheapest way OpenSSL's public interface has: one context, begun anew for each message.
class BareHmac {
 public:
  BareHmac() {
    const std::unique_ptr<EVP_MAC, void (*)(EVP_MAC*)> mac(::EVP_MAC_fetch(nullptr, "HMAC", nullptr), ::EVP_MAC_free);
    context_.reset(::EVP_MAC_CTX_new(mac.get()));
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                     OSSL_PARAM_construct_end()};
    const std::array<unsigned char, 32> key{};
    require(::EVP_MAC_init(context_.get(), key.data(), key.size(), parameters) == 1, "EVP_MAC_init");
  }

  void compute(std::string_view bytes) {
    std::size_t length = 0;
    require(
        ::EVP_MAC_init(context_.get(), nullptr, 0, nullptr) == 1 &&
            ::EVP_MAC_update(context_.get(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()) == 1 &&
            ::EVP_MAC_final(context_.get(), tag_.data(), &length, tag_.size()) == 1,
        "HMAC");
  }

 private:
  struct Free {
    void operator()(EVP_MAC_CTX* context) const noexcept { ::EVP_MAC_CTX_free(context); }
  };
  std::unique_ptr<EVP_MAC_CTX, Free> context_;
  std::array<unsigned char, 32> tag_{};
};

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
