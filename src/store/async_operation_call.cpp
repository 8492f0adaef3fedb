#include "store/async_operation_call.hpp"

namespace obol { inline namespace v0 {
namespace {

redis::Exchange::Kind kind_for(Request::Kind kind) {
  switch (kind) {
    case Request::Kind::call:
      return redis::Exchange::Kind::shared;
    case Request::Kind::together:
      return redis::Exchange::Kind::exclusive;
    case Request::Kind::each:
      return redis::Exchange::Kind::each;
    case Request::Kind::write:
      break;
  }
  return redis::Exchange::Kind::write;
}

}  // namespace

redis::Exchange exchange_for(const Request& request) {
  return {.kind = kind_for(request.kind),
          .may_ask_replica = request.may_ask_replica,
          .key = request.key,
          .keys = request.keys,
          .commands = request.commands,
          .expiry = request.expiry};
}

}}  // namespace obol::v0
