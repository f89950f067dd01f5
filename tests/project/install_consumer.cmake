# Installs the build into a folder of its own, then builds and runs consumer/ against it.
# cmake -DBUILD=... -DCONSUMER=... -DWORK=... -DGENERATOR=... -DBUILD_TYPE=... -DCXX_FLAGS=... -P
cmake_minimum_required(VERSION 3.25)

file(REMOVE_RECURSE ${WORK})

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output
                  ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}: ${result}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
run(${CMAKE_COMMAND} -S ${CONSUMER} -B ${WORK}/build -G ${GENERATOR}
    -DCMAKE_BUILD_TYPE=${BUILD_TYPE} "-DCMAKE_CXX_FLAGS=${CXX_FLAGS}"
    -DCMAKE_PREFIX_PATH=${WORK}/prefix)
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${WORK}/build/consumer)
if(NOT output MATCHES "^largest mbv3_28: [1-9][0-9]+ macs\n$")
  message(FATAL_ERROR "unexpected output: ${output}")
endif()

# What the program writes about itself, where man, bash and zsh look for it.
if(EXISTS ${WORK}/prefix/bin/lathe)
  foreach(file IN ITEMS man/man1/lathe.1 man/man1/lathe-latency-fit.1
                        bash-completion/completions/lathe zsh/site-functions/_lathe)
    if(NOT EXISTS ${WORK}/prefix/share/${file})
      message(FATAL_ERROR "not installed: share/${file}")
    endif()
  endforeach()
endif()
