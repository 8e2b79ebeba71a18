# pipewarden::civetweb: the web server, a static library from Debian's own source package.
# (The name civetweb::civetweb is taken: prometheus-cpp's package looks the packaged one up.)
#
# Never the packaged library: it has no IPv6 and no Unix sockets, and its first HTTPS request crashes (it looks up an
# OpenSSL 1.1 symbol at run time that OpenSSL 3 lacks). The source is one C file, so that it is a target of this build
# like any other: the preset's sanitizers and ccache apply to it by themselves. The definitions are those that
# civetweb's CMake options would set, but USE_X_DOM_SOCKET, for which it has none.
#
# The source is fetched once into ${XDG_CACHE_HOME:-~/.cache}/pipewarden/civetweb and is used offline afterwards.
# -DPIPEWARDEN_CIVETWEB_SOURCE=DIR takes an unpacked source from elsewhere.
set(PIPEWARDEN_CIVETWEB_SOURCE "" CACHE PATH "Unpacked source of civetweb 1.15; empty: Debian's source package")

# Fetches the source package into `folder`. The machine's own package lists stay as they are: source lines are made from
# its indexes, and lists, cache and download live under build/.
function(pipewarden_fetch_civetweb folder)
  set(work "${CMAKE_BINARY_DIR}/civetweb-fetch")
  file(REMOVE_RECURSE "${work}")
  file(MAKE_DIRECTORY "${work}/lists/partial" "${work}/cache/archives/partial" "${work}/source")
  message(STATUS "Fetching the source package of civetweb")
  execute_process(
    COMMAND apt-get indextargets --format "deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)" "Identifier: Packages"
    OUTPUT_VARIABLE lines ERROR_VARIABLE complaint RESULT_VARIABLE failed)
  string(REPLACE "\n" ";" lines "${lines}")
  list(REMOVE_DUPLICATES lines)
  list(JOIN lines "\n" lines)
  file(WRITE "${work}/sources.list" "${lines}\n")
  set(apt apt-get -o "Dir::Etc::sourcelist=${work}/sources.list" -o "Dir::Etc::sourceparts=-"
                  -o "Dir::State::lists=${work}/lists" -o "Dir::Cache=${work}/cache" -o "Acquire::Retries=3")
  # A repository without sources makes the update fail in part; what counts is whether the source comes.
  execute_process(COMMAND ${apt} update OUTPUT_VARIABLE said ERROR_VARIABLE complaint_update)
  execute_process(COMMAND ${apt} source civetweb WORKING_DIRECTORY "${work}/source"
                  OUTPUT_VARIABLE said ERROR_VARIABLE complaint_source)
  file(GLOB found "${work}/source/civetweb-*/src/civetweb.c")
  if(NOT found)
    message(FATAL_ERROR
      "Cannot get the source package of civetweb from the machine's Debian mirror.\n"
      "${complaint}${complaint_update}${complaint_source}\n"
      "It needs apt-get with package lists (apt-get update), dpkg-dev, and the network once. Or unpack civetweb 1.15 "
      "yourself and configure with -DPIPEWARDEN_CIVETWEB_SOURCE=DIR.")
  endif()
  cmake_path(GET found PARENT_PATH found)
  cmake_path(GET found PARENT_PATH found)
  file(MAKE_DIRECTORY "${folder}.new")
  file(COPY "${found}/src" "${found}/include" "${found}/LICENSE.md" DESTINATION "${folder}.new")
  file(RENAME "${folder}.new" "${folder}")
  file(REMOVE_RECURSE "${work}")
endfunction()

set(civetweb_source "${PIPEWARDEN_CIVETWEB_SOURCE}")
if(NOT civetweb_source)
  set(civetweb_cache "$ENV{XDG_CACHE_HOME}")
  if(NOT civetweb_cache)
    set(civetweb_cache "$ENV{HOME}/.cache")
  endif()
  set(civetweb_source "${civetweb_cache}/pipewarden/civetweb")
  if(NOT EXISTS "${civetweb_source}/src/civetweb.c")
    file(MAKE_DIRECTORY "${civetweb_cache}/pipewarden")
    file(LOCK "${civetweb_cache}/pipewarden/civetweb.lock" GUARD FILE TIMEOUT 300)  # two builds at once
    if(NOT EXISTS "${civetweb_source}/src/civetweb.c")
      file(REMOVE_RECURSE "${civetweb_source}" "${civetweb_source}.new")
      pipewarden_fetch_civetweb("${civetweb_source}")
    endif()
    file(LOCK "${civetweb_cache}/pipewarden/civetweb.lock" RELEASE)
  endif()
endif()
if(NOT EXISTS "${civetweb_source}/src/civetweb.c")
  message(FATAL_ERROR "No src/civetweb.c in PIPEWARDEN_CIVETWEB_SOURCE='${civetweb_source}'.")
endif()

add_library(pipewarden_civetweb STATIC "${civetweb_source}/src/civetweb.c")
add_library(pipewarden::civetweb ALIAS pipewarden_civetweb)
target_compile_definitions(pipewarden_civetweb PRIVATE
  USE_IPV6 USE_WEBSOCKET USE_X_DOM_SOCKET NO_FILES NO_CGI NO_CACHING NO_SSL_DL OPENSSL_API_1_1
  USE_STACK_SIZE=1048576
  # A connection goes to the first thread that is free, not to the one that has waited longest: with that each of them
  # would touch its stack and its buffer in turn, 72 kB a thread, for requests that come one after the other.
  ALTERNATIVE_QUEUE
  # Connections are capped by peer where they are accepted, and stopping wakes all: agent/server/civetweb_hooks.h.
  accept=pipewarden_civetweb_accept close=pipewarden_civetweb_close poll=pipewarden_civetweb_poll)
target_compile_options(pipewarden_civetweb PRIVATE -w)
if(PIPEWARDEN_SANITIZE MATCHES "undefined")
  # Its list of options is walked past the end of a struct member by design; not ours to judge.
  target_compile_options(pipewarden_civetweb PRIVATE -fno-sanitize=undefined)
endif()
if(PIPEWARDEN_SANITIZE MATCHES "thread")
  # Its stop flag is a plain volatile int, by design too; our handlers on its threads are judged.
  target_compile_options(pipewarden_civetweb PRIVATE -fno-sanitize=thread)
endif()
# Before the system's folder, which may hold the packaged civetweb.h.
target_include_directories(pipewarden_civetweb BEFORE PUBLIC "${civetweb_source}/include")
target_link_libraries(pipewarden_civetweb PUBLIC OpenSSL::SSL OpenSSL::Crypto Threads::Threads)
