# One target per folder of src/lathe: lathe_component(space SOURCES a.cpp HEADERS a.h DEPS graph).
# HEADERS are public and each is compiled alone (target all_verify_interface_header_sets). TORCH: most
# of its files include LibTorch.
include(GNUInstallDirs)
include(${CMAKE_CURRENT_LIST_DIR}/precompiled_headers.cmake)

function(lathe_component name)
  cmake_parse_arguments(ARG "TORCH" "" "SOURCES;HEADERS;DEPS;PUBLIC_LIBRARIES;PRIVATE_LIBRARIES" ${ARGN})
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
  if(ARG_TORCH)
    lathe_precompile(lathe_${name} torch)
  else()
    lathe_precompile(lathe_${name} library)
  endif()
  install(TARGETS lathe_${name} EXPORT lathe_targets FILE_SET HEADERS COMPONENT dev
          ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
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
  cmake_parse_arguments(ARG "TORCH" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(lathe_${name}_test ${ARG_SOURCES})
  target_link_libraries(lathe_${name}_test PRIVATE lathe_${name} ${ARG_LIBRARIES} GTest::gtest_main)
  target_include_directories(lathe_${name}_test PRIVATE ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../tests)
  lathe_warnings(lathe_${name}_test)
  if(ARG_TORCH)
    lathe_precompile(lathe_${name}_test torch_test)
  else()
    lathe_precompile(lathe_${name}_test test)
  endif()
  gtest_discover_tests(lathe_${name}_test TEST_PREFIX ${name}. DISCOVERY_TIMEOUT 60
                       PROPERTIES TIMEOUT 600)
endfunction()
