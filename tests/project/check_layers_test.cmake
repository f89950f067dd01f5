# Does check_layers.cmake accept what is right, and find what is planted?
# cmake -DCHECK=<check_layers.cmake> -DWORK=<scratch folder> -P check_layers_test.cmake
cmake_minimum_required(VERSION 3.25)

# A tree of one file, `path` with the line `include`; sets `result` and `output`.
function(check path include)
  file(REMOVE_RECURSE ${WORK})
  file(WRITE ${WORK}/src/lathe/${path} "#pragma once\n${include}\n")
  execute_process(COMMAND ${CMAKE_COMMAND} -DROOT=${WORK} -P ${CHECK}
                  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  set(result ${result} PARENT_SCOPE)
  set(output "${output}" PARENT_SCOPE)
endfunction()

function(accepts path include)
  check(${path} "${include}")
  if(NOT result EQUAL 0)
    message(SEND_ERROR "refused: ${path}: ${include}\n${output}")
  endif()
endfunction()

function(refuses path include why)
  check(${path} "${include}")
  if(result EQUAL 0)
    message(SEND_ERROR "accepted: ${path}: ${include}")
  elseif(NOT output MATCHES "${path}: ${why}")
    message(SEND_ERROR "another reason than \"${why}\": ${path}: ${include}\n${output}")
  endif()
endfunction()

accepts(core/a.h "#include <vector>")
accepts(space/a.h "#include \"lathe/graph/graph.h\"")
accepts(space/a.h "#include \"lathe/space/arch.h\"")
accepts(nn/kernels/a.cpp "#include <ATen/ATen.h>")
accepts(run/a.cpp "#include \"lathe/train/trainer.h\"")

refuses(core/a.h "#include \"lathe/graph/graph.h\"" "core must not see graph")
refuses(graph/deep/a.cpp "#include \"lathe/space/space.h\"" "graph must not see space")
refuses(graph/a.cpp "  #  include <lathe/space/space.h>" "graph must not see space")
refuses(space/a.cpp "#include \"lathe/latency/block_table.h\"" "space must not see latency")
refuses(search/a.cpp "#include \"lathe/nn/executor.h\"" "search must not see nn")
refuses(deploy/a.cpp "#include \"lathe/train/trainer.h\"" "deploy must not see train")
refuses(search/a.cpp "#include <ATen/ATen.h>" "search must build without LibTorch")
refuses(data/a.h "#include <torch/types.h>" "data must build without LibTorch")
refuses(core/a.h "#include <c10/util/Optional.h>" "core must build without LibTorch")
refuses(run/a.cpp "#include \"apps/lathe/main.h\"" "write \"lathe/")
refuses(run/a.cpp "#include <apps/lathe/main.h>" "the library sees only the library")
refuses(graph/a.cpp "#include \"../space/space.h\"" "write \"lathe/")
refuses(utils/a.h "#include <vector>" "check_layers.cmake has no list for utils")
