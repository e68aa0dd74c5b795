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
  if(SPARSIFY_SANITIZE AND name MATCHES "^(base|graph|mask|allocation|onnx|hdf5|io|report|cli)")
    target_compile_options(sparsify_${name} PRIVATE -O0)
  endif()
  set_property(GLOBAL APPEND PROPERTY SPARSIFY_LIBRARIES sparsify_${name})
endfunction()

function(sparsify_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} sparsify_warnings GTest::gmock
                        GTest::gtest_main)
  # Compiling the tests takes most of a check; what they test is optimised as ever.
  if(SPARSIFY_SANITIZE)
    target_compile_options(${name} PRIVATE -O0)
  else()
    target_compile_options(${name} PRIVATE -O1)
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
