# Builds the libraries below LibTorch alone, in a folder of its own. With ccache, which has just
# seen the same files in the main build, this takes seconds.
# cmake -DROOT=... -DWORK=... -DGENERATOR=... -DBUILD_TYPE=... -DCXX_FLAGS=... -P
cmake_minimum_required(VERSION 3.25)

execute_process(
  COMMAND ${CMAKE_COMMAND} -S ${ROOT} -B ${WORK} -G ${GENERATOR}
          -DCMAKE_BUILD_TYPE=${BUILD_TYPE} -DCMAKE_CXX_FLAGS=${CXX_FLAGS}
          -DLATHE_TORCH=OFF -DLATHE_TESTS=OFF -DLATHE_BENCHMARKS=OFF
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} --build ${WORK} COMMAND_ERROR_IS_FATAL ANY)
file(GLOB_RECURSE libraries ${WORK}/*.a)
list(LENGTH libraries count)
if(count EQUAL 0)
  message(FATAL_ERROR "nothing was built")
endif()
message(STATUS "${count} libraries built without LibTorch")
