// A Stream without a network: the test says what comes, and sees what was sent.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "redis/net/stream.hpp"

namespace obol::testing {

/// What becomes of a ScriptedStream; the test keeps it while a Connection owns the stream.
struct Script {
  std::deque<std::string> pieces{};            ///< Each read takes one.
  std::string endless{};                       ///< Comes again and again behind the pieces; empty: nothing comes.
  std::size_t most_taken = std::string::npos;  ///< By one write.
  bool says_ready = true;                      ///< What a wait for readiness ends with.
  std::function<void(Script&)> on_write{};     ///< After each write.
  std::optional<Error> read_error{};           ///< What a read ends with behind the pieces.
  std::optional<Error> write_error{};          ///< What each write ends with.

  std::string written{};
  int reads = 0;
  int writes = 0;
  int waits = 0;
};

class ScriptedStream final : public redis::Stream {
 public:
  explicit ScriptedStream(std::shared_ptr<Script> script) : script_(std::move(script)) {}

  Result<Step> try_read(char* buffer, std::size_t capacity) override {
    if (++script_->reads > most_attempts) return without_an_end();
    if (script_->pieces.empty()) {
      if (script_->read_error) return std::unexpected(*script_->read_error);
      if (script_->endless.empty()) return Step{.moved = 0, .need = Need::readable};
      script_->pieces.push_back(script_->endless);
    }
    auto& piece = script_->pieces.front();
    const auto size = std::min(capacity, piece.size());
    piece.copy(buffer, size);
    piece.erase(0, size);
    if (piece.empty()) script_->pieces.pop_front();
    return Step{.moved = size};
  }

  Result<Step> try_write(std::string_view bytes) override {
    if (++script_->writes > most_attempts) return without_an_end();
    if (script_->write_error) return std::unexpected(*script_->write_error);
    const auto taken = bytes.substr(0, script_->most_taken);
    script_->written += taken;
    if (script_->on_write) script_->on_write(*script_);
    return Step{.moved = taken.size(), .need = Need::writable};
  }

  bool is_quiet() override { return script_->pieces.empty() && script_->endless.empty() && !script_->read_error; }
  int descriptor() const override { return -1; }

 private:
  /// A loop that goes on for so long has no end.
  static constexpr int most_attempts = 10'000'000;

  bool wait(Need, redis::Deadline) override {
    ++script_->waits;
    return script_->says_ready;
  }

  static std::unexpected<Error> without_an_end() {
    return std::unexpected(Error{ErrorCode::internal, "this went on without an end"});
  }

  std::shared_ptr<Script> script_;
};

}  // namespace obol::testing
