# sparsify_messages(NAME FOLDER): the static library sparsify_NAME_messages of FOLDER's
# NAME_messages.proto, on protobuf's lite runtime.
if(NOT TARGET protobuf::protoc)
  message(FATAL_ERROR "protoc not found; install the package protobuf-compiler")
endif()

function(sparsify_messages name folder)
  set(proto ${folder}/${name}_messages.proto)
  add_custom_command(
    OUTPUT ${name}_messages.pb.cc ${name}_messages.pb.h
    COMMAND protobuf::protoc --cpp_out=${CMAKE_CURRENT_BINARY_DIR} --proto_path=${folder} ${proto}
    DEPENDS ${proto}
    COMMENT "Generating the ${name} messages")
  add_library(sparsify_${name}_messages STATIC ${CMAKE_CURRENT_BINARY_DIR}/${name}_messages.pb.cc
              ${CMAKE_CURRENT_BINARY_DIR}/${name}_messages.pb.h)
  target_include_directories(sparsify_${name}_messages SYSTEM
                             PUBLIC $<BUILD_INTERFACE:${CMAKE_CURRENT_BINARY_DIR}>)
  target_link_libraries(sparsify_${name}_messages PUBLIC protobuf::libprotobuf-lite)
  set_property(GLOBAL APPEND PROPERTY SPARSIFY_LIBRARIES sparsify_${name}_messages)
endfunction()
