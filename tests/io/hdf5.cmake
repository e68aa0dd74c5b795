sparsify_test(hdf5_file_test SOURCES hdf5_file_test.cc DEPS sparsify_io)
sparsify_test(checkpoint_test SOURCES checkpoint_test.cc DEPS sparsify_io)
target_compile_definitions(checkpoint_test PRIVATE
  SPARSIFY_ORACLES="${PROJECT_SOURCE_DIR}/tests/oracles")
sparsify_test(hdf5_hostile_test SOURCES hdf5_hostile_test.cc DEPS sparsify_io sparsify_hdf5)
target_link_libraries(hdf5_hostile_test PRIVATE ZLIB::ZLIB)
sparsify_test(checkpoint_hostile_test SOURCES checkpoint_hostile_test.cc
  DEPS sparsify_io sparsify_hdf5)
target_link_libraries(checkpoint_hostile_test PRIVATE ZLIB::ZLIB)
sparsify_test(model_file_test SOURCES model_file_test.cc DEPS sparsify_io sparsify_onnx)
