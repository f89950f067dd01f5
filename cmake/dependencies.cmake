# Every dependency is a Debian package; docs/dependencies.md says why each is here.
find_package(Threads REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(ZLIB REQUIRED)
find_package(fmt REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(Eigen3 REQUIRED NO_MODULE)

if(LATHE_TORCH)
  find_package(Torch REQUIRED)
  # Torch's own target carries its include folders as ordinary ones; our warnings are not for them.
  set_target_properties(torch PROPERTIES
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "$<TARGET_PROPERTY:torch,INTERFACE_INCLUDE_DIRECTORIES>")
  find_package(CLI11 REQUIRED)
  find_package(Protobuf REQUIRED)
endif()
if(LATHE_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()
if(LATHE_BENCHMARKS AND LATHE_TORCH)
  find_package(benchmark REQUIRED)
endif()
