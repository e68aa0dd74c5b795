# TensorBoard's event files: a few messages of our own text, and protobuf's lite runtime.
sparsify_messages(event ${CMAKE_CURRENT_SOURCE_DIR})

sparsify_library(events SOURCES crc32c.cc event_file.cc
                 DEPS sparsify_base PRIVATE sparsify_event_messages)
