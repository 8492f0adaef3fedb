// Builds Reply values straight from hiredis' parser, through its object functions.
#include "redis/reply.hpp"

#include <fmt/format.h>
#include <hiredis/hiredis.h>

#include <new>

namespace obol::inline v0::redis {
namespace {

// HELLO nests two levels deep, everything else one; hiredis before 1.2.1 overflows the stack on thousands.
constexpr int maximum_depth = 8;
constexpr long long maximum_elements = 4'000'000;

// Elements are added as they come, never by the count a server announces: memory follows the bytes received.
Reply* place_of(const redisReadTask* task) noexcept {
  try {
    if (task->parent == nullptr) return new Reply;
    return &static_cast<Reply*>(task->parent->obj)->elements.emplace_back();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

int depth_of(const redisReadTask* task) {
  int depth = 0;
  for (; task->parent != nullptr; task = task->parent) ++depth;
  return depth;
}

Reply::Kind kind_of(int type) {
  switch (type) {
    case REDIS_REPLY_ERROR:
      return Reply::Kind::error;
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
    case REDIS_REPLY_BIGNUM:
      return Reply::Kind::text;
    case REDIS_REPLY_ARRAY:
    case REDIS_REPLY_SET:
      return Reply::Kind::list;
    case REDIS_REPLY_MAP:
      return Reply::Kind::map;
    case REDIS_REPLY_PUSH:
      return Reply::Kind::push;
    default:
      return Reply::Kind::other;
  }
}

void release(const redisReadTask* task, Reply* reply) {
  if (task->parent == nullptr) delete reply;
}

// hiredis calls these from C: nothing may be thrown, a null pointer says "out of memory".
void* create_string(const redisReadTask* task, char* bytes, std::size_t length) {
  Reply* reply = place_of(task);
  if (reply == nullptr) return nullptr;
  try {
    reply->text.assign(bytes, length);
  } catch (const std::bad_alloc&) {
    release(task, reply);
    return nullptr;
  }
  // A verbatim string begins with its format and a colon, such as "txt:".
  if (task->type == REDIS_REPLY_VERB && length >= 4) reply->text.erase(0, 4);
  reply->kind = task->type == REDIS_REPLY_VERB ? Reply::Kind::text : kind_of(task->type);
  return reply;
}

void* create_array(const redisReadTask* task, std::size_t) {
  if (depth_of(task) >= maximum_depth) return nullptr;
  Reply* reply = place_of(task);
  if (reply == nullptr) return nullptr;
  reply->kind = kind_of(task->type);
  return reply;
}

void* create_integer(const redisReadTask* task, long long value) {
  Reply* reply = place_of(task);
  if (reply == nullptr) return nullptr;
  reply->kind = Reply::Kind::integer;
  reply->integer = value;
  return reply;
}

void* create_double(const redisReadTask* task, double, char* text, std::size_t length) {
  return create_string(task, text, length);
}

void* create_nil(const redisReadTask* task) { return place_of(task); }

void* create_bool(const redisReadTask* task, int value) { return create_integer(task, value); }

void free_object(void* reply) { delete static_cast<Reply*>(reply); }

redisReplyObjectFunctions object_functions = {create_string, create_array, create_integer, create_double,
                                              create_nil,    create_bool,  free_object};

}  // namespace

const Reply* Reply::find(std::string_view key) const {
  for (std::size_t i = 0; i + 1 < elements.size(); i += 2) {
    if (elements[i].text == key) return &elements[i + 1];
  }
  return nullptr;
}

void ReplyReader::Free::operator()(redisReader* reader) const noexcept { redisReaderFree(reader); }

ReplyReader::ReplyReader(std::size_t maximum_bytes)
    : reader_(redisReaderCreateWithFunctions(&object_functions)), maximum_bytes_(maximum_bytes) {
  if (reader_ == nullptr) throw std::bad_alloc();
  reader_->maxelements = maximum_elements;
}

Result<void> ReplyReader::feed(std::string_view bytes) {
  bytes_since_reply_ += bytes.size();
  if (bytes_since_reply_ > maximum_bytes_) {
    return std::unexpected(
        Error{ErrorCode::too_large, fmt::format("a reply of more than {} bytes; raise maximum_reply_bytes "
                                                "or store smaller payloads",
                                                maximum_bytes_)});
  }
  if (redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) != REDIS_OK) {
    return std::unexpected(Error{ErrorCode::protocol, "the server's reply could not be taken in"});
  }
  return {};
}

Result<std::optional<Reply>> ReplyReader::next() {
  void* object = nullptr;
  if (redisReaderGetReply(reader_.get(), &object) != REDIS_OK) {
    return std::unexpected(Error{ErrorCode::protocol,
                                 "the server sent bytes that are no Redis reply; is something else "
                                 "listening at this address?"});
  }
  if (object == nullptr) return std::optional<Reply>{};
  const std::unique_ptr<Reply> reply(static_cast<Reply*>(object));
  bytes_since_reply_ = reader_->len - reader_->pos;
  return std::optional<Reply>(std::move(*reply));
}

}  // namespace obol::inline v0::redis
