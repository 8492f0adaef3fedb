// The calls of an asynchronous store, each with its arguments, its operation and its reports.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "obol/async_session_store.hpp"
#include "obol/call_event.hpp"
#include "store/call_reports.hpp"
#include "store/delete_operation.hpp"
#include "store/operation.hpp"
#include "store/read_operations.hpp"
#include "store/redis_store_parts.hpp"
#include "store/session_write.hpp"
#include "store/write_operations.hpp"

namespace obol { inline namespace v0 {

/// An operation, which cannot be moved, from begin() to end().
template <StoreOperation Asking>
class RunningOperation {
 public:
  static constexpr bool needs_keyring = Asking::needs_keyring;

  std::optional<Request> take(const Answer& answer) { return made_->operation.take(answer); }
  redis::Command make_write([[maybe_unused]] bool checks_clock) const {
    if constexpr (WriteOperation<Asking>) return made_->operation.make_write(checks_clock);
    return {};
  }

 protected:
  template <class Make>
  Asking& make(const Make& make) {
    return made_.emplace(make).operation;
  }
  void destroy() { made_.reset(); }

 private:
  struct Made {
    template <class Make>
    explicit Made(const Make& make) : operation(make()) {}
    Asking operation;
  };
  std::optional<Made> made_{};
};

/// Calls whose outcome is that of their operation.
template <StoreOperation Asking>
class AsyncPlainCall : public RunningOperation<Asking> {
 public:
  using Outcome = typename Asking::Outcome;

  void fail(Error error) { outcome_ = std::unexpected(std::move(error)); }
  bool found_near() const { return false; }

 protected:
  explicit AsyncPlainCall(Outcome& outcome) : outcome_(outcome) {}

  Outcome& outcome() { return outcome_; }

  /// Begins the operation that `make` gives, unless the arguments are refused.
  template <class Make>
  std::optional<Request> begin_if(Result<void> valid, const Make& make) {
    if (valid) return this->make(make).begin();
    fail(std::move(valid.error()));
    return std::nullopt;
  }

 private:
  Outcome& outcome_;
};

class AsyncGet final : public AsyncPlainCall<GetOperation> {
 public:
  AsyncGet(Outcome& outcome, ReadFrom from, SessionKey key)
      : AsyncPlainCall(outcome), from_(from), key_(std::move(key)) {}

  Operation operation() const { return Operation::get; }
  std::optional<Request> begin(RedisStoreParts& parts);
  bool found_near() const { return found_near_; }
  void end(const CallReports&) { destroy(); }

 private:
  const ReadFrom from_;
  const SessionKey key_;
  bool found_near_ = false;
};

class AsyncGetMany final : public AsyncPlainCall<GetManyOperation> {
 public:
  AsyncGetMany(Outcome& outcome, std::vector<SessionKey> keys) : AsyncPlainCall(outcome), keys_(std::move(keys)) {}

  Operation operation() const { return Operation::get_many; }
  std::optional<Request> begin(RedisStoreParts& parts);
  void end(const CallReports&) { destroy(); }

 private:
  const std::vector<SessionKey> keys_;
};

class AsyncGetAll final : public AsyncPlainCall<GetAllOperation> {
 public:
  AsyncGetAll(Outcome& outcome, ReadFrom from, std::string user_id, std::string type)
      : AsyncPlainCall(outcome), from_(from), user_id_(std::move(user_id)), type_(std::move(type)) {}

  Operation operation() const { return Operation::get_all; }
  std::optional<Request> begin(RedisStoreParts& parts);
  void end(const CallReports&) { destroy(); }

 private:
  const ReadFrom from_;
  const std::string user_id_;
  const std::string type_;
};

class AsyncDeleteOne final : public AsyncPlainCall<DeleteOperation> {
 public:
  AsyncDeleteOne(Outcome& outcome, SessionKey key) : AsyncPlainCall(outcome), key_(std::move(key)) {}

  Operation operation() const { return Operation::delete_one; }
  std::optional<Request> begin(RedisStoreParts& parts);
  void end(const CallReports& reports) {
    destroy();
    reports.deleted_one(key_, outcome());
  }

 private:
  const SessionKey key_;
};

class AsyncDeleteAll final : public AsyncPlainCall<DeleteOperation> {
 public:
  AsyncDeleteAll(Outcome& outcome, std::string user_id, std::string type)
      : AsyncPlainCall(outcome), user_id_(std::move(user_id)), type_(std::move(type)) {}

  Operation operation() const { return Operation::delete_all; }
  std::optional<Request> begin(RedisStoreParts& parts);
  void end(const CallReports& reports) {
    destroy();
    reports.deleted_all(type_, outcome());
  }

 private:
  const std::string user_id_;
  const std::string type_;
};

class AsyncDeleteTypes final : public AsyncPlainCall<DeleteTypesOperation> {
 public:
  AsyncDeleteTypes(Outcome& outcome, std::string user_id, std::vector<std::string> types)
      : AsyncPlainCall(outcome), user_id_(std::move(user_id)), types_(std::move(types)) {}

  Operation operation() const { return Operation::delete_all; }
  std::optional<Request> begin(RedisStoreParts& parts);
  void end(const CallReports& reports) {
    destroy();
    reports.deleted_all(types_, outcome());
  }

 private:
  const std::string user_id_;
  const std::vector<std::string> types_;
};

class AsyncDeleteOthers final : public AsyncPlainCall<DeleteOperation> {
 public:
  AsyncDeleteOthers(Outcome& outcome, SessionKey kept) : AsyncPlainCall(outcome), kept_(std::move(kept)) {}

  Operation operation() const { return Operation::delete_others; }
  std::optional<Request> begin(RedisStoreParts& parts);
  void end(const CallReports& reports) {
    destroy();
    reports.deleted_others(kept_, outcome());
  }

 private:
  const SessionKey kept_;
};

/// Calls that store a session. It is where the outcome wants it from the start, and stays there if it is stored.
template <StoreOperation Asking, class Stored>
class AsyncWriteCall : public RunningOperation<Asking> {
 public:
  using Outcome = std::expected<Stored, UpsertError>;

  void fail(Error error) { written_ = upsert_failure(std::move(error)); }
  bool found_near() const { return false; }

 protected:
  explicit AsyncWriteCall(Outcome& outcome) : outcome_(outcome) {}

  Stored& stored() { return *outcome_; }
  WriteOutcome& written() { return written_; }
  std::nullopt_t refuse(Error& error) {
    fail(std::move(error));
    return std::nullopt;
  }
  /// Once the operation is destroyed and the observer was told.
  void settle() {
    if (!written_) outcome_ = std::unexpected(std::move(written_.error()));
  }

 private:
  Outcome& outcome_;
  WriteOutcome written_{};
};

class AsyncUpsert final : public AsyncWriteCall<UpsertOperation, UpsertedSession> {
 public:
  AsyncUpsert(Outcome& outcome, Session session);

  Operation operation() const { return operation_; }
  std::optional<Request> begin(RedisStoreParts& parts);
  void end(const CallReports& reports);

 private:
  const Operation operation_;
};

class AsyncRotateId final : public AsyncWriteCall<RotateOperation, Session> {
 public:
  AsyncRotateId(Outcome& outcome, Session session) : AsyncWriteCall(outcome) { stored() = std::move(session); }

  Operation operation() const { return Operation::rotate_id; }
  std::optional<Request> begin(RedisStoreParts& parts);
  void end(const CallReports& reports);
};

}}  // namespace obol::v0
