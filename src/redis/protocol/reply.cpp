// Builds Reply values straight from hiredis' parser, through its object functions.
#include "redis/protocol/reply.hpp"

#include <fmt/format.h>
#include <hiredis/hiredis.h>

#include <algorithm>
#include <exception>
#include <new>
#include <utility>

namespace obol { inline namespace v0 { namespace redis {
namespace {

// HELLO nests two levels deep, everything else one; hiredis before 1.2.1 overflows the stack on thousands.
constexpr int max_depth = 8;
constexpr long long max_elements = 4'000'000;

// Beyond this memory follows the bytes received, not the count a server announces.
constexpr std::size_t most_reserved = 64;

// The parser moves all it holds behind a reply to its front, so it is given little more than a reply at a time.
constexpr std::size_t most_fed_at_once = 2048;

// Of a larger reply's memory.
constexpr std::size_t most_kept_bytes = 65'536;

// The parser looks for a line's end from its beginning each time. Only bulk strings are long, and their lines are not.
constexpr std::size_t longest_line = 65'536;

}  // namespace

/// The reply that is being read, as hiredis' callbacks know it.
struct ReplyBuild {
  std::size_t max_cost;
  Reply outermost{};
  std::string texts{};
  std::size_t held = 0;      ///< Bytes that the parser was given since the last reply.
  std::size_t elements = 0;  ///< That were announced.
  std::size_t wasted = 0;    ///< Cost of what went unused since the last reply.
  std::size_t last_cost = 0;
  const redisReader* parser = nullptr;
  bool is_too_large = false;
  bool is_too_deep = false;
  bool is_swollen = false;  ///< The parser keeps more memory than it needs.

  std::size_t unparsed() const { return parser->len - parser->pos; }

  /// Of the first so many bytes.
  std::size_t cost(std::size_t bytes) const { return bytes + elements * ReplyReader::element_cost; }

  /// What the limit leaves for bytes that are still to come.
  std::size_t room() const { return max_cost - std::min(max_cost, cost(held)); }

  bool announce(std::size_t more) {
    elements += more;
    is_too_large = is_too_large || cost(held - unparsed()) > max_cost;
    return !is_too_large;
  }

