// Fills and prints JSON objects.
#include "obolctl/json.hpp"

#include <fmt/core.h>

#include "base/utf8.hpp"
#include "obolctl/text.hpp"

namespace obol::ctl {

void add_bytes(Json& object, const std::string& name, std::string_view bytes) {
  if (is_utf8(bytes)) {
    object[name] = bytes;
  } else {
    object[name + "_escaped"] = escaped(bytes);
  }
}

void add_time(Json& object, const std::string& name, std::chrono::sys_seconds time) {
  auto text = iso8601(time);
  object[name] = text == "-" ? Json() : Json(std::move(text));
}

std::string json_line(const Json& object) {
  // What a server says of itself need not be UTF-8.
  return object.dump(-1, ' ', true, Json::error_handler_t::replace);
}

void print_json(const Json& object) { fmt::print("{}\n", json_line(object)); }

}  // namespace obol::ctl
