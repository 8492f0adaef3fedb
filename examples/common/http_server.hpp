// An HTTP server with strict limits, over TLS if there is a certificate.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "httplib.h"
#include "options.hpp"

namespace example {

/// A server, or why it cannot be made.
using MadeServer = std::expected<std::unique_ptr<httplib::Server>, std::string>;

/// Makes a server without routes.
MadeServer make_http_server(const Options& options);

/// Prints "NAME on ADDRESS, sessions in STORE", and serves until a signal to terminate. Requests in progress are
/// answered before it returns the exit status.
int serve(const MadeServer& made, const Options& options, std::string_view name, std::string_view store);

}  // namespace example
