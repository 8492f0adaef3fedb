// Builds Reply values straight from hiredis' parser, through its object functions.
#include "redis/reply.hpp"

#include <fmt/format.h>
#include <hiredis/hiredis.h>

#include <algorithm>
#include <exception>
#include <new>
#include <utility>

namespace obol::inline v0::redis {
namespace {

// HELLO nests two levels deep, everything else one; hiredis before 1.2.1 overflows the stack on thousands.
constexpr int maximum_depth = 8;
constexpr long long maximum_elements = 4'000'000;

// Beyond this, and within other elements, memory follows the bytes received, not the count a server announces.
constexpr std::size_t most_reserved = 64;

// The reader moves all it holds behind a reply to its front, so it is given little more than a reply at a time.
constexpr std::size_t most_fed_at_once = 2048;

// Of a larger reply's memory.
constexpr std::size_t most_kept = 65'536;

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
  const bool is_verbatim = task->type == REDIS_REPLY_VERB;
  std::string_view text(bytes, length);
  // It begins with its format and a colon, such as "txt:".
  if (is_verbatim) text.remove_prefix(std::min<std::size_t>(length, 4));
  try {
    static_cast<std::string*>(task->privdata)->append(text);
  } catch (const std::exception&) {
    release(task, reply);
    return nullptr;
  }
  reply->kind = is_verbatim ? Reply::Kind::text : kind_of(task->type);
  // Until the reply is whole and its bytes have found their place.
  reply->integer = static_cast<std::int64_t>(text.size());
  return reply;
}

void* create_array(const redisReadTask* task, std::size_t elements) {
  if (depth_of(task) >= maximum_depth) return nullptr;
  Reply* reply = place_of(task);
  if (reply == nullptr) return nullptr;
  reply->kind = kind_of(task->type);
  if (task->parent != nullptr) return reply;
  try {
    reply->elements.reserve(std::min(elements, most_reserved));
    return reply;
  } catch (const std::bad_alloc&) {
    delete reply;
    return nullptr;
  }
}

// In the order in which their bytes came.
void place_texts(Reply& reply, const char*& next) {
  if (reply.kind == Reply::Kind::text || reply.kind == Reply::Kind::error || reply.kind == Reply::Kind::other) {
    const auto length = static_cast<std::size_t>(std::exchange(reply.integer, 0));
    reply.text = {next, length};
    next += length;
  }
  for (auto& element : reply.elements) place_texts(element, next);
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
  reader_->privdata = texts_.get();
}

Result<void> ReplyReader::feed(std::string_view bytes) {
  unread_bytes_ += bytes.size();
  if (unread_bytes_ > maximum_bytes_) {
    return std::unexpected(
        Error{ErrorCode::too_large, fmt::format("a reply of more than {} bytes; raise maximum_reply_bytes "
                                                "or store smaller payloads",
                                                maximum_bytes_)});
  }
  if (fed_ == received_.size()) {
    received_.clear();
    fed_ = 0;
  }
  received_ += bytes;
  return {};
}

// False once there is nothing left.
Result<bool> ReplyReader::feed_some() {
  const auto some = std::string_view(received_).substr(fed_, most_fed_at_once);
  if (some.empty()) return false;
  fed_ += some.size();
  if (redisReaderFeed(reader_.get(), some.data(), some.size()) == REDIS_OK) return true;
  return std::unexpected(Error{ErrorCode::protocol, "the server's reply could not be taken in"});
}

Result<std::optional<Reply>> ReplyReader::next() {
  void* object = nullptr;
  for (;;) {
    if (redisReaderGetReply(reader_.get(), &object) != REDIS_OK) {
      return std::unexpected(Error{ErrorCode::protocol,
                                   "the server sent bytes that are no Redis reply; is something else "
                                   "listening at this address?"});
    }
    if (object != nullptr) break;
    const auto fed = feed_some();
    if (!fed) return std::unexpected(fed.error());
    if (!*fed) return std::optional<Reply>{};
  }
  const std::unique_ptr<Reply> reply(static_cast<Reply*>(object));
  unread_bytes_ = reader_->len - reader_->pos + received_.size() - fed_;
  give_bytes(*reply);
  return std::optional<Reply>(std::move(*reply));
}

void ReplyReader::give_bytes(Reply& reply) {
  auto bytes = texts_->empty() ? nullptr : std::make_unique_for_overwrite<char[]>(texts_->size());
  std::ranges::copy(*texts_, bytes.get());
  const char* next = bytes.get();
  place_texts(reply, next);
  reply.bytes = std::move(bytes);
  texts_->clear();
  if (texts_->capacity() > most_kept) texts_->shrink_to_fit();
}

}  // namespace obol::inline v0::redis
