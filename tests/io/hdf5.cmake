sparsify_test(hdf5_file_test SOURCES hdf5_file_test.cc DEPS sparsify_io)
sparsify_test(checkpoint_test SOURCES checkpoint_test.cc DEPS sparsify_io)
target_compile_definitions(checkpoint_test PRIVATE
  SPARSIFY_ORACLES="${PROJECT_SOURCE_DIR}/tests/oracles")