  void begin_anew() {
    texts.clear();
    if (texts.capacity() > most_kept_bytes) texts.shrink_to_fit();
    held = unparsed();
    elements = 0;
  }
};

namespace {

/// Its memory grows with what came, and never beyond what was announced.
Reply* append_to(Reply& list, std::size_t announced) {
  auto& elements = list.elements;
  if (elements.size() == elements.capacity()) {
    elements.reserve(std::max(std::min(announced, 2 * elements.size() + 2), elements.size() + 1));
  }
  return &elements.emplace_back();
}

Reply* place_of(const redisReadTask* task) noexcept {
  try {
    const auto* const parent = task->parent;
    if (parent != nullptr)
      return append_to(*static_cast<Reply*>(parent->obj), static_cast<std::size_t>(parent->elements));
    auto& outermost = static_cast<ReplyBuild*>(task->privdata)->outermost;
    outermost = {};
    return &outermost;
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

// hiredis calls these from C: nothing may be thrown, a null pointer says "out of memory".
void* create_string(const redisReadTask* task, char* bytes, std::size_t length) {
  Reply* reply = place_of(task);
  if (reply == nullptr) return nullptr;
  const bool is_verbatim = task->type == REDIS_REPLY_VERB;
  std::string_view text(bytes, length);
  // It begins with its format and a colon, such as "txt:".
  if (is_verbatim) text.remove_prefix(std::min<std::size_t>(length, 4));
  try {
    static_cast<ReplyBuild*>(task->privdata)->texts.append(text);
  } catch (const std::exception&) {
    return nullptr;
  }
  reply->kind = is_verbatim ? Reply::Kind::text : kind_of(task->type);
  // Until the reply is whole and its bytes have found their place.
  reply->integer = static_cast<std::int64_t>(text.size());
  return reply;
}

void* create_array(const redisReadTask* task, std::size_t elements) {
  auto& build = *static_cast<ReplyBuild*>(task->privdata);
  build.is_too_deep = depth_of(task) >= max_depth;
  if (build.is_too_deep || !build.announce(elements)) return nullptr;
  Reply* reply = place_of(task);
  if (reply == nullptr) return nullptr;
  reply->kind = kind_of(task->type);
  if (task->parent != nullptr) return reply;
  try {
    reply->elements.reserve(std::min(elements, most_reserved));
    return reply;
  } catch (const std::bad_alloc&) {
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

void give_texts(Reply& reply, const std::string& texts) {
  auto bytes = texts.empty() ? nullptr : std::make_unique_for_overwrite<char[]>(texts.size());
  std::ranges::copy(texts, bytes.get());
  const char* next = bytes.get();
  place_texts(reply, next);
  reply.bytes = std::move(bytes);
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

// Every reply is a part of the ReplyBuild.
void free_object(void*) {}

redisReplyObjectFunctions object_functions = {create_string, create_array, create_integer, create_double,
                                              create_nil,    create_bool,  free_object};

/// Null if there is no memory.
redisReader* new_parser(ReplyBuild& build) {
  redisReader* parser = redisReaderCreateWithFunctions(&object_functions);
  if (parser == nullptr) return nullptr;
  parser->maxelements = max_elements;
  parser->privdata = &build;
  build.parser = parser;
  return parser;
}

bool is_endless_line(const redisReader& parser) {
  return parser.len - parser.pos > longest_line &&
         !std::string_view(parser.buf + parser.pos, longest_line).contains('\n');
}

std::unexpected<Error> no_reply() {
  return std::unexpected(Error{ErrorCode::protocol,
                               "the server sent bytes that are not a Redis reply; is something else listening at this "
                               "address?"});
}

std::unexpected<Error> too_large(std::size_t limit) {
  return std::unexpected(
      Error{ErrorCode::too_large, fmt::format("a reply would take more than {} bytes; raise max_reply_bytes, or store "
                                              "fewer or smaller sessions of one user",
                                              limit)});
}

std::unexpected<Error> too_much_waste(std::size_t limit) {
  return std::unexpected(
      Error{ErrorCode::protocol,
            fmt::format("more than {} unsolicited bytes and no reply arrived; is something other than Redis "
                        "or Valkey listening at this address?",
                        limit)});
}

}  // namespace

const Reply* Reply::find(std::string_view key) const {
  for (std::size_t i = 0; i + 1 < elements.size(); i += 2) {
    if (elements[i].text == key) return &elements[i + 1];
  }
  return nullptr;
}

void ReplyReader::Free::operator()(redisReader* reader) const noexcept { redisReaderFree(reader); }

void ReplyReader::FreeBuild::operator()(ReplyBuild* build) const noexcept { delete build; }

ReplyReader::ReplyReader(std::size_t max_bytes)
    : build_(new ReplyBuild{.max_cost = max_bytes}), parser_(new_parser(*build_)) {
  if (!parser_) throw std::bad_alloc();
}

void ReplyReader::count_as_waste() { build_->wasted += build_->last_cost; }

bool ReplyReader::has_unread_bytes() const { return build_->held > 0 || fed_ < received_.size(); }

void ReplyReader::feed(std::string_view bytes) {
  if (fed_ == received_.size()) {
    received_.clear();
    fed_ = 0;
  }
  received_ += bytes;
}

// False once there is nothing left.
Result<bool> ReplyReader::feed_some() {
  const auto left = std::string_view(received_).substr(fed_);
  if (left.empty()) return false;
  const auto some = left.substr(0, std::min(most_fed_at_once, build_->room()));
  if (some.empty()) return too_large(build_->max_cost);
  fed_ += some.size();
  build_->held += some.size();
  if (redisReaderFeed(parser_.get(), some.data(), some.size()) == REDIS_OK) return true;
  throw std::bad_alloc();
}

Result<std::optional<Reply>> ReplyReader::next() {
  if (build_->wasted > build_->max_cost) return too_much_waste(build_->max_cost);
  void* object = nullptr;
  for (;;) {
    const bool is_fine = redisReaderGetReply(parser_.get(), &object) == REDIS_OK;
    if (build_->is_too_large) return too_large(build_->max_cost);
    // Callbacks give null if there is no memory, and hiredis reports that as it reports its own want.
    if (!is_fine && parser_->err == REDIS_ERR_OOM && !build_->is_too_deep) throw std::bad_alloc();
    if (!is_fine) return no_reply();
    if (object != nullptr) break;
    if (is_endless_line(*parser_)) return no_reply();
    const auto fed = feed_some();
    if (!fed) return std::unexpected(fed.error());
    if (!*fed) return std::optional<Reply>{};
  }
  return take_out(*static_cast<Reply*>(object));
}

Result<std::optional<Reply>> ReplyReader::take_out(Reply& reply) {
  auto& build = *build_;
  const auto bytes = build.held - build.unparsed();
  build.last_cost = build.cost(bytes);
  if (build.last_cost > build.max_cost) return too_large(build.max_cost);
  give_texts(reply, build.texts);
  build.begin_anew();
  if (reply.kind != Reply::Kind::push) build.wasted = 0;
  build.is_swollen = build.is_swollen || bytes > most_kept_bytes;
  if (build.is_swollen && build.held == 0) give_memory_back();
  return std::optional<Reply>(std::move(reply));
}

// hiredis keeps a large buffer until it is fed again, and an idle connection may wait long for that.
void ReplyReader::give_memory_back() {
  if (auto* const parser = new_parser(*build_)) parser_.reset(parser);
  build_->is_swollen = false;
}

}}}  // namespace obol::v0::redis
