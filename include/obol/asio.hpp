// Asynchronous stores for Asio. For hosts that use that library (Asio 1.22 or newer). Obol itself does not use it, and
// obol.hpp does not include this header.
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/associated_allocator.hpp>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/dispatch.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/posix/descriptor_base.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/recycling_allocator.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/version.hpp>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "obol/async_redis_store.hpp"
#include "obol/async_session_manager.hpp"
#include "obol/async_session_store.hpp"
#include "obol/handler_turn.hpp"

#if ASIO_VERSION < 102200
#error "obol/asio.hpp needs Asio 1.22 or newer"
#endif

#define OBOL_ASIO ::asio
#define OBOL_ASIO_FACE asio
#if ASIO_VERSION >= 102300
#include <asio/deferred.hpp>
#define OBOL_ASIO_HAS_DEFERRED
#elif defined(ASIO_HAS_CO_AWAIT)
#define OBOL_ASIO_HAS_CO_AWAIT
#endif
#if __has_include(<asio/associated_immediate_executor.hpp>)
#include <asio/associated_immediate_executor.hpp>
#define OBOL_ASIO_HAS_IMMEDIATE_EXECUTOR
#endif
#include "obol/asio_support.ipp"
#undef OBOL_ASIO
#undef OBOL_ASIO_FACE
#undef OBOL_ASIO_HAS_DEFERRED
#undef OBOL_ASIO_HAS_CO_AWAIT
#undef OBOL_ASIO_HAS_IMMEDIATE_EXECUTOR
