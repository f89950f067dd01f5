# Does check_docs.cmake accept what is right, and find what is planted?
# cmake -DCHECK=<check_docs.cmake> -DWORK=<scratch folder> -P check_docs_test.cmake
cmake_minimum_required(VERSION 3.25)

# Every check starts from a tree that is as it should be.
function(plant)
  file(REMOVE_RECURSE ${WORK})
  foreach(document IN ITEMS LICENSE CONTRIBUTING.md CHANGELOG.md docs/dependencies.md)
    file(WRITE ${WORK}/${document} "text\n")
  endforeach()
  file(WRITE ${WORK}/src/lathe/core/CMakeLists.txt "")
  file(WRITE ${WORK}/README.md "See [the map](docs/map.md), [web](https://example.org/x).\n")
  file(WRITE ${WORK}/docs/map.md "| errors | `src/lathe/core/CMakeLists.txt` |\n[up](../README.md#top)\n")
endfunction()

function(check)
  execute_process(COMMAND ${CMAKE_COMMAND} -DROOT=${WORK} -P ${CHECK}
                  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  set(result ${result} PARENT_SCOPE)
  set(output "${output}" PARENT_SCOPE)
endfunction()

function(refuses why)
  check()
  if(result EQUAL 0)
    message(SEND_ERROR "accepted, though: ${why}")
  elseif(NOT output MATCHES "${why}")
    message(SEND_ERROR "another reason than \"${why}\":\n${output}")
  endif()
endfunction()

plant()
check()
if(NOT result EQUAL 0)
  message(SEND_ERROR "refused a tree that is as it should be:\n${output}")
endif()

plant()
file(REMOVE ${WORK}/README.md)
refuses("README.md is missing")

plant()
file(APPEND ${WORK}/docs/map.md "| lost | `src/lathe/core/lost.h` |\n")
refuses("docs/map.md: src/lathe/core/lost.h does not exist")

plant()
file(WRITE ${WORK}/src/lathe/graph/CMakeLists.txt "")
refuses("docs/map.md: does not mention src/lathe/graph")

plant()
file(APPEND ${WORK}/README.md "[guide](docs/guide.md)\n")
refuses("README.md: links to docs/guide.md, which does not exist")
