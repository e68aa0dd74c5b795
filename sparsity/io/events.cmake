# TensorBoard's event files: a few messages of our own text, and protobuf's lite runtime.
if(NOT TARGET protobuf::protoc)
  message(FATAL_ERROR "protoc not found; install the package protobuf-compiler")
endif()
add_custom_command(
  OUTPUT event_messages.pb.cc event_messages.pb.h
  COMMAND protobuf::protoc --cpp_out=${CMAKE_CURRENT_BINARY_DIR}
          --proto_path=${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/event_messages.proto
  DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/event_messages.proto
  COMMENT "Generating the event messages")
add_library(sparsify_event_messages STATIC ${CMAKE_CURRENT_BINARY_DIR}/event_messages.pb.cc
            ${CMAKE_CURRENT_BINARY_DIR}/event_messages.pb.h)
target_include_directories(sparsify_event_messages SYSTEM
                           PUBLIC $<BUILD_INTERFACE:${CMAKE_CURRENT_BINARY_DIR}>)
target_link_libraries(sparsify_event_messages PUBLIC protobuf::libprotobuf-lite)
set_property(GLOBAL APPEND PROPERTY SPARSIFY_LIBRARIES sparsify_event_messages)

sparsify_library(events SOURCES crc32c.cc event_file.cc
                 DEPS sparsify_base PRIVATE sparsify_event_messages)
