# The message definitions come from the distribution's onnx.proto. They are renamed into our
# own package, so that a program may also link libonnx, and need protobuf's lite runtime only.
find_path(SPARSIFY_ONNX_PROTO_DIR onnx/onnx.proto)
if(NOT SPARSIFY_ONNX_PROTO_DIR)
  message(FATAL_ERROR "onnx/onnx.proto not found; install the package libonnx-dev "
                      "or set SPARSIFY_ONNX_PROTO_DIR to the folder that holds onnx/onnx.proto")
endif()
set(onnx_proto ${SPARSIFY_ONNX_PROTO_DIR}/onnx/onnx.proto)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${onnx_proto})
file(READ ${onnx_proto} onnx_proto_text)
string(REGEX REPLACE "\npackage [a-z_.]+;" "\npackage sparsify.pb;" onnx_proto_text
       "${onnx_proto_text}")
string(REGEX REPLACE "\noption optimize_for = [A-Z_]+;" "" onnx_proto_text "${onnx_proto_text}")
string(APPEND onnx_proto_text "\noption optimize_for = LITE_RUNTIME;\n")
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/onnx_messages.proto
     CONTENT "${onnx_proto_text}" @ONLY)

sparsify_messages(onnx ${CMAKE_CURRENT_BINARY_DIR})

sparsify_library(onnx
  SOURCES onnx_constants.cc onnx_convert.cc onnx_convert_layers.cc onnx_convert_shapes.cc
          onnx_export.cc onnx_export_nodes.cc onnx_import.cc onnx_model.cc onnx_node.cc
          onnx_partial_shapes.cc onnx_resolve.cc onnx_tensor.cc
  DEPS sparsify_graph
  PRIVATE sparsify_onnx_messages)
set_source_files_properties(onnx_export.cc PROPERTIES
  COMPILE_DEFINITIONS SPARSIFY_VERSION="${PROJECT_VERSION}")
