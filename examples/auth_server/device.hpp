// Names a device by its browser's User-Agent: good enough for its owner to recognise it, never for security.
#pragma once

#include <string_view>

#include "payload.hpp"

namespace example::auth_server {

Device recognise_device(std::string_view user_agent, std::string_view address);

}  // namespace example::auth_server
