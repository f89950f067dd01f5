# Headers that take seconds to compile and that many files include, compiled once for each kind of
# target: lathe_precompile(<target> library|torch|program|test|torch_test). The presets for daily work
# and for clang leave them out (CMAKE_DISABLE_PRECOMPILE_HEADERS), so that a file which forgets an
# include is noticed there.
set(LATHE_PRECOMPILED_library <algorithm> <array> <cmath> <cstdint> <filesystem> <functional> <map>
    <memory> <optional> <sstream> <stdexcept> <string> <vector> <nlohmann/json.hpp>)
set(LATHE_PRECOMPILED_torch ${LATHE_PRECOMPILED_library} <ATen/ATen.h>)
set(LATHE_PRECOMPILED_program ${LATHE_PRECOMPILED_torch} <fmt/format.h> <CLI/CLI.hpp>)
set(LATHE_PRECOMPILED_test ${LATHE_PRECOMPILED_library} <gtest/gtest.h>)
set(LATHE_PRECOMPILED_torch_test ${LATHE_PRECOMPILED_torch} <gtest/gtest.h>)

# Those of the program and of tests are compiled with little optimisation, as they are.
foreach(kind program test torch_test)
  set(LATHE_PRECOMPILED_${kind}_OPTIONS $<$<CONFIG:Release>:-O1>)
endforeach()

# What those headers need; flags and definitions must be those of the targets that use them.
set(LATHE_PRECOMPILED_library_LIBRARIES nlohmann_json::nlohmann_json)
set(LATHE_PRECOMPILED_torch_LIBRARIES ${LATHE_PRECOMPILED_library_LIBRARIES} ${TORCH_LIBRARIES})
set(LATHE_PRECOMPILED_program_LIBRARIES ${LATHE_PRECOMPILED_torch_LIBRARIES} CLI11::CLI11 fmt::fmt)
set(LATHE_PRECOMPILED_test_LIBRARIES ${LATHE_PRECOMPILED_library_LIBRARIES} GTest::gtest)
set(LATHE_PRECOMPILED_torch_test_LIBRARIES ${LATHE_PRECOMPILED_torch_LIBRARIES} GTest::gtest)

function(lathe_precompile target kind)
  target_compile_options(${target} PRIVATE ${LATHE_PRECOMPILED_${kind}_OPTIONS})
  if(CMAKE_DISABLE_PRECOMPILE_HEADERS)
    return()
  endif()
  set(carrier lathe_precompiled_${kind})
  if(NOT TARGET ${carrier})
    if(kind MATCHES "program|test")  # -fPIE, where libraries have -fPIC
      file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/${carrier}.cpp CONTENT "int main() {}\n")
      add_executable(${carrier} EXCLUDE_FROM_ALL ${PROJECT_BINARY_DIR}/${carrier}.cpp)
    else()
      file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/${carrier}.cpp CONTENT "")
      add_library(${carrier} OBJECT ${PROJECT_BINARY_DIR}/${carrier}.cpp)
    endif()
    target_compile_features(${carrier} PRIVATE cxx_std_20)
    target_link_libraries(${carrier} PRIVATE ${LATHE_PRECOMPILED_${kind}_LIBRARIES})
    target_compile_options(${carrier} PRIVATE ${LATHE_PRECOMPILED_${kind}_OPTIONS})
    lathe_warnings(${carrier})  # -Wpedantic decides whether macros are defined
    target_precompile_headers(${carrier} PRIVATE ${LATHE_PRECOMPILED_${kind}})
  endif()
  target_precompile_headers(${target} REUSE_FROM ${carrier})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE -fpch-preprocess)  # lets ccache see through them
  endif()
endfunction()
