// A connection on loan from a pool.
#pragma once

#include <exception>
#include <memory>
#include <string_view>
#include <utility>

#include "obol/error.hpp"
#include "redis/connection/connection.hpp"
#include "redis/pool/pooled_connection.hpp"

namespace obol { inline namespace v0 { namespace redis {

class Pool;

/// Goes back by itself. If an exception ends the loan, the connection is closed: replies may be under way. Not
/// thread-safe. The pool must outlive it.
class Lease {
 public:
  Lease(Lease&& other) noexcept = default;
  Lease& operator=(Lease&&) = delete;
  ~Lease();

  Connection& connection() { return pooled_->connection; }

  /// Closes the connection instead of returning it; another may be opened instead.
  void discard(std::string_view reason);

  /// The same if the server is in doubt: all idle connections are closed too, and those in use when they come back.
  void discard_all(std::string_view reason);

  /// One of the two, depending on what the error says of the server.
  void discard_for(const Error& error);

 private:
  friend class Pool;
  Lease(Pool& pool, std::unique_ptr<PooledConnection> pooled) : pool_(&pool), pooled_(std::move(pooled)) {}

  Pool* pool_;
  std::unique_ptr<PooledConnection> pooled_;
  int exceptions_ = std::uncaught_exceptions();
};

}}}  // namespace obol::v0::redis
