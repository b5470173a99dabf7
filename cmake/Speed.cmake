# ccache and mold are used when they are there; nothing needs them.
find_program(SLIPWAY_CCACHE ccache)
if(SLIPWAY_CCACHE)
  # Precompiled headers need the two sloppiness settings, or ccache never hits.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${SLIPWAY_CCACHE})
endif()
find_program(SLIPWAY_MOLD mold)
if(SLIPWAY_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
