# sparsify_library(NAME SOURCES … DEPS … PRIVATE …): the static library sparsify_NAME.
# sparsify_test(NAME SOURCES … DEPS …): a GoogleTest binary of that name, tests registered.
include(GNUInstallDirs)
set_property(GLOBAL PROPERTY SPARSIFY_LIBRARIES "")

function(sparsify_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;PRIVATE" ${ARGN})
  add_library(sparsify_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(sparsify_${name} PUBLIC sparsify_settings ${ARG_DEPS}
                        PRIVATE $<BUILD_INTERFACE:sparsify_warnings> ${ARG_PRIVATE})
  # Under sanitizers what computes little is not optimised: compiling it takes longer than running.
  if(SPARSIFY_SANITIZE AND name MATCHES "^(base|graph|mask|allocation|onnx|hdf5|io|report|cli|schedulers|data|events|training)")
    target_compile_options(sparsify_${name} PRIVATE -O0)
  endif()
  # What most sources include is read once. Not with ccache, which such headers keep from its work,
  # nor where it is more than the sources, nor under sanitizers: GCC 12 then takes -O0 for -O1 in
  # headers of intrinsics.
  list(LENGTH ARG_SOURCES count)
  if(NOT CMAKE_CXX_COMPILER_LAUNCHER AND NOT SPARSIFY_SANITIZE AND count GREATER 8
     AND NOT name STREQUAL "kernels")
    target_precompile_headers(sparsify_${name} PRIVATE <fmt/format.h> <algorithm> <functional> <map>
      <memory> <optional> <string> <vector>)
  endif()
  set_property(GLOBAL APPEND PROPERTY SPARSIFY_LIBRARIES sparsify_${name})
endfunction()

# Compiling the tests takes most of a check; what they test is optimised as ever.
function(sparsify_test_options target)
  target_link_libraries(${target} PRIVATE sparsify_settings sparsify_warnings GTest::gmock
                        GTest::gtest_main fmt::fmt)
  if(SPARSIFY_SANITIZE)
    target_compile_options(${target} PRIVATE -O0)
  else()
    target_compile_options(${target} PRIVATE -O1)
  endif()
endfunction()

function(sparsify_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  sparsify_test_options(${name})
  # What every test includes is read once. Not with ccache, which such headers keep from its work.
  if(NOT CMAKE_CXX_COMPILER_LAUNCHER)
    if(NOT TARGET sparsify_test_headers)
      file(WRITE ${CMAKE_BINARY_DIR}/test_headers.cc "int main() {}\n")
      add_executable(sparsify_test_headers ${CMAKE_BINARY_DIR}/test_headers.cc)
      sparsify_test_options(sparsify_test_headers)
      target_precompile_headers(sparsify_test_headers PRIVATE <gmock/gmock.h> <gtest/gtest.h>
        <fmt/format.h> <algorithm> <functional> <map> <memory> <optional> <string> <vector>)
    endif()
    target_precompile_headers(${name} REUSE_FROM sparsify_test_headers)
  endif()
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 300
                       ENVIRONMENT XDG_CACHE_HOME=${PROJECT_BINARY_DIR}/test-cache)
endfunction()

# Adds a folder that has a CMakeLists.txt.
function(sparsify_add_folder folder)
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/CMakeLists.txt)
    add_subdirectory(${folder})
  endif()
endfunction()

# sparsify_mpi_test(NAME RANKS TARGET): a test that runs TARGET in RANKS processes.
function(sparsify_mpi_test name ranks target)
  add_test(NAME ${name} COMMAND ${MPIEXEC_EXECUTABLE} -np ${ranks} --oversubscribe
                                $<TARGET_FILE:${target}>)
  set_tests_properties(${name} PROPERTIES TIMEOUT 60 PROCESSORS ${ranks} ENVIRONMENT
                       "${SPARSIFY_MPIEXEC_ENVIRONMENT}")
endfunction()
# For containers, where the tests are root's and processes may not read each other's memory.
set(SPARSIFY_MPIEXEC_ENVIRONMENT OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_btl_vader_single_copy_mechanism=none)
