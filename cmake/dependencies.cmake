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
  get_target_property(torch_include_dirs torch INTERFACE_INCLUDE_DIRECTORIES)
  find_path(LATHE_TORCH_PROTOBUF google/protobuf/message.h PATHS ${TORCH_INCLUDE_DIRS} NO_DEFAULT_PATH)
  mark_as_advanced(LATHE_TORCH_PROTOBUF)
  if(LATHE_TORCH_PROTOBUF AND NOT LATHE_TORCH_PROTOBUF STREQUAL Protobuf_INCLUDE_DIR)
    # PyTorch's packages bring Protobuf's headers, of another version than ONNX's library is built
    # with. A folder that holds nothing but the right ones is searched before torch's.
    set(protobuf_alone ${PROJECT_BINARY_DIR}/protobuf_headers)
    file(MAKE_DIRECTORY ${protobuf_alone})
    file(CREATE_LINK ${Protobuf_INCLUDE_DIR}/google ${protobuf_alone}/google SYMBOLIC)
    list(PREPEND torch_include_dirs ${protobuf_alone})
  endif()
  # Torch's own target carries its include folders as ordinary ones; our warnings are not for them.
  set_target_properties(torch PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${torch_include_dirs}"
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
