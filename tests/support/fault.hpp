// The faults that a FaultProxy does to a command and its reply.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>

namespace obol::testing {

struct Fault {
  enum class Kind {
    none,
    delay,
    trickle,
    cut_in_command,
    cut_before_delivery,
    deliver_late,
    cut_before_reply,
    cut_in_reply,
    cut_after_reply,
    swallow_reply,
    reset_in_reply,
    half_open,
    garbage,
    refusal,
    push_before_reply,
    duplicate_reply,
    endless,
  };
  using Milliseconds = std::chrono::milliseconds;

  Kind kind = Kind::none;
  Milliseconds span{0};
  std::size_t bytes = 0;
  std::string text{};
  std::string again{};
  std::string part{};

  /// The reply comes later.
  static Fault delay(Milliseconds span) { return {.kind = Kind::delay, .span = span}; }

  /// The reply, or a text in its place, comes in pieces of so many bytes, one each interval; with interval 0 as soon as
  /// the last one was read.
  static Fault trickle(std::size_t bytes, Milliseconds interval, std::string text = {}) {
    return {.kind = Kind::trickle, .span = interval, .bytes = bytes, .text = std::move(text)};
  }
  static Fault split_every_byte() { return trickle(1, Milliseconds(0)); }

  /// The connection ends while the client still sends a long command, which never reaches the server.
  static Fault cut_in_command() { return {.kind = Kind::cut_in_command}; }

  /// The connection ends; the server never sees the command.
  static Fault cut_before_delivery() { return {.kind = Kind::cut_before_delivery}; }

  /// The server gets the command so much later, even if the client is gone by then.
  static Fault deliver_late(Milliseconds span) { return {.kind = Kind::deliver_late, .span = span}; }

  /// The server acts, and the connection ends before its reply, after so many bytes of it, or right behind it.
  static Fault cut_before_reply() { return {.kind = Kind::cut_before_reply}; }
  static Fault cut_in_reply(std::size_t bytes) { return {.kind = Kind::cut_in_reply, .bytes = bytes}; }
  static Fault cut_after_reply() { return {.kind = Kind::cut_after_reply}; }

  /// The server acts, its reply is lost, and the connection stays.
  static Fault swallow_reply() { return {.kind = Kind::swallow_reply}; }

  /// The server acts, and the connection is reset after so many bytes of the reply.
  static Fault reset_in_reply(std::size_t bytes) { return {.kind = Kind::reset_in_reply, .bytes = bytes}; }

  /// From this command on nothing goes either way, and nobody is told.
  static Fault half_open() { return {.kind = Kind::half_open}; }

  /// The server acts; these bytes come in place of its reply.
  static Fault garbage(std::string text) { return {.kind = Kind::garbage, .text = std::move(text)}; }

  /// The server never sees the command; this error comes as its reply, such as "MOVED 1 127.0.0.1:6379".
  static Fault refuse(const std::string& error) { return {.kind = Kind::refusal, .text = "-" + error + "\r\n"}; }

  /// The same for a command that contains such a text; any other passes.
  static Fault refuse_with(std::string part, const std::string& error) {
    auto fault = refuse(error);
    fault.part = std::move(part);
    return fault;
  }

  static Fault push_before_reply() { return {.kind = Kind::push_before_reply}; }
  /// The server acts; in place of its reply comes a beginning, and behind it a text again and again: as fast as the
  /// client reads it, or once each interval. This ends with the connection or when the proxy is healed.
  static Fault flood(std::string again, std::string beginning = {}) {
    return trickle_without_end(std::move(again), Milliseconds(0), std::move(beginning));
  }
  static Fault trickle_without_end(std::string again, Milliseconds interval, std::string beginning = {}) {
    return {.kind = Kind::endless, .span = interval, .text = std::move(beginning), .again = std::move(again)};
  }
  static Fault push_without_end(Milliseconds interval = Milliseconds(0)) {
    return trickle_without_end(">2\r\n+news\r\n+unasked\r\n", interval);
  }

  static Fault duplicate_reply() { return {.kind = Kind::duplicate_reply}; }
};

}  // namespace obol::testing
