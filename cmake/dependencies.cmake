# Every dependency is a Debian package; docs/dependencies.md says why each is here.
find_package(Threads REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(ZLIB REQUIRED)
find_package(fmt REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(Eigen3 REQUIRED NO_MODULE)

if(LATHE_TORCH)
  find_package(Torch REQUIRED)
  find_package(CLI11 REQUIRED)
  find_package(Protobuf REQUIRED)
  include(cmake/own_headers_first.cmake)
  lathe_own_headers_first()
  get_target_property(torch_include_dirs torch INTERFACE_INCLUDE_DIRECTORIES)
  # Torch's own target carries its include folders as ordinary ones; our warnings are not for them.
  set_target_properties(torch PROPERTIES
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${torch_include_dirs}")
  # LibTorch's headers make vectors of a type before they define it, which clang refuses in C++20.
  target_compile_options(torch INTERFACE
    "$<$<COMPILE_LANG_AND_ID:CXX,Clang>:SHELL:-include ATen/core/ivalue.h>")
endif()
if(LATHE_PYTHON)
  include(cmake/python.cmake)
endif()
if(LATHE_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()
if(LATHE_BENCHMARKS AND LATHE_TORCH)
  find_package(benchmark REQUIRED)
endif()
