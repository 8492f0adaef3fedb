// Writes server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
#include "event_streams.hpp"

#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "log.hpp"

namespace example::auth_server {
namespace {

constexpr auto content_type = "text/event-stream";

// A browser that has gone and a server that stops are noticed within this time.
constexpr std::chrono::milliseconds look_interval{250};

// A comment after so many looks tells proxies that the stream is in use, and finds browsers that fell silent.
constexpr int looks_per_comment = 60;

std::string end_event(obol::SessionEnd end) { return fmt::format("event: ended\ndata: {}\n\n", obol::to_string(end)); }

std::unexpected<Refusal> refuse(std::string_view text) {
  return std::unexpected(Refusal{.status = 503, .text = std::string(text), .retry_after = std::chrono::seconds(5)});
}

bool write(httplib::DataSink& sink, std::string_view text) { return sink.write(text.data(), text.size()); }

}  // namespace

// Lives as long as its answer.
class EventStreams::Stream {
 public:
  explicit Stream(EventStreams& streams) : streams_(streams), has_place_(streams.places_.try_acquire()) {}
  ~Stream() {
    handle_.end();
    if (has_place_) streams_.places_.release();
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  bool has_place() const { return has_place_; }

  obol::Result<void> watch(const obol::SessionKey& key) {
    auto handle = streams_.watch_.watch(key, [this](const obol::SessionWatchEvent& event) { take(event); });
    if (!handle) return std::unexpected(std::move(handle.error()));
    handle_ = std::move(*handle);
    return {};
  }

  // cpp-httplib calls it until the stream is done, it returns false, or the server stops.
  bool write_next(httplib::DataSink& sink) {
    if (std::exchange(is_new_, false)) return write(sink, "event: live\ndata:\n\n");
    if (const auto end = await_end()) {
      if (!write(sink, end_event(*end))) return false;
      sink.done();
      return true;
    }
    if (!sink.is_writable()) return false;
    return ++looks_ % looks_per_comment != 0 || write(sink, ":\n\n");
  }

 private:
  void take(const obol::SessionWatchEvent& event) {
    if (event.status != obol::SessionStatus::ended) return;
    const std::scoped_lock lock(streams_.mutex_);
    end_ = event.end;
    streams_.ended_.notify_all();
  }

  std::optional<obol::SessionEnd> await_end() {
    std::unique_lock lock(streams_.mutex_);
    streams_.ended_.wait_for(lock, look_interval, [this] { return end_.has_value(); });
    return end_;
  }

  EventStreams& streams_;
  const bool has_place_;
  bool is_new_ = true;
  int looks_ = 0;
  std::optional<obol::SessionEnd> end_;  ///< Guarded by the mutex of the streams.
  obol::WatchHandle handle_;
};

std::expected<void, Refusal> EventStreams::open(const obol::SessionKey& key, httplib::Response& response) {
  const auto stream = std::make_shared<Stream>(*this);
  if (!stream->has_place()) return refuse("Too many event streams are open. Try again in a few seconds.");
  if (const auto watched = stream->watch(key); !watched) {
    log_line(fmt::format("error: {} ({})", watched.error().message, watched.error().code.message()));
    return refuse("Logins cannot be watched just now. Try again in a few seconds.");
  }
  response.set_chunked_content_provider(
      content_type, [stream](std::size_t, httplib::DataSink& sink) { return stream->write_next(sink); });
  return {};
}

void EventStreams::tell_end(httplib::Response& response) {
  response.set_content(end_event(obol::SessionEnd::removed), content_type);
}

}  // namespace example::auth_server
