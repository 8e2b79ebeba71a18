# The compiler, its warnings and the sanitizers, as usage requirements of one interface target.

# g++ 12 destroys temporaries twice in statements with co_await and a braced aggregate, a capturing lambda or ?:,
# silently; this code is made of such statements.
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang" OR CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
  message(FATAL_ERROR "Pipewarden builds with clang 19 or newer (found ${CMAKE_CXX_COMPILER_ID} "
                      "${CMAKE_CXX_COMPILER_VERSION}): g++ 12 miscompiles coroutines silently. "
                      "Use './dev build', or -DCMAKE_CXX_COMPILER=clang++-19.")
endif()

set(PIPEWARDEN_SANITIZE "" CACHE STRING "Sanitizers to build with: 'address,undefined', 'thread', or empty")
option(PIPEWARDEN_FUZZ "Build the fuzzers" OFF)

add_library(pipewarden_flags INTERFACE)
# libstdc++ 12 silences its own use of deprecated parts (stable_sort's buffer) for g++ only, hence the -Wno.
target_compile_options(pipewarden_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual -Wthread-safety -Werror
  -Wno-deprecated-declarations
  -ffp-contract=off -fno-omit-frame-pointer)
target_include_directories(pipewarden_flags INTERFACE "${CMAKE_SOURCE_DIR}")
add_link_options(-fuse-ld=lld-19)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-ffunction-sections -fdata-sections)
  # Equal functions once, and the table of relocations a thirtieth of its size: resident memory, both.
  add_link_options(-Wl,--gc-sections -Wl,--icf=safe -Wl,-z,pack-relative-relocs -Wl,-z,relro -Wl,-z,now)
endif()

if(PIPEWARDEN_SANITIZE)
  add_compile_options(-fsanitize=${PIPEWARDEN_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${PIPEWARDEN_SANITIZE})
endif()
if(PIPEWARDEN_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER "${CCACHE}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE}")
endif()

# One code folder, one static library: pipewarden_library(core SOURCES … LINK …). Headers form a file set, so that
# CMAKE_VERIFY_INTERFACE_HEADER_SETS can prove that each stands alone.
function(pipewarden_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;HEADERS;LINK;LINK_PRIVATE" ${ARGN})
  if(NOT ARG_SOURCES)
    add_library(pipewarden_${name} INTERFACE)
    return()
  endif()
  add_library(pipewarden_${name} STATIC ${ARG_SOURCES})
  target_sources(pipewarden_${name} PUBLIC FILE_SET HEADERS BASE_DIRS "${CMAKE_SOURCE_DIR}" FILES ${ARG_HEADERS})
  target_link_libraries(pipewarden_${name} PUBLIC pipewarden_flags ${ARG_LINK} PRIVATE ${ARG_LINK_PRIVATE})
endfunction()
