# SPDX-License-Identifier: Apache-2.0
# What every target shares: language, warnings, hardening, sanitizers, and the helpers that declare
# tests and programs.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
# The reference code is the oracle: no flag may change what a float operation means, and none may
# fuse or reorder it.
add_compile_options("$<$<COMPILE_LANGUAGE:C,CXX>:-ffp-contract=off>")
add_compile_definitions(_POSIX_C_SOURCE=200809L _XOPEN_SOURCE=700 _DEFAULT_SOURCE)

# -O2 everywhere: loops that profit from more say so themselves, and warnings are the same in every
# build.
set(CMAKE_C_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")

include(GNUInstallDirs)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

add_library(r1_warnings INTERFACE)
target_compile_options(r1_warnings INTERFACE -Wall -Wextra
  -Wpedantic -Wshadow -Wcast-qual -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wformat=2 -Wvla
  -Wconversion -Wno-sign-conversion -Wno-float-conversion)
if(R1_WERROR)
  target_compile_options(r1_warnings INTERFACE -Werror)
endif()

if(R1_SANITIZE)
  set(sanitize -fsanitize=${R1_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -g)
  add_compile_options("$<$<COMPILE_LANGUAGE:C,CXX>:${sanitize}>")
  unset(sanitize)
  add_link_options(-fsanitize=${R1_SANITIZE})
  add_compile_definitions(R1_DEEP_CHECKS=1) # invariants that cost a walk: core/include/r1_assert.h
else()
  add_compile_options("$<$<COMPILE_LANGUAGE:C,CXX>:-fstack-protector-strong>")
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    add_compile_options("$<$<COMPILE_LANGUAGE:C>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>")
  endif()
endif()

# r1_add_program(NAME SOURCES a.c b.c LIBS x y): a program in build/<preset>/bin that is installed.
function(r1_add_program name)
  cmake_parse_arguments(A "NOINSTALL" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE r1_warnings ${A_LIBS})
  set_target_properties(${name} PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
  if(NOT A_NOINSTALL)
    install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endfunction()

# What the leak sanitizer passes over, for the environment of tests.
set(R1_LSAN_OPTIONS
  "LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/support/lsan.supp:print_suppressions=0")

# r1_add_test(NAME SOURCES a.c LIBS x LABELS l TIMEOUT s): one CUnit program, run by CTest from the
# source root.
function(r1_add_test name)
  cmake_parse_arguments(A "" "TIMEOUT" "SOURCES;LIBS;LABELS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE r1_warnings r1_test_support ${A_LIBS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 600)
  endif()
  set(environment "R1_BIN=${PROJECT_BINARY_DIR}/bin" "R1_SOURCE=${PROJECT_SOURCE_DIR}"
    OMP_NUM_THREADS=1 ${R1_LSAN_OPTIONS})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${A_TIMEOUT} LABELS "${A_LABELS}"
    ENVIRONMENT "${environment}")
endfunction()
