# Makes source files of the C++ blocks of a Markdown file.

# Sets `block` to the first C++ block of `text`, empty if there is none, and `rest` to what follows it.
function(obol_split_cpp_block text block rest)
  string(FIND "${text}" "```cpp\n" begin)
  if(begin EQUAL -1)
    set(${block} "" PARENT_SCOPE)
    return()
  endif()
  string(LENGTH "```cpp\n" fence)
  math(EXPR begin "${begin} + ${fence}")
  string(SUBSTRING "${text}" ${begin} -1 text)
  string(FIND "${text}" "\n```" end)
  string(SUBSTRING "${text}" 0 ${end} found)
  string(SUBSTRING "${text}" ${end} -1 text)
  set(${block} "${found}" PARENT_SCOPE)
  set(${rest} "${text}" PARENT_SCOPE)
endfunction()

# Writes the first block of a page, which is a program, into the file `source`.
function(obol_write_first_cpp_block page source)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${page}")
  file(READ "${page}" text)
  obol_split_cpp_block("${text}" code rest)
  file(CONFIGURE OUTPUT "${source}" CONTENT "// The first block of ${page}\n${code}\n" @ONLY)
endfunction()
