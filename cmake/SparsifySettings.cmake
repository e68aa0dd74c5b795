# Language level, warnings, sanitizers and the switches a person may set.
option(SPARSIFY_WERROR "Treat warnings as errors" ON)
option(SPARSIFY_BUILD_TESTS "Build the tests" ON)
option(SPARSIFY_BUILD_BENCH "Build the benchmarks" ON)
option(SPARSIFY_BUILD_EXAMPLES "Build the examples" ON)
option(SPARSIFY_BUILD_FUZZ "Build the libFuzzer targets (clang only)" OFF)
set(SPARSIFY_MPI AUTO CACHE STRING "Work of several processes by MPI: AUTO (where found), ON, OFF")
set_property(CACHE SPARSIFY_MPI PROPERTY STRINGS AUTO ON OFF)
set(SPARSIFY_SANITIZE "" CACHE STRING "Sanitizers, e.g. address,undefined")

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

find_program(SPARSIFY_CCACHE ccache)
if(SPARSIFY_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${SPARSIFY_CCACHE})
endif()

add_library(sparsify_settings INTERFACE)
target_include_directories(sparsify_settings INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:include/sparsify>)
target_compile_features(sparsify_settings INTERFACE cxx_std_20)

add_library(sparsify_warnings INTERFACE)
target_compile_options(sparsify_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow
  -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-align -Wimplicit-fallthrough)
if(SPARSIFY_WERROR)
  target_compile_options(sparsify_warnings INTERFACE -Werror)
  # These follow the data flow through inlined code, the library's too; every version of GCC sees
  # other faults that are none (12 in its own AVX-512 header, 13 in vector's copies).
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(sparsify_warnings INTERFACE -Wno-error=array-bounds
      -Wno-error=stringop-overflow -Wno-error=stringop-overread -Wno-error=maybe-uninitialized
      -Wno-error=free-nonheap-object)
  endif()
endif()

if(SPARSIFY_SANITIZE)
  add_compile_options(-fsanitize=${SPARSIFY_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all -g1)
  # Checks of the pointer at every access take 40 % of such a build; what they find ends under the
  # address sanitizer anyway, with the same report.
  if(SPARSIFY_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize=null,alignment,object-size,vptr)
  endif()
  add_link_options(-fsanitize=${SPARSIFY_SANITIZE})
endif()
