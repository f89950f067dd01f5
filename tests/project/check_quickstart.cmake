# scripts/quickstart.sh passes options on, and what is given takes the place of its own; by a copy
# whose program prints its arguments. ROOT, WORK.
file(REMOVE_RECURSE ${WORK})
set(program ${WORK}/build/release/apps/lathe/lathe)
file(COPY ${ROOT}/scripts/quickstart.sh DESTINATION ${WORK}/scripts)
file(WRITE ${WORK}/scripts/build.sh "#!/bin/sh\n")
file(WRITE ${program} "#!/bin/sh\necho \"$@\"\n")
file(CHMOD ${WORK}/scripts/build.sh ${program} PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)

function(expect_run expected)
  execute_process(COMMAND ${WORK}/scripts/quickstart.sh ${ARGN}
    OUTPUT_VARIABLE output ERROR_VARIABLE output OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT output STREQUAL "run ${expected}")
    message(SEND_ERROR "quickstart.sh ${ARGN}\nexpected: run ${expected}\ngot:      ${output}")
  endif()
endfunction()

set(data --dataset=fashion-mnist)
set(out --out=${WORK}/runs/quickstart)
expect_run("${data} --budget=10m ${out} --resume")
expect_run("${data} ${out} --resume --budget 2m" --budget 2m)
expect_run("${data} ${out} --resume --seed 2 --budget=2m" --seed 2 --budget=2m)
expect_run("--resume --out a --dataset photos/ --budget 1h" --out a --dataset photos/ --budget 1h)
expect_run("${data} --budget=10m ${out} --resume --budgets 1" --budgets 1)
