sparsify_library(io
  SOURCES hdf5_attributes.cc hdf5_file.cc hdf5_handle.cc hdf5_read.cc hdf5_types.cc
    hdf5_write.cc
  DEPS sparsify_graph
  PRIVATE sparsify_hdf5 ZLIB::ZLIB)
