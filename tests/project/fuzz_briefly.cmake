# Builds the fuzzers of the loaders below LibTorch and runs each for two seconds; scripts/fuzz.sh runs
# all of them for as long as one likes.
# cmake -DROOT=<repository> -DWORK=<folder to build in> -P fuzz_briefly.cmake; skipped without clang.
cmake_minimum_required(VERSION 3.25)

file(WRITE ${WORK}/nothing.cpp
     "extern \"C\" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }\n")
execute_process(COMMAND clang++ -fsanitize=fuzzer,address nothing.cpp -o nothing
                WORKING_DIRECTORY ${WORK} RESULT_VARIABLE result OUTPUT_QUIET ERROR_QUIET)
if(NOT result EQUAL 0)
  message(STATUS "SKIPPED: needs clang++ with libFuzzer (on Debian 12: clang libclang-rt-14-dev)")
  return()
endif()
execute_process(COMMAND ${CMAKE_COMMAND} -E env LATHE_FUZZ_BUILD=${WORK}/build LATHE_TORCH=OFF
                        LATHE_JOBS=1 ${ROOT}/scripts/fuzz.sh 2
                COMMAND_ERROR_IS_FATAL ANY)
