# Installs the library, its headers and a package that find_package(obol) finds.
include(CMakePackageConfigHelpers)

set(OBOL_CMAKE_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/obol")
install(TARGETS obol EXPORT obol-targets)
install(DIRECTORY include/obol TYPE INCLUDE)
install(EXPORT obol-targets NAMESPACE obol:: DESTINATION "${OBOL_CMAKE_DIR}")
configure_package_config_file(cmake/obol-config.cmake.in "${CMAKE_CURRENT_BINARY_DIR}/obol-config.cmake"
  INSTALL_DESTINATION "${OBOL_CMAKE_DIR}")
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/obol-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/obol-config.cmake" "${CMAKE_CURRENT_BINARY_DIR}/obol-config-version.cmake"
  cmake/ObolFindHiredis.cmake DESTINATION "${OBOL_CMAKE_DIR}")
