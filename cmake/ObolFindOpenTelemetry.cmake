# Finds the API of opentelemetry-cpp as the target opentelemetry-cpp::api.
include("${CMAKE_CURRENT_LIST_DIR}/ObolFindDependency.cmake")
obol_find_dependency(opentelemetry-cpp::api
  PACKAGE opentelemetry-cpp
  MODULE opentelemetry_api
  FOUND obol_opentelemetry_FOUND
  NEEDS "Obol's OpenTelemetry adapter needs opentelemetry-cpp, and none was found. Install "
    "opentelemetry-cpp-dev (Debian 13 or newer, with libabsl-dev), or add opentelemetry-cpp with vcpkg or Conan, or run "
    "scripts/setup --full in the folder of Obol and then, in this shell, '. .deps/environment' there.")
