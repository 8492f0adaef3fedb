# Finds Asio 1.22 or newer, without Boost, as the target asio::asio.
include("${CMAKE_CURRENT_LIST_DIR}/ObolFindDependency.cmake")
obol_find_dependency(asio::asio PACKAGE asio MODULE asio HEADER asio/any_io_executor.hpp FOUND obol_asio_FOUND
  NEEDS "obol::asio needs Asio 1.22 or newer (Debian: libasio-dev; vcpkg, Conan: asio)")
