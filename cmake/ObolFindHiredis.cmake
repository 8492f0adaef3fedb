# Finds hiredis 1.2 or newer as the target hiredis::hiredis.
include("${CMAKE_CURRENT_LIST_DIR}/ObolFindDependency.cmake")
obol_find_dependency(hiredis::hiredis
  PACKAGE hiredis 1.2
  MODULE "hiredis>=1.2"
  VARIABLES Hiredis HIREDIS 1.2  # Debian 13's libhiredis-dev, without pkg-config
  FOUND obol_FOUND
  NEEDS "Obol needs hiredis 1.2 or newer, and none was found. Install libhiredis-dev (Debian 13 or newer), "
    "or add hiredis with vcpkg or Conan, or run scripts/setup in the folder of Obol and then, in this shell, "
    "'. .deps/environment' there.")
