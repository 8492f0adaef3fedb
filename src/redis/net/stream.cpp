// Reads and writes in steps, and asks for the time between them.
#include "redis/net/stream.hpp"

#include <utility>

#include "values/out_of_memory.hpp"

namespace obol { inline namespace v0 { namespace redis {
namespace {

std::unexpected<Error> not_taken() {
  return std::unexpected(Error{ErrorCode::timeout, "the server did not accept the command in time"});
}

}  // namespace

Error late_answer() noexcept {
  return error_from(ErrorCode::timeout, [] { return Error{ErrorCode::timeout, "the server did not answer in time"}; });
}

Result<void> Stream::await(Need need, Deadline deadline) {
  if (!deadline.passed() && wait(need, deadline)) return {};
  return need == Need::readable ? std::unexpected(late_answer()) : not_taken();
}

Result<void> Stream::write_all(std::string_view bytes, Deadline deadline) {
  has_read_ = false;
  while (!bytes.empty()) {
    const auto step = try_write(bytes);
    if (!step) return std::unexpected(step.error());
    bytes.remove_prefix(step->moved);
    if (step->moved == 0) {
      if (auto ready = await(step->need, deadline); !ready) return ready;
    } else if (!bytes.empty() && deadline.passed()) {
      return not_taken();
    }
  }
  return {};
}

Result<std::size_t> Stream::read_some(char* buffer, std::size_t capacity, Deadline deadline) {
  if (std::exchange(has_read_, true) && deadline.passed()) return std::unexpected(late_answer());
  for (;;) {
    auto step = try_read_until(buffer, capacity, deadline);
    if (!step) return std::unexpected(std::move(step.error()));
    if (step->moved > 0) return step->moved;
    if (auto ready = await(step->need, deadline); !ready) return std::unexpected(std::move(ready.error()));
  }
}

}}}  // namespace obol::v0::redis
