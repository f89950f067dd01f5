# Makes a C++ source of a text file: cmake -DTEXT=<file> -DNAME=<namespace::name> -DOUT=<file> -P
# The text must not contain the end of the raw string, `)lathe"`.
cmake_minimum_required(VERSION 3.25)

file(READ ${TEXT} text)
string(FIND "${text}" ")lathe\"" ends)
if(NOT ends EQUAL -1)
  message(FATAL_ERROR "${TEXT}: contains )lathe\", which would end the string")
endif()
string(REGEX REPLACE "::[^:]*$" "" namespace "${NAME}")
string(REGEX REPLACE "^.*::" "" name "${NAME}")
file(WRITE ${OUT} "namespace ${namespace} {\n\nextern const char* const ${name};\nconst char* const ${name} = R\"lathe(${text})lathe\";\n\n}  // namespace ${namespace}\n")
