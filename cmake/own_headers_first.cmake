# PyTorch's own packages of LibTorch bring headers of Protobuf, nlohmann-json and fmt, of other versions
# than the libraries that Lathe is linked with; and they would be found first. A folder that holds
# nothing but the right ones is searched before torch's. Debian's libtorch-dev brings none: there
# nothing changes.

# Puts `headers`, a folder of headers in one of `dirs`, into `own` if torch has others.
function(lathe_link_own_headers headers own torch_dirs dirs)
  list(REMOVE_ITEM torch_dirs ${dirs})
  find_path(of_torch ${headers} PATHS ${torch_dirs} NO_DEFAULT_PATH NO_CACHE)
  find_path(of_lathe ${headers} PATHS ${dirs} NO_DEFAULT_PATH NO_CACHE)
  if(of_torch AND of_lathe)
    get_filename_component(parent ${own}/${headers} DIRECTORY)
    file(MAKE_DIRECTORY ${parent})
    file(CREATE_LINK ${of_lathe}/${headers} ${own}/${headers} SYMBOLIC)
  endif()
endfunction()

function(lathe_own_headers_first)
  set(own ${CMAKE_BINARY_DIR}/own_headers)
  get_target_property(torch_dirs torch INTERFACE_INCLUDE_DIRECTORIES)
  get_target_property(json_dirs nlohmann_json::nlohmann_json INTERFACE_INCLUDE_DIRECTORIES)
  get_target_property(fmt_dirs fmt::fmt INTERFACE_INCLUDE_DIRECTORIES)
  lathe_link_own_headers(google/protobuf ${own} "${torch_dirs}" "${Protobuf_INCLUDE_DIRS}")
  lathe_link_own_headers(nlohmann ${own} "${torch_dirs}" "${json_dirs}")
  lathe_link_own_headers(fmt ${own} "${torch_dirs}" "${fmt_dirs}")
  if(EXISTS ${own})
    list(PREPEND torch_dirs ${own})
    set_target_properties(torch PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${torch_dirs}")
  endif()
endfunction()
