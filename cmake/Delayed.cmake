# Most commands need neither Git nor archives nor HTTP, but those libraries bring forty more along, and loading them takes
# twice as long as a small command itself. slipway_delay(TARGET ROOM...) puts a small stub in the place of each function
# of theirs that the rooms call: the first call loads the library. Where nobody has written the stub's dozen instructions
# for the processor, and in a build with a sanitizer, the libraries are linked as ever.
function(slipway_delay target)
  if(NOT CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64" OR SLIPWAY_SANITIZE OR SLIPWAY_LIBFUZZER)
    return()
  endif()
  set(libraries)
  foreach(library libgit2 libarchive libcurl libnftables libgpgme)
    string(REPLACE libgpgme gpgme package ${library})
    pkg_get_variable(folder ${package} libdir)
    list(APPEND libraries ${folder}/${library}.so)
  endforeach()
  set(archives)
  foreach(room ${ARGN})
    list(APPEND archives $<TARGET_FILE:${room}>)
  endforeach()
  set(stubs ${CMAKE_CURRENT_BINARY_DIR}/${target}_delayed.S)
  set(script ${PROJECT_SOURCE_DIR}/cmake/delayed.py)
  add_custom_command(
    OUTPUT ${stubs}
    COMMAND ${script} --out ${stubs} --nm ${CMAKE_NM} --libraries ${libraries} --calls ${archives}
    DEPENDS ${script} ${ARGN}
    VERBATIM)
  target_sources(${target} PRIVATE ${stubs} ${PROJECT_SOURCE_DIR}/src/delayed.cpp)
  target_link_options(${target} PRIVATE -Wl,--as-needed)
endfunction()
