sparsify_test(hdf5_file_test SOURCES hdf5_file_test.cc DEPS sparsify_io)
