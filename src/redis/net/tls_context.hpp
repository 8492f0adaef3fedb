// What TLS connections share: trusted certificates, our own certificate, and the rules. TLS 1.2 or newer.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/fork_registration.hpp"
#include "obol/error.hpp"
#include "obol/tls_options.hpp"
#include "redis/net/socket.hpp"
#include "redis/net/stream.hpp"

struct ssl_ctx_st;

namespace obol { inline namespace v0 { namespace redis {

/// Certificates and keys, loaded once and again whenever a file has changed, so that a renewed certificate is used by
/// the connections that follow. Thread-safe.
class TlsContext {
 public:
  /// The peer must prove to be `options.server_name`, or `host` where that is empty.
  TlsContext(const TlsOptions& options, const std::string& host);

  /// Loads the files now: `tls` says what is wrong with them.
  Result<void> check();

  /// The encrypted stream after the handshake. `tls` where the peer is not accepted or does not accept us, else
  /// `unavailable` or `timeout`.
  Result<std::unique_ptr<Stream>> handshake(Socket socket, Deadline deadline);

 private:
  using Context = std::shared_ptr<ssl_ctx_st>;
  Result<Context> load() const;
  Result<Context> current();
  std::vector<std::string> stamps() const;

  const TlsOptions options_;
  const std::string name_;
  std::mutex mutex_;
  Context context_;
  std::vector<std::string> loaded_stamps_;
  ForkRegistration fork_registration_;
};

}}}  // namespace obol::v0::redis
