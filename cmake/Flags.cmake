# The flags of every room. Warnings are errors.
option(SLIPWAY_LIBFUZZER "link fuzz targets with libFuzzer (clang only)" OFF)
set(SLIPWAY_SANITIZE "" CACHE STRING "sanitizers, comma separated")

add_library(slipway_flags INTERFACE)
# g++ 12 sees an uninitialised std::stop_source where there is none: -Wno-maybe-uninitialized.
target_compile_options(slipway_flags INTERFACE
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough -Werror
  -Wno-missing-field-initializers
  $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond -Wlogical-op -fpch-preprocess
    -Wno-maybe-uninitialized>)
target_compile_definitions(slipway_flags INTERFACE _GLIBCXX_ASSERTIONS _GNU_SOURCE)
add_compile_options(-fno-omit-frame-pointer -ffunction-sections -fdata-sections)
add_link_options(-Wl,--gc-sections)
if(SLIPWAY_SANITIZE)
  add_compile_options(-fsanitize=${SLIPWAY_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SLIPWAY_SANITIZE})
endif()
find_package(Threads REQUIRED)
link_libraries(Threads::Threads)
