# hookd_library(NAME storage SRCS a.cc DEPS hookd::base PRIVATE_DEPS RocksDB::rocksdb)
#   makes hookd_storage, alias hookd::storage. PRIVATE_DEPS keep a third-party library inside one folder.
# hookd_binary(NAME hookd SRCS main.cc DEPS ...)
# hookd_test(NAME core_test SRCS a_test.cc DEPS ... LABEL unit [TIMEOUT 120] [OWN_PCH])

add_library(hookd_options INTERFACE)
target_compile_options(hookd_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Werror
  -fno-omit-frame-pointer
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety -Werror=thread-safety>
  "$<$<CXX_COMPILER_ID:Clang>:SHELL:-Xclang -fno-pch-timestamp>")
target_include_directories(hookd_options INTERFACE "${CMAKE_SOURCE_DIR}")
# Asio: no deprecated names, and handlers type-erased in one place only.
target_compile_definitions(hookd_options INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_HAS_STD_INVOKE_RESULT)
if(HOOKD_SANITIZE)
  target_compile_options(hookd_options INTERFACE "-fsanitize=${HOOKD_SANITIZE}" -fno-sanitize-recover=all)
  target_link_options(hookd_options INTERFACE "-fsanitize=${HOOKD_SANITIZE}")
endif()
if(HOOKD_SANITIZE MATCHES "thread")
  # Tells ThreadSanitizer what Debian's Abseil puts in order: tests/tsan.
  add_library(hookd_seen_by_tsan STATIC "${CMAKE_SOURCE_DIR}/tests/tsan/absl_synchronization.cc")
  target_compile_options(hookd_seen_by_tsan PRIVATE -fsanitize=thread)
  target_link_libraries(hookd_seen_by_tsan PUBLIC absl::synchronization)
  target_link_options(hookd_options INTERFACE "-Wl,@${CMAKE_SOURCE_DIR}/tests/tsan/wrapped_symbols.txt")
  target_link_libraries(hookd_options INTERFACE hookd_seen_by_tsan)
endif()

# What is shipped defends itself; tests/deploy/hardening_test.py reads the binaries. Tests do without: their code is
# shared by all builds' cache, and sanitizers find more.
add_library(hookd_hardening INTERFACE)
if(HOOKD_HARDENING AND NOT HOOKD_SANITIZE)
  target_compile_options(hookd_hardening INTERFACE
    -fPIE -fstack-protector-strong -fstack-clash-protection -fcf-protection
    "$<$<CONFIG:Release>:SHELL:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2>")
  target_link_options(hookd_hardening INTERFACE
    -pie LINKER:-z,relro LINKER:-z,now LINKER:-z,noexecstack LINKER:-z,separate-code)
endif()

function(hookd_library)
  cmake_parse_arguments(ARG "" "NAME" "SRCS;DEPS;PRIVATE_DEPS" ${ARGN})
  set(target "hookd_${ARG_NAME}")
  add_library(${target} STATIC ${ARG_SRCS})
  add_library("hookd::${ARG_NAME}" ALIAS ${target})
  target_link_libraries(${target} PUBLIC hookd_options ${ARG_DEPS} PRIVATE hookd_hardening ${ARG_PRIVATE_DEPS})
endfunction()

# Compiles the sources in groups: what a group's files include, and what they make of it, is compiled once. Each still
# includes what it needs, and its names are its own within the library. APART: those whose names are not.
function(hookd_in_groups target)
  cmake_parse_arguments(ARG "" "" "APART" ${ARGN})
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 6)
  set_source_files_properties(${ARG_APART} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()

function(hookd_binary)
  cmake_parse_arguments(ARG "" "NAME" "SRCS;DEPS" ${ARGN})
  add_executable(${ARG_NAME} ${ARG_SRCS})
  target_link_libraries(${ARG_NAME} PRIVATE hookd_options hookd_hardening ${ARG_DEPS})
  set_target_properties(${ARG_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
endfunction()

# For what need not be fast: less optimisation is up to half of its build.
function(hookd_quick_build target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1> $<$<CONFIG:Debug>:-O0>)
endfunction()

# What most tests include is precompiled once for all of them. HEAVY: the test itself computes much.
function(hookd_test)
  cmake_parse_arguments(ARG "OWN_PCH;HEAVY" "NAME;LABEL;TIMEOUT" "SRCS;DEPS" ${ARGN})
  if(NOT TARGET hookd_test_pch)
    file(GENERATE OUTPUT "${CMAKE_BINARY_DIR}/test_pch.cc" CONTENT "")
    add_library(hookd_test_pch OBJECT "${CMAKE_BINARY_DIR}/test_pch.cc")
    target_link_libraries(hookd_test_pch PRIVATE hookd_options GTest::gmock)
    hookd_quick_build(hookd_test_pch)
    target_precompile_headers(hookd_test_pch PRIVATE <functional> <map> <memory> <random> <string> <thread> <vector>
      <gmock/gmock.h> <gtest/gtest.h> <absl/container/flat_hash_map.h> <absl/status/statusor.h>
      <absl/synchronization/mutex.h> <boost/asio/io_context.hpp> <boost/asio/steady_timer.hpp>)
  endif()
  add_executable(${ARG_NAME} ${ARG_SRCS})
  target_link_libraries(${ARG_NAME} PRIVATE hookd_options ${ARG_DEPS} GTest::gmock_main GTest::gtest)
  if(NOT ARG_HEAVY)
    hookd_quick_build(${ARG_NAME})
  endif()
  if(NOT ARG_OWN_PCH AND NOT ARG_HEAVY)
    target_precompile_headers(${ARG_NAME} REUSE_FROM hookd_test_pch)
  endif()
  set_target_properties(${ARG_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_test(NAME ${ARG_NAME} COMMAND ${ARG_NAME} WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
  set_tests_properties(${ARG_NAME} PROPERTIES LABELS "${ARG_LABEL}" TIMEOUT ${ARG_TIMEOUT}
    ENVIRONMENT "HOOKD_BIN_DIR=${CMAKE_BINARY_DIR}/bin;UBSAN_OPTIONS=print_stacktrace=1")
endfunction()
