# Installs the library, its headers, a package that find_package(obol) finds, and one for pkg-config.
set(OBOL_CMAKE_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/obol")
if(NOT OBOL_INSTALL)
  return()
endif()
include(CMakePackageConfigHelpers)
include(ObolPkgConfig)

get_target_property(OBOL_LIBRARY_TYPE obol TYPE)
install(TARGETS obol EXPORT obol-targets
  LIBRARY COMPONENT obol_library NAMELINK_COMPONENT obol_development
  ARCHIVE COMPONENT obol_development)
install(DIRECTORY include/obol TYPE INCLUDE COMPONENT obol_development)
install(EXPORT obol-targets NAMESPACE obol:: DESTINATION "${OBOL_CMAKE_DIR}" COMPONENT obol_development)
configure_package_config_file(cmake/obol-config.cmake.in "${CMAKE_CURRENT_BINARY_DIR}/obol-config.cmake"
  INSTALL_DESTINATION "${OBOL_CMAKE_DIR}")
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/obol-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/obol-config.cmake" "${CMAKE_CURRENT_BINARY_DIR}/obol-config-version.cmake"
  cmake/ObolFindAsio.cmake cmake/ObolFindDependency.cmake cmake/ObolFindHiredis.cmake cmake/ObolFindOpenTelemetry.cmake
  DESTINATION "${OBOL_CMAKE_DIR}" COMPONENT obol_development)
