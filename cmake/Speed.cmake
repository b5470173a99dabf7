# ccache and mold are used when they are there; nothing needs them.
find_program(SLIPWAY_CCACHE ccache)
if(SLIPWAY_CCACHE)
  # Precompiled headers need the two sloppiness settings, or ccache never hits.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${SLIPWAY_CCACHE})
endif()
find_program(SLIPWAY_MOLD mold)
if(SLIPWAY_MOLD)
  # What runs at a start stands together, as GNU ld has it by itself: else it makes half of the program resident.
  add_link_options(-fuse-ld=mold -Wl,-z,keep-text-section-prefix)
endif()
