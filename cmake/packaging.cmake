# Debian packages by cpack: the program, the libraries with their headers, the Python module. To be
# built with the prefix /usr (preset package): a Python module has another place elsewhere.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME lathe)
set(CPACK_PACKAGE_CONTACT "The authors of Lathe <lathe@localhost>")
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)  # a package for each component
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_COMPONENTS_ALL dev)
if(TARGET lathe_cli)
  list(APPEND CPACK_COMPONENTS_ALL program)
endif()
if(TARGET lathe_python)
  list(APPEND CPACK_COMPONENTS_ALL python)
endif()

# Shared libraries are found by dpkg-shlibdeps.
set(CPACK_COMPONENT_PROGRAM_DESCRIPTION
    "Neural architecture search for devices: the command line
 Turns one trained network into the best network for every latency budget.")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME lathe)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_RECOMMENDS libopenblas0-pthread)  # some 25 times as fast
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SUGGESTS "dataset-fashion-mnist, python3-lathe")

set(CPACK_COMPONENT_PYTHON_DESCRIPTION
    "Neural architecture search for devices: Python module
 Search spaces, latency models and search, without LibTorch.")
set(CPACK_DEBIAN_PYTHON_PACKAGE_NAME python3-lathe)
set(CPACK_DEBIAN_PYTHON_PACKAGE_SECTION python)
set(CPACK_DEBIAN_PYTHON_PACKAGE_SHLIBDEPS ON)
if(LATHE_BUILD_PYTHON)
  # An extension is of one version of Python.
  math(EXPR next_minor "${Python_VERSION_MINOR} + 1")
  set(CPACK_DEBIAN_PYTHON_PACKAGE_DEPENDS
      "python3 (>= ${Python_VERSION_MAJOR}.${Python_VERSION_MINOR}), python3 (<< ${Python_VERSION_MAJOR}.${next_minor}), python3-numpy")
endif()

# What latheConfig.cmake asks for.
set(dev_depends nlohmann-json3-dev libeigen3-dev libfmt-dev zlib1g-dev libyaml-cpp-dev
                libopencv-imgcodecs-dev libopencv-imgproc-dev)
if(LATHE_TORCH)
  list(APPEND dev_depends libtorch-dev libgloo-dev libonnx-dev libprotobuf-dev protobuf-compiler)
endif()
list(JOIN dev_depends ", " CPACK_DEBIAN_DEV_PACKAGE_DEPENDS)
set(CPACK_COMPONENT_DEV_DESCRIPTION
    "Neural architecture search for devices: C++ libraries
 Static libraries, their headers, and the package for CMake's find_package(lathe).")
set(CPACK_DEBIAN_DEV_PACKAGE_NAME liblathe-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)

# Each says under what licence it is, where Debian looks for that.
foreach(component IN LISTS CPACK_COMPONENTS_ALL)
  string(TOUPPER ${component} name)
  install(FILES ${PROJECT_SOURCE_DIR}/LICENSE RENAME copyright COMPONENT ${component}
          DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${CPACK_DEBIAN_${name}_PACKAGE_NAME}
          EXCLUDE_FROM_ALL)
endforeach()

include(CPack)
