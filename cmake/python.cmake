# Finds what the Python module is built with. LATHE_BUILD_PYTHON says whether it was found,
# LATHE_PYTHON_DIR where the module is installed.

# The first Python that has NumPy: on a machine with several it is Debian's that our packages are of.
function(lathe_has_numpy result python)
  execute_process(COMMAND ${python} -c "import numpy" RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
  if(NOT status EQUAL 0)
    set(${result} FALSE PARENT_SCOPE)
  endif()
endfunction()
find_program(LATHE_PYTHON_EXECUTABLE NAMES python3 python VALIDATOR lathe_has_numpy
             DOC "Python to build the module for")

set(LATHE_BUILD_PYTHON OFF)
if(LATHE_PYTHON_EXECUTABLE)
  set(Python_EXECUTABLE ${LATHE_PYTHON_EXECUTABLE})
  find_package(Python 3.9 QUIET COMPONENTS Interpreter Development.Module)
  find_package(pybind11 2.10 QUIET CONFIG)
  if(Python_FOUND AND pybind11_FOUND)
    set(LATHE_BUILD_PYTHON ON)
  endif()
endif()
if(NOT LATHE_BUILD_PYTHON)
  message(STATUS "Python with NumPy, its headers or pybind11 not found: no Python module")
  return()
endif()

# Debian's own Python looks in lib/python3/dist-packages of /usr alone, and elsewhere in a folder
# with its version.
execute_process(
  COMMAND ${Python_EXECUTABLE} -c "import sysconfig; print('deb_system' in sysconfig.get_scheme_names())"
  OUTPUT_VARIABLE debian OUTPUT_STRIP_TRAILING_WHITESPACE)
set(version_dir lib/python${Python_VERSION_MAJOR}.${Python_VERSION_MINOR})
if(NOT debian STREQUAL "True")
  set(default_dir ${version_dir}/site-packages)
elseif(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  set(default_dir lib/python3/dist-packages)
else()
  set(default_dir ${version_dir}/dist-packages)
endif()
set(LATHE_PYTHON_DIR ${default_dir} CACHE STRING "Where under the prefix the module is installed")
