// Nobody loses anything by pressing Enter: that means no.
#include "obolctl/confirmation.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <iostream>

#include "obolctl/interruption.hpp"

namespace obol::ctl {

Result<bool> confirm(const std::string& question, bool is_confirmed) {
  if (is_confirmed) return true;
  if (::isatty(STDIN_FILENO) != 1) {
    return std::unexpected(Error{ErrorCode::invalid_argument,
                                 "there is no terminal to ask on, so nothing was done; add --yes to go ahead"});
  }
  fmt::print(stderr, "{} [y/N] ", question);
  std::string answer;
  std::getline(std::cin, answer);
  if (auto going = check_interruption(); !going) return std::unexpected(going.error());
  return answer == "y" || answer == "Y" || answer == "yes";
}

}  // namespace obol::ctl
