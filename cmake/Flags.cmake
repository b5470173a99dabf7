# The flags of every room. Warnings are errors.
option(SLIPWAY_LIBFUZZER "link fuzz targets with libFuzzer (clang only)" OFF)
set(SLIPWAY_SANITIZE "" CACHE STRING "sanitizers, comma separated")

add_library(slipway_flags INTERFACE)
# g++ 12 sees an uninitialised std::stop_source where there is none: -Wno-maybe-uninitialized; and, when it optimises,
# strings that are longer than memory or lie upon themselves, in std::string's own code: nobody's release fails for that.
target_compile_options(slipway_flags INTERFACE
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough -Werror
  -Wno-missing-field-initializers
  # Without a time in it, ccache finds a file that uses clang's precompiled header.
  # It also takes what libstdc++ does inside stable_sort for our doing.
  $<$<CXX_COMPILER_ID:Clang>:SHELL:-Xclang -fno-pch-timestamp -Wno-deprecated-declarations>
  $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond -Wlogical-op -fpch-preprocess -Wno-maybe-uninitialized>
  "$<$<AND:$<CXX_COMPILER_ID:GNU>,$<CONFIG:Release>>:-Wno-stringop-overflow;-Wno-stringop-overread;-Wno-restrict;-Wno-array-bounds;-Wno-error>")
target_compile_definitions(slipway_flags INTERFACE _GLIBCXX_ASSERTIONS _GNU_SOURCE)
add_compile_options(-fno-omit-frame-pointer -ffunction-sections -fdata-sections)
add_link_options(-Wl,--gc-sections)
if(SLIPWAY_SANITIZE)
  add_compile_options(-fsanitize=${SLIPWAY_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SLIPWAY_SANITIZE})
  # In code with checks of theirs in it g++ 12 sees more that is not there; warnings count in the other builds.
  target_compile_options(slipway_flags INTERFACE -Wno-error)
endif()
if(SLIPWAY_LIBFUZZER)
  # A fuzzer learns only from code that counts its branches: the rooms, not just the target's own file.
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
endif()
find_package(Threads REQUIRED)
link_libraries(Threads::Threads)
