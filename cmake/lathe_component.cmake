# One target per folder of src/lathe: lathe_component(space SOURCES a.cpp HEADERS a.h DEPS graph).
# HEADERS are public and each is compiled alone (target all_verify_interface_header_sets). TORCH: most
# of its files include LibTorch. TOGETHER: with LATHE_UNITY several files are compiled as one, which
# for files that share headers takes a fifth of the time; they don't name anything twice, not even in
# unnamed namespaces. APART: but not these files.
include(GNUInstallDirs)
include(${CMAKE_CURRENT_LIST_DIR}/precompiled_headers.cmake)

function(lathe_component name)
  cmake_parse_arguments(ARG "TORCH;TOGETHER" ""
                        "SOURCES;APART;HEADERS;DEPS;PUBLIC_LIBRARIES;PRIVATE_LIBRARIES" ${ARGN})
  add_library(lathe_${name} STATIC ${ARG_SOURCES})
  add_library(lathe::${name} ALIAS lathe_${name})
  set_target_properties(lathe_${name} PROPERTIES EXPORT_NAME ${name} VERIFY_INTERFACE_HEADER_SETS ON)
  target_sources(lathe_${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../src
                                      FILES ${ARG_HEADERS})
  target_compile_features(lathe_${name} PUBLIC cxx_std_20)
  foreach(dep IN LISTS ARG_DEPS)
    target_link_libraries(lathe_${name} PUBLIC lathe_${dep})
  endforeach()
  target_link_libraries(lathe_${name} PUBLIC ${ARG_PUBLIC_LIBRARIES} PRIVATE ${ARG_PRIVATE_LIBRARIES})
  lathe_warnings(lathe_${name})
  if(ARG_TOGETHER)
    lathe_compile_together(lathe_${name} ${ARG_APART})
  endif()
  if(ARG_TORCH)
    lathe_precompile(lathe_${name} torch)
  else()
    lathe_precompile(lathe_${name} library)
  endif()
  install(TARGETS lathe_${name} EXPORT lathe_targets FILE_SET HEADERS COMPONENT dev
          ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
endfunction()

# lathe_compile_together(<target> [files to compile alone...])
function(lathe_compile_together target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${LATHE_UNITY} UNITY_BUILD_BATCH_SIZE 8)
  if(LATHE_UNITY)  # these would be of names in other files
    target_compile_options(${target} PRIVATE -Wno-shadow -Wno-subobject-linkage)
  endif()
  if(ARGN)
    set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  endif()
endfunction()

function(lathe_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow
    -Wno-missing-field-initializers  # designated initialisers leave defaults out on purpose
    # gcc 12 and 14 see these in the standard library's own inlined code.
    -Wno-restrict -Wno-stringop-overread -Wno-stringop-overflow -Wno-array-bounds)
  if(LATHE_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()

# lathe_test(space SOURCES mobile_family_test.cpp ...): one binary per component.
function(lathe_test name)
  cmake_parse_arguments(ARG "TORCH;TOGETHER" "" "SOURCES;APART;LIBRARIES" ${ARGN})
  add_executable(lathe_${name}_test ${ARG_SOURCES})
  target_link_libraries(lathe_${name}_test PRIVATE lathe_${name} ${ARG_LIBRARIES} GTest::gtest_main)
  target_include_directories(lathe_${name}_test PRIVATE ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../tests)
  lathe_warnings(lathe_${name}_test)
  if(ARG_TOGETHER)
    lathe_compile_together(lathe_${name}_test ${ARG_APART})
  endif()
  set(each TIMEOUT 600)
  if(ARG_TORCH)
    lathe_precompile(lathe_${name}_test torch_test)
    lathe_test_in_parts(${name})
    list(APPEND each LABELS single)
  else()
    lathe_precompile(lathe_${name}_test test)
  endif()
  gtest_discover_tests(lathe_${name}_test TEST_PREFIX ${name}. DISCOVERY_TIMEOUT 60
                       PROPERTIES ${each})
endfunction()

# A component's tests in few processes, `ctest -C Parts`, in place of one each, which are labelled
# `single`: loading LibTorch takes longer than most of them.
function(lathe_test_in_parts name)
  set(parts 4)
  foreach(part RANGE 1 ${parts})
    set(test ${name}.part_${part}_of_${parts})
    math(EXPR index "${part} - 1")
    add_test(NAME ${test} COMMAND lathe_${name}_test --gtest_brief=1 CONFIGURATIONS Parts)
    set_tests_properties(${test} PROPERTIES TIMEOUT 1800 COST 500
      ENVIRONMENT "GTEST_TOTAL_SHARDS=${parts};GTEST_SHARD_INDEX=${index}")
  endforeach()
endfunction()
