# Checks that the documents a newcomer opens exist, that the paths they link to do too, and that
# docs/map.md knows every component: cmake -DROOT=<repository> -P check_docs.cmake
cmake_minimum_required(VERSION 3.25)

set(bad "")
foreach(document IN ITEMS README.md LICENSE CONTRIBUTING.md CHANGELOG.md docs/map.md
                          docs/dependencies.md)
  if(NOT EXISTS ${ROOT}/${document})
    string(APPEND bad "  ${document} is missing\n")
  endif()
endforeach()

# All matches of `pattern` in a file, each without its first and last character. Brackets and
# semicolons, which would end a list's item, become spaces first; the `](` of a link becomes `@(`.
function(find_all document pattern result)
  file(READ ${ROOT}/${document} text)
  string(REPLACE "](" "@(" text "${text}")
  string(REGEX REPLACE "[][;]" " " text "${text}")
  string(REGEX MATCHALL "${pattern}" matches "${text}")
  list(TRANSFORM matches REPLACE "^@?.(.*).$" "\\1")
  set(${result} "${matches}" PARENT_SCOPE)
endfunction()

# Links: [text](path) or [text](path#section), relative to the document.
file(GLOB documents RELATIVE ${ROOT} ${ROOT}/*.md ${ROOT}/docs/*.md)
foreach(document IN LISTS documents)
  cmake_path(GET document PARENT_PATH folder)
  find_all(${document} "@\\([A-Za-z0-9_./-]+[#)]" links)
  foreach(link IN LISTS links)
    if(NOT EXISTS "${ROOT}/${folder}/${link}")
      string(APPEND bad "  ${document}: links to ${link}, which does not exist\n")
    endif()
  endforeach()
endforeach()

# The map: each `path` is a file or folder of the repository.
if(EXISTS ${ROOT}/docs/map.md)
  find_all(docs/map.md "`[^`\n]+`" paths)
  if(NOT paths)
    string(APPEND bad "  docs/map.md: names no path\n")
  endif()
  foreach(path IN LISTS paths)
    if(NOT EXISTS "${ROOT}/${path}")
      string(APPEND bad "  docs/map.md: ${path} does not exist\n")
    endif()
  endforeach()
  file(GLOB components RELATIVE ${ROOT} ${ROOT}/src/lathe/*/CMakeLists.txt)
  foreach(component IN LISTS components)
    cmake_path(GET component PARENT_PATH component)
    if(NOT "${paths}" MATCHES "(^|;)${component}/")
      string(APPEND bad "  docs/map.md: does not mention ${component}\n")
    endif()
  endforeach()
endif()

if(bad)
  message(FATAL_ERROR "Documents:\n${bad}")
endif()
