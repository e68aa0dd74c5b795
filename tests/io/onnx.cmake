sparsify_test(onnx_test
  SOURCES onnx_builder.cc onnx_export_test.cc onnx_hostile_test.cc onnx_import_test.cc
          onnx_operators_test.cc
  DEPS sparsify_onnx sparsify_onnx_messages)
add_executable(onnx_roundtrip onnx_roundtrip.cc)
target_link_libraries(onnx_roundtrip PRIVATE sparsify_onnx sparsify_warnings)
