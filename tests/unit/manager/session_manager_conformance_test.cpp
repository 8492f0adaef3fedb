// The conformance suite of session managers on MemoryStore, blocking and asynchronous.
#include "obol/testing/session_manager_conformance.hpp"

#include <memory>

#include "obol/async_over.hpp"
#include "obol/memory_store.hpp"
#include "support/managers.hpp"

namespace obol::testing {

class MemoryManagerFactory {
 public:
  std::unique_ptr<SessionManager> make_manager(SessionManagerOptions options) {
    const auto store = memory(options);
    return testing::make_manager(store, std::move(options));
  }

 protected:
  std::shared_ptr<MemoryStore> memory(const SessionManagerOptions& options) {
    if (!memory_) {
      memory_ = std::make_shared<MemoryStore>(MemoryStoreOptions{.policy = policy_of_managers, .clock = options.clock});
    }
    return memory_;
  }

 private:
  std::shared_ptr<MemoryStore> memory_{};
};

template <class Driving>
class AsyncOverManagerFactory : private MemoryManagerFactory {
 public:
  std::unique_ptr<ManagerFacade<Driving>> make_manager(SessionManagerOptions options) {
    const auto store = std::make_shared<AsyncOver<MemoryStore>>(memory(options));
    return testing::make_manager<Driving>(store, std::move(options));
  }
};

INSTANTIATE_TYPED_TEST_SUITE_P(Memory, SessionManagerConformance, MemoryManagerFactory);
INSTANTIATE_TYPED_TEST_SUITE_P(AsyncOverByHand, SessionManagerConformance, AsyncOverManagerFactory<DrivenByHand>);
INSTANTIATE_TYPED_TEST_SUITE_P(AsyncOverInBackground, SessionManagerConformance,
                               AsyncOverManagerFactory<DrivenInBackground>);

}  // namespace obol::testing
