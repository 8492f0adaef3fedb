# Installs obol.pc for pkg-config. It finds its own prefix, wherever it is moved to. Who links a static libobol needs
# what it was made with, also without --static, since no shared one is beside it. A shared one names that itself, and
# no header needs it.
set(OBOL_PC_DIR "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
string(REGEX REPLACE "[^/]+" ".." up "${OBOL_PC_DIR}")
set(OBOL_PC_PREFIX "\${pcfiledir}/${up}")
if(IS_ABSOLUTE "${OBOL_PC_DIR}")
  set(OBOL_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
endif()
cmake_path(APPEND OBOL_PC_LIBDIR "\${prefix}" "${CMAKE_INSTALL_LIBDIR}")
cmake_path(APPEND OBOL_PC_INCLUDEDIR "\${prefix}" "${CMAKE_INSTALL_INCLUDEDIR}")
set(OBOL_PC_REQUIRES "\nRequires: hiredis >= 1.2, libssl >= 3.0, libcrypto >= 3.0, fmt >= 9")
get_target_property(type obol TYPE)
if(type STREQUAL "SHARED_LIBRARY")
  set(OBOL_PC_REQUIRES "")
endif()
configure_file(cmake/obol.pc.in "${CMAKE_CURRENT_BINARY_DIR}/obol.pc" @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/obol.pc" DESTINATION "${OBOL_PC_DIR}" COMPONENT obol_development)
