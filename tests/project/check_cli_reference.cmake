# Checks that docs/cli.md is what the program says of itself.
# cmake -DPROGRAM=<lathe> -DROOT=<repository> -P check_cli_reference.cmake
cmake_minimum_required(VERSION 3.25)

execute_process(COMMAND ${PROGRAM} reference --format markdown OUTPUT_VARIABLE expected
                COMMAND_ERROR_IS_FATAL ANY)
set(actual "")
if(EXISTS ${ROOT}/docs/cli.md)
  file(READ ${ROOT}/docs/cli.md actual)
endif()
if(NOT actual STREQUAL expected)
  message(FATAL_ERROR "docs/cli.md is not what the program says; write it anew:\n"
                      "  ${PROGRAM} reference --out ${ROOT}/docs/cli.md")
endif()
