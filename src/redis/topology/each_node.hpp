// Does something with each node of a list that other threads may read or change meanwhile.
#pragma once

#include <cstddef>
#include <mutex>

#include "redis/topology/node.hpp"

namespace obol { inline namespace v0 { namespace redis {

/// `use` is called without the lock. A copy of the list would need memory, which there may not be.
template <class Members, class Use>
void for_each_node(std::mutex& mutex, const Members& members, Use use) {
  for (std::size_t i = 0;; ++i) {
    NodeHandle node;
    {
      const std::scoped_lock lock(mutex);
      if (i >= members.size()) return;
      node = members[i].node;
    }
    use(*node);
  }
}

}}}  // namespace obol::v0::redis
