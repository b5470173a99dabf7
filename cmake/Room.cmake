# slipway_room(name DEPS room... LIBS lib::... [SOURCE_DIRS dir...])
#
# One folder of src/ is one static library and one test program. Sources are the folder's .cpp files
# (and those of SOURCE_DIRS below it); x_test.cpp goes to <name>_test, fuzz_x.cpp to fuzz/. DEPS is the
# only place where the right to include another room is written down: the test `rooms` reads every
# #include and compares.
include(GoogleTest)
# Every room's tests and corpus replays, and nothing else: what the sanitizer builds of .ci/run make.
add_custom_target(room_tests)
# Under a sanitizer everything takes longer.
set(SLIPWAY_TEST_TIMEOUT 120)
if(SLIPWAY_SANITIZE OR SLIPWAY_LIBFUZZER)
  set(SLIPWAY_TEST_TIMEOUT 300)
endif()
set(SLIPWAY_TEST_ENVIRONMENT "")
if(SLIPWAY_SANITIZE STREQUAL "thread")
  set(SLIPWAY_TEST_ENVIRONMENT ENVIRONMENT "TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/cmake/tsan-suppressions.txt")
endif()
file(WRITE ${CMAKE_BINARY_DIR}/rooms.txt "")

function(slipway_room name)
  cmake_parse_arguments(R "" "" "DEPS;LIBS;SOURCE_DIRS;TEST_LIBS;TEST_DEPS" ${ARGN})
  set(globs *.cpp)
  foreach(dir ${R_SOURCE_DIRS})
    list(APPEND globs ${dir}/*.cpp)
  endforeach()
  file(GLOB all CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} ${globs})
  set(sources ${all})
  list(FILTER sources EXCLUDE REGEX "(_test\\.cpp|(^|/)fuzz_[a-z0-9_]*\\.cpp|_bench\\.cpp|(^|/)main\\.cpp)$")
  set(tests ${all})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  set(fuzzers ${all})
  list(FILTER fuzzers INCLUDE REGEX "(^|/)fuzz_[a-z0-9_]*\\.cpp$")

  if(sources)
    add_library(${name} STATIC ${sources})
    target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(${name} PUBLIC ${R_DEPS} lib::fmt PRIVATE ${R_LIBS} slipway_flags)
    target_precompile_headers(${name} REUSE_FROM slipway_pch)
  else()
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(${name} INTERFACE ${R_DEPS} lib::fmt)
  endif()
  file(APPEND ${CMAKE_BINARY_DIR}/rooms.txt "${name}: ${R_DEPS}\n")

  if(tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE ${name} ${R_TEST_DEPS} ${R_LIBS} ${R_TEST_LIBS} GTest::gtest GTest::gtest_main slipway_flags)
    target_compile_definitions(${name}_test PRIVATE
      SLIPWAY_SOURCE_DIR="${PROJECT_SOURCE_DIR}" SLIPWAY_TESTDATA="${CMAKE_CURRENT_SOURCE_DIR}/testdata")
    target_precompile_headers(${name}_test REUSE_FROM slipway_test_pch)
    add_dependencies(room_tests ${name}_test)
    gtest_discover_tests(${name}_test DISCOVERY_MODE PRE_TEST
      DISCOVERY_TIMEOUT 60
      PROPERTIES LABELS ${name} TIMEOUT ${SLIPWAY_TEST_TIMEOUT} SKIP_REGULAR_EXPRESSION "\\[  SKIPPED \\]"
      ${SLIPWAY_TEST_ENVIRONMENT})
  endif()
  foreach(file ${fuzzers})
    get_filename_component(target ${file} NAME_WE)
    slipway_fuzz(${target} ${CMAKE_CURRENT_SOURCE_DIR}/${file} ${name})
  endforeach()
endfunction()

# A fuzz target: with clang 19 a libFuzzer program; with any compiler a program that replays the corpus
# in testdata/fuzz/<x>/ beside the source, which is part of every test run.
function(slipway_fuzz target file room)
  get_filename_component(dir ${file} DIRECTORY)
  string(REGEX REPLACE "^fuzz_" "" short ${target})
  set(corpus ${dir}/testdata/fuzz/${short})
  if(SLIPWAY_LIBFUZZER)
    add_executable(${target} ${file})
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    add_test(NAME fuzz.${short} COMMAND ${target} -runs=0 ${corpus})
  else()
    add_executable(${target} ${file})
    target_link_libraries(${target} PRIVATE fuzz_replay)
    add_test(NAME fuzz.${short} COMMAND ${target} ${corpus})
  endif()
  set_tests_properties(fuzz.${short} PROPERTIES LABELS "${room};fuzz" TIMEOUT ${SLIPWAY_TEST_TIMEOUT})
  target_link_libraries(${target} PRIVATE ${room} slipway_flags)
  target_precompile_headers(${target} REUSE_FROM slipway_pch)
  add_dependencies(room_tests ${target})
endfunction()
