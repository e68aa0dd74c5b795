sparsify_library(io
  SOURCES checkpoint.cc checkpoint_format.cc checkpoint_graph.cc checkpoint_seal.cc
    hdf5_attributes.cc hdf5_file.cc hdf5_handle.cc hdf5_read.cc hdf5_types.cc hdf5_write.cc
    model_file.cc
  DEPS sparsify_graph sparsify_mask
  PRIVATE sparsify_onnx sparsify_hdf5 ZLIB::ZLIB)
set_source_files_properties(checkpoint.cc PROPERTIES
  COMPILE_DEFINITIONS SPARSIFY_VERSION="${PROJECT_VERSION}")
