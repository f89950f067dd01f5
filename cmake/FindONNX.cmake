# Finds ONNX's C++ library: message classes, operator schemas, checker and shape inference.
# Gives the target ONNX::onnx, visible in every folder. The package's own configuration file isn't
# used: in some versions it names libraries that aren't installed with it.
find_package(Protobuf QUIET)
find_path(ONNX_INCLUDE_DIR onnx/checker.h)
find_library(ONNX_LIBRARY onnx)
find_library(ONNX_PROTO_LIBRARY onnx_proto)
mark_as_advanced(ONNX_INCLUDE_DIR ONNX_LIBRARY ONNX_PROTO_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(ONNX
  REQUIRED_VARS ONNX_LIBRARY ONNX_PROTO_LIBRARY ONNX_INCLUDE_DIR Protobuf_LIBRARIES
  REASON_FAILURE_MESSAGE "on Debian: apt-get install libonnx-dev libprotobuf-dev")

if(ONNX_FOUND AND NOT TARGET ONNX::onnx)
  add_library(ONNX::onnx INTERFACE IMPORTED GLOBAL)
  set_target_properties(ONNX::onnx PROPERTIES
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${ONNX_INCLUDE_DIR}"
    INTERFACE_INCLUDE_DIRECTORIES "${ONNX_INCLUDE_DIR}"
    # As the library was compiled: another value gives classes that don't link, or worse.
    INTERFACE_COMPILE_DEFINITIONS "ONNX_NAMESPACE=onnx;ONNX_ML=1"
    INTERFACE_LINK_LIBRARIES "${ONNX_LIBRARY};${ONNX_PROTO_LIBRARY};${Protobuf_LIBRARIES}")
endif()
