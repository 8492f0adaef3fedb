# Finds a library as a target: by its CMake config (vcpkg, Conan), else by pkg-config (Debian), else by a CMake config
# that sets variables instead of a target. Installed beside obol-config.cmake, which needs the same.

# obol_find_dependency(TARGET PACKAGE name [version] MODULE module [VARIABLES package prefix [version]] FOUND variable
#   NEEDS message...)
# VARIABLES: the package that sets PREFIX_INCLUDE_DIRS and PREFIX_LIBRARIES.
# If there is none: inside of find_package(obol) the variable is set to false, elsewhere that is an error.
macro(obol_find_dependency target)
  cmake_parse_arguments(_obol "" "MODULE;FOUND" "PACKAGE;VARIABLES;NEEDS" ${ARGN})
  if(NOT TARGET ${target})
    find_package(${_obol_PACKAGE} CONFIG QUIET)
  endif()
  if(NOT TARGET ${target})
    list(GET _obol_PACKAGE 0 _obol_name)
    find_package(PkgConfig QUIET)
    if(PkgConfig_FOUND)
      pkg_check_modules(OBOL_${_obol_name} QUIET IMPORTED_TARGET "${_obol_MODULE}")
    endif()
    if(OBOL_${_obol_name}_FOUND)
      add_library(${target} INTERFACE IMPORTED)
      set_property(TARGET ${target} PROPERTY INTERFACE_LINK_LIBRARIES PkgConfig::OBOL_${_obol_name})
    endif()
  endif()
  if(NOT TARGET ${target} AND _obol_VARIABLES)
    list(POP_FRONT _obol_VARIABLES _obol_package _obol_prefix)
    find_package(${_obol_package} ${_obol_VARIABLES} CONFIG QUIET)
    if(${_obol_package}_FOUND AND ${_obol_prefix}_INCLUDE_DIRS AND ${_obol_prefix}_LIBRARIES)
      add_library(${target} INTERFACE IMPORTED)
      set_target_properties(${target} PROPERTIES
        INTERFACE_INCLUDE_DIRECTORIES "${${_obol_prefix}_INCLUDE_DIRS}"
        INTERFACE_LINK_LIBRARIES "${${_obol_prefix}_LIBRARIES}")
    endif()
  endif()
  if(NOT TARGET ${target})
    list(JOIN _obol_NEEDS "" _obol_message)
    if(NOT PkgConfig_FOUND)
      string(APPEND _obol_message " pkg-config is missing, and CMake needs it to find what a distribution installs: "
        "install the package pkg-config (elsewhere pkgconf) first.")
    endif()
    if(CMAKE_FIND_PACKAGE_NAME STREQUAL "obol")
      set(${_obol_FOUND} FALSE)
      set(obol_NOT_FOUND_MESSAGE "${_obol_message}")
    else()
      message(FATAL_ERROR "${_obol_message}")
    endif()
  endif()
endmacro()
